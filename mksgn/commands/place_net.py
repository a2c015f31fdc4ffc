"""What :mod:`mksgn.commands.map` does once its options are read."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from rich.console import Console

from mksgn.commands.endless import count_frames, endless_graph, endless_line, runs_endless
from mksgn.commands.map import Options
from mksgn.commit import describe_commit
from mksgn.emulator import Emulator
from mksgn.energy.costs import cost_models
from mksgn.ir import Graph
from mksgn.ir.streaming import streamed
from mksgn.mapping import board, both_ways, place, tables
from mksgn.mapping.activity import checked, uniform_activity
from mksgn.mapping.problems import least_cores, refuse_giants
from mksgn.netx import read_net
from mksgn.programs.console import print_prose, print_warning
from mksgn.programs.nets import check_clip, find_net
from mksgn.programs.outputs import write_json
from mksgn.programs.placement import load_activity, show_placement, show_ways
from mksgn.programs.samples import find_data, select
from mksgn.report.provenance import versions

DOES_NOT_FIT = 1
Counted = tuple[dict[str, np.ndarray] | None, dict[str, float] | None]


def place_net(options: Options) -> int:
    """Place, print, write; the exit code."""
    console = Console(highlight=False)
    target = board(options.board)
    options = replace(options, net=find_net(options.net, partial(print_prose, console, style="yellow")))
    clip = read_net(options.net)
    check_clip(clip, options.net)
    graph = timed(options, clip, console)
    refuse_giants(least_cores(graph, target), target)
    activity, active = count(options, clip, graph, console)
    sent = both_ways.folded(activity) if activity and options.time == "stream" else activity
    placement = place(graph, target, sent, objective=options.objective, steps=options.steps,
                      delays=options.priced_delays())
    refuse_giants(placement.packing.cores, target)
    content = tables.record(placement, placement.work(sent or uniform_activity(graph, placement.steps), active))
    show_placement(console, placement, content, options.all)
    ways = []
    if options.time == "stream":
        ways = both_ways.compare(clip, placement, activity, active)
    elif options.time == "endless":
        ways = [both_ways.endless_way(placement, activity, active, list(cost_models().values()))]
    if ways:
        show_ways(console, ways)
    if options.json is not None:
        write_json(options.json, {**content, "net": str(options.net), "versions": versions(),
                                  "commit": describe_commit(), "time": options.time,
                                  "both_ways": [both_ways.record(way) for way in ways]})
        console.print(f"wrote {options.json}", markup=False, soft_wrap=True)
    return DOES_NOT_FIT if placement.problems else 0


def timed(options: Options, clip: Graph, console: Console) -> Graph:
    """The graph that is placed: of the clip, or of a stream with or without ends."""
    if options.time == "clip":
        return clip
    if options.time == "stream":
        if runs_endless(clip, options.net):
            print_prose(console, "this net was trained for streams: what follows is of its clips, frame after frame; "
                        "--time endless is about a stream without ends")
        return streamed(clip)
    graph = endless_graph(clip, options.net)
    print_prose(console, endless_line(graph))
    return graph


def count(options: Options, clip: Graph, graph: Graph, console: Console) -> Counted:
    """Activity and active updates per sample of the clip, or per frame of an endless ``graph``; None where unknown."""
    endless = options.time == "endless"
    if options.activity is not None:
        given = load_activity(options.activity)
        return both_ways.per_frame(checked(clip, given)) if endless else given, None
    if options.data is None:
        return None, None
    source = find_data(clip, options.net, options.data)
    selection = select(clip, options.net, source, None, None, 32 if options.samples is None else options.samples,
                       say=partial(print_warning, console))
    console.print(f"{selection.data}: {len(selection)} of {selection.available} samples on the emulator", markup=False,
                  soft_wrap=True)
    if endless:
        counts = count_frames(graph, selection.x)
    else:
        with Emulator(clip) as backend:
            counts = backend.run(selection.x).counts
    return counts.activity(), {name: number / counts.samples for name, number in counts.active.items()}
