"""What :mod:`mksgn.commands.map` does once its options are read."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from rich.console import Console

from mksgn.commands.map import Options
from mksgn.commit import describe_commit
from mksgn.emulator import Emulator
from mksgn.ir import Graph
from mksgn.mapping import board, place, tables
from mksgn.mapping.placement import uniform_activity
from mksgn.mapping.problems import least_cores, refuse_giants
from mksgn.netx import read_net
from mksgn.programs.console import print_prose, print_warning
from mksgn.programs.nets import find_net
from mksgn.programs.outputs import write_json
from mksgn.programs.placement import load_activity, show_placement
from mksgn.programs.samples import find_data, select
from mksgn.report.provenance import versions

DOES_NOT_FIT = 1
Counted = tuple[dict[str, np.ndarray] | None, dict[str, float] | None]


def place_net(options: Options) -> int:
    """Place, print, write; the exit code."""
    console = Console(highlight=False)
    target = board(options.board)
    options = replace(options, net=find_net(options.net, partial(print_prose, console, style="yellow")))
    graph = read_net(options.net)
    refuse_giants(least_cores(graph, target), target)
    activity, active = count(options, graph, console)
    placement = place(graph, target, activity, objective=options.objective, steps=options.steps)
    refuse_giants(placement.packing.cores, target)
    content = tables.record(placement, placement.work(activity or uniform_activity(graph, placement.steps), active))
    show_placement(console, placement, content, options.all)
    if options.json is not None:
        write_json(options.json, {**content, "net": str(options.net), "versions": versions(),
                                  "commit": describe_commit()})
        console.print(f"wrote {options.json}", markup=False, soft_wrap=True)
    return DOES_NOT_FIT if placement.problems else 0


def count(options: Options, graph: Graph, console: Console) -> Counted:
    """Activity and active updates per sample; None where nothing says so."""
    if options.activity is not None:
        return load_activity(options.activity), None
    if options.data is None:
        return None, None
    source = find_data(graph, options.net, options.data)
    selection = select(graph, options.net, source, None, None, 32 if options.samples is None else options.samples,
                       say=partial(print_warning, console))
    console.print(f"{selection.data}: {len(selection)} of {selection.available} samples on the emulator", markup=False,
                  soft_wrap=True)
    with Emulator(graph) as backend:
        counts = backend.run(selection.x).counts
    return counts.activity(), {name: number / counts.samples for name, number in counts.active.items()}
