"""What :mod:`mksgn.commands.run` does once its options are read."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from rich.console import Console

from mksgn.commands.run import Options
from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.netx import read_net
from mksgn.programs.backends import BackendChoice, opened
from mksgn.programs.console import print_prose, print_table, print_warning
from mksgn.programs.nets import check_clip, find_net
from mksgn.programs.outputs import write_arrays, write_json
from mksgn.programs.run_tables import SIMULATED, events_table, net_line, show_check, show_skeletons, stream_line
from mksgn.programs.samples import data_or_synthetic, find_data, preprocess_of, select
from mksgn.programs.skeletons import run_selection, skeleton_run
from mksgn.report.provenance import versions
from mksgn.report.run_file import SkeletonRun, TensorRunSections, check, tensor_run
from mksgn.run.comparison import Comparison
from mksgn.run.shards import Shards, shards
from mksgn.run.tensor_file import load_input, tensor_shape
from mksgn.run.tensors import run_tensor

DIFFERENT = 1


def run(options: Options) -> int:
    """Find the net, run it, print and write; the exit code."""
    with shards() as parts:
        console = Console(highlight=False, quiet=not parts.chief)
        net = find_net(options.net, partial(print_prose, console, style="yellow"))
        searched, options = net != options.net, replace(options, net=net)
        graph = read_graph(options)
        print_prose(console, net_line(str(net), graph), style="bold")
        if options.time == "stream":
            print_prose(console, stream_line(graph, preprocess_of(graph, net) if options.input is None else None))
        content, comparison = (skeletons(options, graph, console, parts, searched) if options.input is None else
                               tensor(options, graph, console))
        if comparison is not None:
            show_check(console, comparison)
        if options.json is not None and parts.chief:
            write_json(options.json, {**content, "check": check(comparison), "backend": options.backend,
                                      "time": options.time, "net": str(net), "time_steps": graph.time_steps,
                                      "versions": versions(), "commit": describe_commit()})
            console.print(f"wrote {options.json}", markup=False, soft_wrap=True)
        if options.backend != "loihi2":
            console.print(f"({SIMULATED})")
    return 0 if comparison is None or comparison.equal else DIFFERENT


def read_graph(options: Options) -> Graph:
    """The net; its input has the shape that it says, or else --input-shape, or else the tensor's."""
    given = options.input_shape
    graph = read_net(options.net, num_layers=options.num_layers,
                     input_shape=given or (None if options.input is None else tensor_shape(options.input)))
    check_clip(graph, options.net)
    if given is not None and given != tuple(graph.input.shape):
        raise ConfigError("the net has an input of another shape", where="--input-shape", got=str(given),
                          allowed=str(tuple(graph.input.shape)), fix="leave it out")
    return graph


def skeletons(options: Options, graph: Graph, console: Console, parts: Shards,
              searched: bool) -> tuple[SkeletonRun, Comparison | None]:
    """Run samples of a data set. ``searched``: the net was found by its bare name, and its data may not be here."""
    preprocess = preprocess_of(graph, options.net)
    anything = searched and options.data is None
    source = data_or_synthetic(graph, options.net) if anything else find_data(graph, options.net, options.data)
    if source.note:
        print_warning(console, source.note)
    protocol = options.splitting.described()
    pack = options.reading.load(source.data, partial(print_prose, console), preprocess.persons)
    selection = select(graph, options.net, source, protocol, options.split, options.limit, pack,
                       partial(print_warning, console))
    choices = [BackendChoice(*each) for each in options.backend_options(parts.gpu)]
    print_prose(console, f"{selection.data}: {len(selection)} of {selection.available} samples, {selection.part}; "
                f"backend {' and '.join(choice.name for choice in choices)}")
    done = run_selection(console, graph, selection, choices, options.record, parts)
    content = skeleton_run(graph, selection, done, source.note)
    show_skeletons(console, selection, content, done.predictions, options.all)
    console.print(f"{choices[0].name}: {done.seconds:.1f} s, start-up included")
    return content, done.comparison


def tensor(options: Options, graph: Graph, console: Console) -> tuple[TensorRunSections, Comparison | None]:
    """Run a tensor: spikes out."""
    assert options.input is not None
    x = load_input(options.input, graph)
    choices = [BackendChoice(*each) for each in options.backend_options(None)]
    with opened(console, graph, choices) as ((first, *second), bar):
        for choice in choices:
            bar.add(choice.name, x.shape[3] // graph.time_steps if graph.time_steps else x.shape[3])
        # A stream whose input takes no hop does not run in blocks, so Lava's counts of a stream need records.
        record = options.record(options.backend == "emulator")
        ran = run_tensor(first, second[0] if second else None, x, record, options.reset_interval)
    content = tensor_run(graph, x, ran, options.input, options.dump)
    how = f"{ran.windows} windows of {graph.time_steps}, each from rest" if ran.windows else "one stream"
    console.print(f"{options.input}: {x.shape[3]} steps, {how}; backend "
                  f"{' and '.join(choice.name for choice in choices)}", markup=False, soft_wrap=True)
    console.print(f"out {ran.out.shape}: {np.count_nonzero(ran.out):,} non-zero, sum {ran.out.sum(dtype=np.int64):,}")
    print_table(console, events_table(content, ran.counts.samples, stream=not ran.windows))
    console.print(f"{choices[0].name}: {ran.seconds:.1f} s, start-up included")
    if options.dump is not None:
        write_arrays(options.dump, {**(ran.populations if options.all else {}), "out": ran.out})
        more = f" and {len(ran.populations)} populations" if options.all else ""
        console.print(f"wrote {options.dump}: 'out'{more}", markup=False, soft_wrap=True)
    return content, ran.comparison

