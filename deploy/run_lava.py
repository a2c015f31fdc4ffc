"""Run a spiking graph network (.net) on skeletons: as Lava Processes, on the emulator, or on Loihi 2.

    python deploy/run_lava.py --net mksgn.net                              # the whole test split, as Lava Processes
    python deploy/run_lava.py --net mksgn.net --backend emulator           # the same, exact and faster
    python deploy/run_lava.py --net mksgn.net --check                      # Lava against the emulator, every spike
    torchrun --nproc-per-node 4 deploy/run_lava.py --net mksgn.net --backend emulator   # samples dealt to processes
    python deploy/run_lava.py --net mksgn.net --data clip.skeleton         # one recording
    python deploy/run_lava.py --net any.net --input x.npy --dump out.npz   # any tensor into any net

A net that train_slayer.py wrote knows its preprocessing, body and classes; --data must be of the same body.
Where the classes differ, the net runs and predicts, and the accuracy is null. Printed are the accuracy, that of each
class, the wrong samples and the events; --json has the scores and the best five classes of every sample as well
(docs/results.md).

Tensors (--input): x.npy holds integers, the net's input shape (C, F, V) and then time; axes of length 1 may be
missing, or all three flattened in this order. A stock netx file that has no input layer takes what its first
layer reads; where that is a conv layer, the shape is that of x.npy (with all its axes) or --input-shape.
A net with its own number of steps T (the ones we train) takes x in windows of T steps, each from rest, and every
population is written in its own time. Any other net (a stock netx file) takes x as one stream in wall time, as
stock netx runs it: each synapse takes a step, and nothing is reset unless --reset-interval says so. out.npz holds
`out`, the output's shape and then time (for a readout: its sums, one entry per window or stream); with --all also
every population by its name.

Exit codes: 0; 1 when --check finds a difference; 2 for anything that can be mended, with one message.
Everything but --backend loihi2 is a CPU simulation. It counts events; it measures no power.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

import tyro
from rich.console import Console

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error, print_prose, print_table, sample_progress
from mksgn.programs.options import parse

DIFFERENT = 1
MODEST = 20
"""Samples that Lava runs in minutes with a Process and an OS process per layer."""


@dataclass(frozen=True)
class Options:
    """Run a .net file on skeletons or tensors; see the head of this file."""

    GROUPS: ClassVar[dict[str, str]] = {"skeleton": "data", "backend": "backend", "Lava": "layout",
                                        "emulator": "device", "computation": "threads", "result": "json",
                                        "tensor": "input"}

    net: Path
    """The network: our mksgn.net, or a stock netx file. A bare name that is not here is looked for in runs
    (the newest) and models."""
    data: Annotated[str | None, tyro.conf.arg(metavar="PATH|synthetic")] = None
    """A pack or CTR-GCN .npz, a NW-UCLA .json or NTU .skeleton file or a folder of them, or 'synthetic'.
    Default: what the net was trained on, if it is synthetic or lies here, beside the net or in $MKSGN_DATA."""
    skip_untracked: bool = False
    """Leave out the recordings of an NTU folder in which nobody was tracked (302 of NTU 60, 535 of NTU 120)."""
    leave_out: str | None = None
    """A text file that names recordings to leave out, one per line, such as NTU's own list."""
    protocol: str | None = None
    """nw-ucla-xview, ntu60-xsub, ntu60-xview, ntu120-xsub, ntu120-xset, synthetic or as-packed. Default: the net's
    own on its own data, else what the data's ids say."""
    split: Literal["train", "val", "test", "all"] | None = None
    """Which part of the data. Default: test; all for a single recording."""
    samples: int | None = None
    """Number of samples, evenly spread over classes and split; 0: all. Default: all, or 20 with --layout layers or
    stock and on loihi2."""
    backend: Literal["emulator", "lava", "loihi2"] = "lava"
    """Where to run."""
    check: bool = False
    """Run a second backend too (the emulator; Lava if the first is the emulator) and compare every population."""
    check_states: bool = False
    """--check with u and v of every neuron after every step. Layouts other than blocks read them one by one from
    Lava, about 60 us each."""
    layout: Literal["blocks", "layers", "stock"] | None = None
    """How Lava runs the net: in a few Processes of ours that each hold a part of it (blocks, the default), in one
    Process per synapse and population with our ProcessModels (layers), or with Lava's own (stock). Same spikes."""
    timeout: float | None = None
    """Longest silence of Lava in seconds before its run is given up. Default 600."""
    max_processes: int | None = None
    """Most OS processes that Lava may start. Default 600."""
    device: str | None = None
    """Where the emulator computes: cpu (the default), cuda or cuda:N. Under torchrun cuda is each process's own."""
    batch_size: int | None = None
    """Samples that the emulator computes together; bounds its memory. Default 32."""
    threads: int | None = None
    """Threads of the emulator; in the layout blocks, Processes of Lava that compute side by side. Default: one per
    core."""
    json: Path | None = None
    """Write the results here, whole or not at all."""
    all: bool = False
    """Print all classes and all wrong samples, however many they are. With --input: write every population to
    --dump."""
    input: Path | None = None
    """Run this tensor (.npy) instead of skeletons."""
    dump: Path | None = None
    """With --input: write the output here (.npz)."""
    reset_interval: int | None = None
    """With --input, for a net without a number of steps of its own: reset every so many steps, as stock netx does."""
    num_layers: int | None = None
    """With --input: read only the first layers of a stock netx file."""
    input_shape: Annotated[tuple[int, int, int] | None, tyro.conf.arg(metavar="C F V")] = None
    """With --input: the net's input shape, for a stock netx file that starts with a conv layer and so does not say it.
    Default: that of a tensor with four axes."""

    def validate(self) -> None:
        """Refuse options that have no effect, before anything is read."""
        raw = self.input is not None
        for name in ("data", "leave_out", "protocol", "split", "samples"):
            if raw and getattr(self, name) is not None:
                raise ConfigError("an option for skeletons has no effect with --input",
                                  where=f"--{name.replace('_', '-')}", got=str(getattr(self, name)),
                                  fix="leave it out")
        if raw and self.skip_untracked:
            raise ConfigError("an option for skeletons has no effect with --input", where="--skip-untracked",
                              fix="leave it out")
        for name, given in (("dump", self.dump), ("reset-interval", self.reset_interval),
                            ("num-layers", self.num_layers), ("input-shape", self.input_shape)):
            if given is not None and not raw:
                raise ConfigError("an option for tensors has no effect without --input", where=f"--{name}",
                                  got=str(given), fix="name a tensor with --input x.npy, or leave it out")
        if self.input_shape is not None and min(self.input_shape) < 1:
            raise ConfigError("an impossible input shape", where="--input-shape", got=str(self.input_shape),
                              allowed="(C, F, V), each at least 1")
        if raw and self.all and self.dump is None:
            raise ConfigError("an option has no effect on a tensor without --dump", where="--all",
                              fix="name a file with --dump out.npz, or leave it out")
        if self.samples is not None and self.samples < 0:
            raise ConfigError("the number of samples is negative", where="--samples", got=str(self.samples),
                              allowed="0 for all, or more")
        if "lava" not in self.backends and self.backend != "loihi2":
            for name, value in (("timeout", self.timeout), ("max-processes", self.max_processes),
                                ("layout", self.layout)):
                if value is not None:
                    raise ConfigError("an option of the Lava backend has no effect on the emulator", where=f"--{name}",
                                      got=str(value), fix="leave it out, or choose --backend lava")
        if self.threads is not None:
            if self.threads < 1:
                raise ConfigError("the number of threads is impossible", where="--threads", got=str(self.threads),
                                  allowed="1 or more")
            if "emulator" not in self.backends and (self.backend == "loihi2" or self.layout not in (None, "blocks")):
                raise ConfigError("an option has no effect here", where="--threads", got=str(self.threads),
                                  allowed="the emulator, and Lava's layout blocks", fix="leave it out")
        if "emulator" not in self.backends:
            for name, own in (("device", self.device), ("batch-size", self.batch_size)):
                if own is not None:
                    raise ConfigError("an option of the emulator has no effect on Lava", where=f"--{name}",
                                      got=str(own), fix="leave it out, or choose --backend emulator")
        if int(os.environ.get("WORLD_SIZE", "1")) > 1 and (raw or self.backends != ("emulator",)):
            raise ConfigError("several processes can share the samples of the emulator only", where="torchrun",
                              got="--input" if raw else " and ".join(self.backends),
                              fix="leave torchrun out, or run skeletons with --backend emulator and without --check")
        for option, path in (("--json", self.json), ("--dump", self.dump)):
            if path is not None:
                check_writable(path, option)
        if self.json is not None and self.dump is not None and self.json.resolve() == self.dump.resolve():
            raise ConfigError("two results would go into one file", where="--json and --dump", got=str(self.json))

    @property
    def backends(self) -> tuple[str, ...]:
        """The backend, and the one it is checked against."""
        other = "lava" if self.backend == "emulator" else "emulator"
        return (self.backend, other) if self.check or self.check_states else (self.backend,)

    def record(self, counts_alone: bool) -> str:
        """What has to be recorded: for comparing, for --all, and for counts where the backend has no others."""
        if self.check_states:
            return "states"
        dumped = self.all and self.input is not None
        return "none" if counts_alone and not self.check and not dumped else "spikes"

    @property
    def limit(self) -> int:
        if self.samples is not None:
            return self.samples
        slow = self.backend == "loihi2" or self.layout in ("layers", "stock")
        return MODEST if slow else 0


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import numpy as np

