"""The price of a delay at which a streamed graph no longer fits on a board."""

from __future__ import annotations

from dataclasses import replace

from mksgn.errors import ConfigError
from mksgn.ir.graph import Graph
from mksgn.mapping.boards import Board
from mksgn.mapping.delays import Delays
from mksgn.mapping.placement import packed
from mksgn.mapping.wiring import Activity

_MOST = 1 << 10
"""Bits of an accumulator beyond which no price is looked for: relays, which take none, are cheaper by then."""


def price_limit(stream: Graph, board: Board, delays: Delays, activity: Activity | None = None) -> int | None:
    """Most bits of an accumulator with which a graph fits on a board, by bisection; None where it fits with any.

    Parameters
    ----------
    stream : Graph
        Streamed.
    board : Board
    delays : Delays
        The ways that are allowed; the bits are those looked for.
    activity : mapping of population to float64 ndarray (C, 1, V), optional

    Raises
    ------
    ConfigError
        When the graph does not fit where delays are free.
    """
    def cores(bits: int) -> int:
        return packed(stream, board, activity, objective="cores", delays=replace(delays, bits=bits)).packing.cores

    low, high = 0, 16
    least = cores(low)
    if least > board.cores:
        raise ConfigError("the network does not fit, even where delays are free", where=f"board {board.name!r}",
                          got=f"{least:,} cores", allowed=f"{board.cores:,}", fix="take a larger board")
    while cores(high) <= board.cores:
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cores(middle) <= board.cores else (low, middle)
    return low
