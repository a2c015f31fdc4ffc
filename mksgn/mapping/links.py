"""Messages over the links of the mesh: which link between two routers, and between two chips, carries the most.

Every router stands in one mesh over all chips; rows and columns run on from chip to chip. A message goes along the row
of its sender, then along the column of its receiver (XY routing, as on Loihi 2: Timcheck et al., arXiv 2601.10035).
Messages between cores at one router use no link, and those of the host none that is known.
"""

from __future__ import annotations

import numpy as np

from mksgn.mapping.boards import Board
from mksgn.mapping.traffic import Flow


def positions(board: Board, cores: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each core's router in one mesh over all chips: two int64 arrays (cores,)."""
    index = np.arange(cores)
    chip, router = index // board.cores_per_chip, index % board.cores_per_chip // board.router_cores
    (rows, columns), wide = board.router_mesh, board.chip_mesh[1]
    return (chip // wide) * rows + router // columns, (chip % wide) * columns + router % columns


class LinkLoads:
    """Messages over each link, added up flow by flow.

    Parameters
    ----------
    board : Board
    cores : int
        In use, numbered as the placement does.
    """

    def __init__(self, board: Board, cores: int):
        self.board = board
        self.row, self.column = positions(board, cores)
        shape = (int(self.row.max(initial=0)) + 1, int(self.column.max(initial=0)) + 1)
        # Steps up and down of the load along rows (east, west) and along columns (south, north).
        self._along = [np.zeros(shape) for _ in range(2)]
        self._across = [np.zeros(shape) for _ in range(2)]

    def add(self, flow: Flow) -> None:
        """The messages of a flow between cores."""
        row, end = self.row[flow.sender], self.row[flow.receiver]
        column, stop = self.column[flow.sender], self.column[flow.receiver]
        for direction, chosen in enumerate((column < stop, column > stop)):
            _step(self._along[direction], row[chosen], (column[chosen], stop[chosen]), flow.messages[chosen])
        for direction, chosen in enumerate((row < end, row > end)):
            _step(self._across[direction].T, stop[chosen], (row[chosen], end[chosen]), flow.messages[chosen])

    def loads(self) -> tuple[np.ndarray, np.ndarray]:
        """Messages over each link within a chip, and over each link between chips: two float64 arrays.

        A link goes one way. Two neighbouring chips have one link each way, which carries what all their rows or columns
        send.
        """
        rows, columns = self.board.router_mesh
        within, between = [], []
        for steps, axis, length, other in ((self._along, 1, columns, rows), (self._across, 0, rows, columns)):
            for each in steps:
                # Link n stands between the places n and n + 1; links of a row lie in its last axis.
                loads = np.moveaxis(np.cumsum(each, axis=axis), axis, 1)[:, :-1]
                border = np.arange(1, loads.shape[1] + 1) % length == 0
                within.append(loads[:, ~border].ravel())
                between.append(np.add.reduceat(loads[:, border], np.arange(0, len(loads), other), axis=0).ravel())
        return np.concatenate(within), np.concatenate(between)

    def heaviest(self) -> tuple[float, float]:
        """Messages over the heaviest link within a chip and between chips; 0 where there is none."""
        within, between = self.loads()
        return float(within.max(initial=0.0)), float(between.max(initial=0.0))


def _step(steps: np.ndarray, line: np.ndarray, ends: tuple[np.ndarray, np.ndarray], messages: np.ndarray) -> None:
    """Raise the load of ``line`` between both ends, (lines, places): the sum along a line is the load of each link."""
    low, high = np.minimum(*ends), np.maximum(*ends)
    np.add.at(steps, (line, low), messages)
    np.add.at(steps, (line, high), -messages)
