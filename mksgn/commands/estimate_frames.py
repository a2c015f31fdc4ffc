"""``mksgn energy --time endless``: the events of a frame of a stream without ends, and what a frame would take."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import numpy as np
from rich.console import Console

from mksgn.commands.endless import count_frames, endless_line, played
from mksgn.commands.energy import Options
from mksgn.commit import describe_commit
from mksgn.counts import Counts
from mksgn.energy.costs import CostModel
from mksgn.ir import Graph
from mksgn.mapping import Board, both_ways, place
from mksgn.programs.console import print_prose, print_table
from mksgn.programs.outputs import write_json, write_text
from mksgn.programs.placement import show_ways
from mksgn.report.energy_tables import as_csv, costs_table, layers_table, mapping_lines, totals_table
from mksgn.report.modelled_rows import mapping_section
from mksgn.report.provenance import hardware, versions
from mksgn.report.record import counted_and_priced, work_of
from mksgn.run.registry import open_backend

FRAME = "frame"


def estimate_frames(options: Options, graph: Graph, target: Board, models: list[CostModel], clips: np.ndarray,
                    typed: str, console: Console) -> None:
    """Count, place, price, print and write.

    Parameters
    ----------
    options : Options
    graph : Graph
        Endless.
    target : Board
    models : list of CostModel
    clips : int8 ndarray (N, C, F, V)
        Played one after the other.
    typed : str
        The command line, for the file.
    console : Console
    """
    print_prose(console, endless_line(graph))
    started = time.perf_counter()
    counts = counted(options, graph, clips)
    seconds = time.perf_counter() - started
    placement = place(graph, target, counts.activity(), objective=options.objective)
    sections = counted_and_priced(graph, counts, placement, models)
    mapping = mapping_section(placement, work_of(placement, counts))
    active = {name: number / counts.samples for name, number in counts.active.items()}
    ways = both_ways.endless_ways(placement, counts.activity(), active, models)
    for table in (layers_table(sections["layers"], FRAME), totals_table(sections["totals"], sections["paper"], FRAME),
                  costs_table(sections["paper"], sections["cost_models"], FRAME)):
        print_table(console, table)
        console.print()
    for line in mapping_lines(mapping, FRAME):
        console.print(line, markup=False, soft_wrap=True)
    show_ways(console, ways)
    console.print(f"counted in {seconds:.1f} s: {counts.samples:,} frames")
    record: dict[str, Any] = {
        "net": str(options.net), "command": typed, "time": options.time, "backend": options.backend,
        "frames": counts.samples, "seconds": seconds, "hardware": hardware(), "versions": versions(),
        "commit": describe_commit(), **sections, "mapping": mapping, "endless": both_ways.record(ways[-1])}
    write(options.json, options.csv, record, console)


def counted(options: Options, graph: Graph, clips: np.ndarray) -> Counts:
    """Events by frame."""
    if options.backend != "lava":
        return count_frames(graph, clips)
    with open_backend("lava", graph) as lava:
        counts: Counts = cast(Any, lava).run_frames(played(clips), "spikes").counts
    return counts


def write(json: Path | None, csv: Path | None, record: dict[str, Any], console: Console) -> None:
    """The files that were asked for."""
    if json is not None:
        write_json(json, record)
    if csv is not None:
        write_text(csv, as_csv(record["populations"], record["synapses"]))
    for path in (json, csv):
        if path is not None:
            console.print(f"wrote {path}", markup=False, soft_wrap=True)