from mksgn.data.sources import load
from mksgn.ir import Graph
from mksgn.netx import read_net
from mksgn.programs import classes, run_report
from mksgn.programs.nets import find_net
from mksgn.programs.outputs import check_writable, write_arrays, write_json
from mksgn.programs.samples import data_or_synthetic, find_data, preprocess_of, select
from mksgn.run.backend import Backend
from mksgn.run.execution import Agreement, execute, part_size
from mksgn.run.registry import open_backend
from mksgn.run.shards import Shards, shards
from mksgn.run.tensors import Streaming, load_input, run_raw, tensor_shape


class Bar:
    """Progress over all samples and backends; nothing where the output is no terminal."""

    def __init__(self, console: Console) -> None:
        self.progress = sample_progress(console)
        self.tasks: dict[str, Any] = {}
        self.start = 0

    def open(self, name: str, total: int) -> None:
        self.tasks[name] = self.progress.add_task(f"{name}: starting", total=total)

    def part(self, backend: Backend, start: int) -> None:
        """A backend is about to run the samples from number ``start`` on."""
        self.start = start

    def advance(self, name: str) -> Callable[[int], None]:
        return lambda done: self.progress.update(self.tasks[name], completed=self.start + done, description=name)


def open_all(options: Options, graph: Graph, stack: ExitStack, bar: Bar, parts: Shards) -> list[Streaming]:
    """The backend and, with --check, the second; both are closed with ``stack``, whatever happens."""
    opened = []
    for name in options.backends:
        if name == "emulator":
            own = options.device == "cuda" and parts.world > 1
            given: dict[str, Any] = {"device": f"cuda:{parts.local}" if own else options.device,
                                     "batch_size": options.batch_size, "threads": options.threads}
        else:  # a chip refuses the layout and the number of processes, and says so
            given = {"timeout_s": options.timeout, "max_processes": options.max_processes, "layout": options.layout}
            if name == "lava":
                given["blocks"] = options.threads
        backend = open_backend(name, graph, progress=bar.advance(name), **given)
        stack.callback(backend.close)
        opened.append(cast(Streaming, backend))
    return opened


