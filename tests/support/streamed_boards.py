"""Streamed graphs on boards of tiny cores, which several tests of placing share."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from streamable import streamable_pairs

from mksgn.ir import Graph
from mksgn.mapping import Board, board
from mksgn.mapping.strands import Timing

CHIP = board("oheo-gulch")
SEEDS = 60


@cache
def waiting_pairs() -> tuple[tuple[int, Graph, Graph], ...]:
    """Seeds of graphs that can be streamed and in which something waits, with both graphs."""
    return tuple(each for each in streamable_pairs(SEEDS) if Timing(each[2]).late)


def tiny_board(**limits: int) -> Board:
    """A board of tiny cores, as many as anyone wants, whose neurons hold messages for a few steps only."""
    given = {"neurons": 24, "neuron_groups": 3, "synapse_words": 400, "core_words": 700, "in_axons": 150,
             "out_axons": 1500, "cores_per_chip": 6, "chips": 4000, "delay_steps": 5, **limits}
    return replace(CHIP, name="small", **given,  # type: ignore[arg-type]
                   router_mesh=(2, 3), router_cores=1, chip_mesh=(4000, 1))
