"""What benchmarks/streaming.py says of chips: cores by price and way of a delay, the price limit, both ways."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mksgn.counts import Counts
from mksgn.energy.costs import cost_models
from mksgn.ir import Graph
from mksgn.mapping import board, place, tables
from mksgn.mapping.both_ways import Way, folded, record, way
from mksgn.mapping.delays import Delays
from mksgn.mapping.packing import Objective
from mksgn.mapping.price_limit import price_limit
from mksgn.mapping.ways_table import NOTES, PLACED, PRICED, placed_rows, priced_rows

CHIP, LARGE = "oheo-gulch", "hala-point"
"""One Loihi 2 chip, and a board that holds the clips of all our nets."""
PRICES = ("free", "accumulators", "24")
WAYS = ("any", "stock", "relays", "registers")
CORES = ("delay price", "delays", "objective", "cores", "chips", "one chip", "relays", "made by", "seconds")


def cores_rows(stream: Graph, activity: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """Cores of a streamed graph on one chip: by price, by the ways that are allowed, and for either objective."""
    asked: list[tuple[str, str, Objective]] = [(price, "any", "cores") for price in PRICES]
    asked += [("accumulators", ways, "cores") for ways in WAYS[1:]]
    asked += [("accumulators", ways, "time") for ways in WAYS[:2]]
    for price, ways, objective in asked:
        began = time.perf_counter()
        placement = place(stream, board(CHIP), activity, objective=objective,
                          delays=Delays.parse(price, ways))
        made = [each.realisation for each in placement.made]
        yield {"delay price": price, "delays": ways, "objective": objective, "cores": placement.packing.cores,
               "chips": placement.chips, "one chip": "yes" if placement.packing.cores <= board(CHIP).cores else "no",
               "relays": sum(placement.wiring[name].size for name in placement.wiring.repeats),
               "made by": ", ".join(f"{made.count(how)} {how}" for how in sorted(set(made))),
               "seconds": time.perf_counter() - began, "delays_by_synapse": tables.delays(placement)}


def both_ways(clip: Graph, stream: Graph, counts: Counts) -> list[Way]:
    """The clip at once on the fewest cores of a large board, and streamed on one chip for either objective."""
    activity, models = counts.activity(), list(cost_models().values())
    active = {name: number / counts.samples for name, number in counts.active.items()}
    return [way(clip, clip, board(LARGE), activity, active, models, objective="cores"),
            *(way(clip, stream, board(CHIP), activity, active, models, objective=objective)
              for objective in ("cores", "time"))]


def chips(clip: Graph, stream: Graph, counts: Counts) -> dict[str, Any]:
    """Everything about a net on chips, JSON-ready, and its tables as rows of text."""
    activity = folded(counts.activity())
    ways = both_ways(clip, stream, counts)
    return {"cores": list(cores_rows(stream, activity)),
            "price_limit_bits": price_limit(stream, board(CHIP), Delays(), activity),
            "both_ways": [record(each) for each in ways],
            "text": {"placed": [list(row) for row in placed_rows(ways)],
                     "priced": [list(row) for row in priced_rows(ways)]}}


def markdown(found: Mapping[str, Mapping[str, Any]], command: str, where: str) -> str:
    """The page for benchmarks/results: nets by name."""
    lines = ["# Frames as time steps on chips", "", f"`{command}`", "",
             f"{where}. All figures are modelled, but for the seconds; no chip has run these networks. How: "
             "[docs/mapping.md](../../docs/mapping.md), [docs/energy.md](../../docs/energy.md).", ""]
    for name, each in found.items():
        limit = each["price_limit_bits"]
        lines += [f"## {name}", "", f"Streamed, on one Loihi 2 chip ({board(CHIP).cores} cores). " +
                  ("It fits at any price of an accumulator." if limit is None else
                   f"It fits with accumulators of up to {limit} bits; with {limit + 1} bits it does not."), "",
                  *_table(CORES, [[f"{row[key]:,.1f}" if key == "seconds" else f"{row[key]:,}"
                                   if isinstance(row[key], int) else str(row[key]) for key in CORES]
                                  for row in each["cores"]]), "",
                  f"Both ways, for one clip: at once on {LARGE}, and streamed on one chip.", "",
                  *_table(PLACED, each["text"]["placed"]), "", *_table(PRICED, each["text"]["priced"]), ""]
    return "\n".join([*lines, *(f"- {note}" for note in NOTES)]) + "\n"


def _table(headings: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings),
            *("| " + " | ".join(row) + " |" for row in rows)]