def main(options: Options) -> int:
    options.validate()
    with shards() as parts:
        console = Console(highlight=False, quiet=not parts.chief)
        net = find_net(options.net, partial(print_prose, console, style="yellow"))
        return report_run(replace(options, net=net), console, parts, net != options.net)


def report_run(options: Options, console: Console, parts: Shards, searched: bool) -> int:
    """Run, print, write; the exit code. ``searched``: the net is not where the user said, but where one was found."""
    graph = read_graph(options)
    size = sum(population.size for population in graph.populations[1:])
    print_prose(console, f"{options.net}: {len(graph.populations) - 1} populations, {size:,} neurons, "
                f"{len(graph.synapses)} synapses, "
                + (f"T = {graph.time_steps}" if graph.time_steps else "no number of steps of its own"), style="bold")
    if options.input is None:
        content, agreement = run_skeletons(options, graph, console, parts, searched)
    else:
        content, agreement = run_tensor(options, graph, console, parts)
    if agreement is not None:
        for line in run_report.check_lines(agreement):
            print_prose(console, line, style="" if agreement.equal else "red")
    if options.json is not None and parts.chief:
        write_json(options.json, {**content, "check": run_report.comparison(agreement), "backend": options.backend,
                                  "net": str(options.net), "time_steps": graph.time_steps,
                                  "versions": run_report.versions(), "commit": describe_commit()})
        console.print(f"wrote {options.json}", markup=False, soft_wrap=True)
    if options.backend != "loihi2":
        console.print(f"({run_report.SIMULATED})")
    return 0 if agreement is None or agreement.equal else DIFFERENT


def read_graph(options: Options) -> Graph:
    """The net; its input has the shape that it says, or else --input-shape, or else the tensor's."""
    given = options.input_shape
    graph = read_net(options.net, num_layers=options.num_layers,
                     input_shape=given or (None if options.input is None else tensor_shape(options.input)))
    if given is not None and given != tuple(graph.input.shape):
        raise ConfigError("the net has an input of another shape", where="--input-shape", got=str(given),
                          allowed=str(tuple(graph.input.shape)), fix="leave it out")
    return graph


