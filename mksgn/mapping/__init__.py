"""Places every population and synapse of a spiking graph on the neurocores of a board."""

from mksgn.mapping.boards import Board, board, boards
from mksgn.mapping.grid import Slab
from mksgn.mapping.placement import Core, Placement, place
from mksgn.mapping.problems import Problem

__all__ = ["Board", "Core", "Placement", "Problem", "Slab", "board", "boards", "place"]