def run_skeletons(options: Options, graph: Graph, console: Console, parts: Shards,
                  searched: bool) -> tuple[dict[str, Any], Agreement | None]:
    """Run samples of a data set: accuracy, classes, wrong samples, events.

    What a net says of synthetic skeletons that it does not know is no result, and not printed.
    """
    preprocess_of(graph, options.net)
    anything = searched and options.data is None
    source = data_or_synthetic(graph, options.net) if anything else find_data(graph, options.net, options.data)
    if source.note:
        print_prose(console, f"note: {source.note}", style="yellow")
    pack = load(source.data, skip_untracked=options.skip_untracked, leave_out=options.leave_out,
                say=partial(print_prose, console))
    selection = select(graph, options.net, source, options.protocol, options.split, options.limit, pack)
    print_prose(console, f"{selection.data}: {len(selection)} of {selection.available} samples, "
                f"split {selection.split}" + (f" of {selection.protocol}" if selection.protocol else "")
                + f"; backend {' and '.join(options.backends)}")
    steps = graph.time_steps or 1
    bar = Bar(console)
    with ExitStack() as stack:
        first, *second = open_all(options, graph, stack, bar, parts)
        stack.enter_context(bar.progress)
        if parts.world > len(selection):
            raise ConfigError("there are more processes than samples", where="torchrun",
                              got=f"{parts.world} processes", allowed=f"at most {len(selection)}")
        mine = selection.x[parts.rows(len(selection))]
        for name in options.backends:
            bar.open(name, len(mine))
        record = options.record(first.counts_alone)
        done = execute(first, second[0] if second else None, mine, record,
                       part_size(graph, steps, record, len(options.backends)), bar.part)
    done = parts.join(done, len(selection))
    result = run_report.accuracy(selection, done.predictions)
    measured = run_report.events(graph, done.counts)
    said = classes.record(graph, selection, done.output, done.predictions)
    listed = None if source.note else classes.samples_table(selection, done.predictions, said["scores"], options.all)
    print_prose(console, run_report.accuracy_line(result, selection), style="bold")
    console.print()
    for table in (classes.classes_table(said["classes"], options.all) if said["classes"] else None, listed):
        if table is not None:
            print_table(console, table)
            console.print()
    print_table(console, run_report.events_table(measured, len(selection)))
    console.print(f"{options.backend}: {done.seconds:.1f} s, start-up included")
    known = [None if label < 0 else int(label) for label in selection.labels]
    return {**result, "samples": len(selection), "available": selection.available, **measured,
            **said, "predictions": done.predictions.tolist(), "labels": known, "names": list(selection.names),
            "class_names": list(selection.class_names), "data": selection.data, "data_note": source.note or None,
            "protocol": selection.protocol or None, "split": selection.split, "seconds": done.seconds}, done.agreement


def run_tensor(options: Options, graph: Graph, console: Console,
               parts: Shards) -> tuple[dict[str, Any], Agreement | None]:
    """Run a tensor: spikes out."""
    assert options.input is not None
    x = load_input(options.input, graph)
    windows = x.shape[3] // graph.time_steps if graph.time_steps else 0
    bar = Bar(console)
    with ExitStack() as stack:
        first, *second = open_all(options, graph, stack, bar, parts)
        stack.enter_context(bar.progress)
        for name in options.backends:
            bar.open(name, windows or x.shape[3])
        # A stream whose input takes no hop does not run in blocks, so Lava's counts of a stream need records.
        record = options.record(options.backend == "emulator")
        raw = run_raw(first, second[0] if second else None, x, record, options.reset_interval)
    measured = run_report.events(graph, raw.counts)
    how = f"{raw.windows} windows of {graph.time_steps}, each from rest" if raw.windows else "one stream"
    console.print(f"{options.input}: {x.shape[3]} steps, {how}; backend {' and '.join(options.backends)}",
                  markup=False, soft_wrap=True)
    console.print(f"out {raw.out.shape}: {np.count_nonzero(raw.out):,} non-zero, sum {raw.out.sum(dtype=np.int64):,}")
    print_table(console, run_report.events_table(measured, raw.counts.samples, stream=not raw.windows))
    console.print(f"{options.backend}: {raw.seconds:.1f} s, start-up included")
    if options.dump is not None:
        write_arrays(options.dump, {**(raw.populations if options.all else {}), "out": raw.out})
        more = f" and {len(raw.populations)} populations" if options.all else ""
        console.print(f"wrote {options.dump}: 'out'{more}", markup=False, soft_wrap=True)
    return {"accuracy": None, "accuracy_note": "a tensor has no labels", "subsets": {}, "samples": raw.counts.samples,
            "steps": x.shape[3], "windows": raw.windows, "out_shape": list(raw.out.shape), **measured,
            "input": str(options.input), "dump": None if options.dump is None else str(options.dump),
            "predictions": raw.predictions.tolist(), "labels": None, "names": None,
            "seconds": raw.seconds}, raw.agreement


if __name__ == "__main__":
    with exit_on_error():
        status = main(given)
    sys.exit(status)
