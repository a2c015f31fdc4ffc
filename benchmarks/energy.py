"""Count what a spiking network really does, hold it against the paper's formula, and model what a chip would take.

    python benchmarks/energy.py --net models/nw-ucla-joint/mksgn.net --data nw_ucla.npz --report report.html
    python benchmarks/energy.py --net mksgn.net --backend lava --samples 40   # events counted in the Lava Processes
    python benchmarks/energy.py --net mksgn.net --board hala-point --cost loihi1 my-prices.toml --json energy.json
    python benchmarks/energy.py --net mksgn.net --objective cores             # placed on the fewest cores
    python benchmarks/energy.py --net mksgn.net --backend loihi2              # measured on the chip as well

Counted, exactly: spikes, synaptic operations (each non-zero weight that a spike really meets), MACs of the graded
input, neuron updates that changed something and those that did not, per sample, layer and synapse. Beside them the
paper's model (Eq. 33-37): rate x T x FLOPs. Then modelled: the network is placed on the cores of a board
(deploy/map_loihi.py), and cost models with cited constants (docs/energy.md) price the events of each core.
--objective chooses between the fewest cores and the least busy ones. It changes chips and time, and with them the
static energy.

Nothing but --backend loihi2 measures power, and it has never run on silicon (docs/loihi2.md).
Every figure is labelled counted, modelled or measured; docs/energy.md says what each means.
"""

from __future__ import annotations

import datetime
import shlex
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from mksgn.errors import ConfigError
from mksgn.mapping.packing import OBJECTIVE_HELP, Objective
from mksgn.programs.console import exit_on_error, print_prose, print_table, sample_progress
from mksgn.programs.options import parse

HELD_SAMPLES = 4
"""Samples measured on a chip, each held there for tens of thousands of steps."""


@dataclass(frozen=True)
class Options:
    """Events, energy and latency of a .net file; see the head of this file."""

    net: Path
    """The network: an mksgn.net. A bare name that is not here is looked for in runs (the newest) and models."""
    data: Annotated[str | None, tyro.conf.arg(metavar="PATH|synthetic")] = None
    """As in deploy/run_lava.py. Default: what the net was trained on, if it lies here."""
    protocol: str | None = None
    """As in deploy/run_lava.py."""
    split: Literal["train", "val", "test", "all"] | None = None
    """Which part of the data. Default: test."""
    samples: int = 0
    """Number of samples, evenly spread over classes and split; 0: all."""
    backend: Literal["emulator", "lava", "loihi2"] = "emulator"
    """Where events are counted; the counts are the same. loihi2: counted on the emulator, power and time measured on
    the chip."""
    board: str = "kapoho-point"
    """The board to place the network on: a name (deploy/map_loihi.py --help lists them) or a TOML file."""
    objective: Annotated[Objective, tyro.conf.arg(help=OBJECTIVE_HELP)] = "time"
    cost: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME|FILE.toml ...")] = ()
    """Cost models, by name or file. Default: all that come with the package."""
    batch_size: int = 32
    """Samples that the emulator computes together; bounds its memory."""
    json: Path | None = None
    """Write the whole record here."""
    csv: Path | None = None
    """Write a row per population and synapse here."""
    report: Path | None = None
    """Write a self-contained page here: pictures of all of this, and one sample moving above its spikes."""

    def validate(self) -> None:
        """Refuse what cannot work, before anything is read."""
        if self.samples < 0:
            raise ConfigError("the number of samples is negative", where="--samples", got=str(self.samples),
                              allowed="0 for all, or more")
        given = [(name, path) for name, path in (("--json", self.json), ("--csv", self.csv), ("--report", self.report))
                 if path is not None]
        for option, path in given:
            check_writable(path, option)
        if len({path.resolve() for _, path in given}) < len(given):
            raise ConfigError("two results would go into one file", where=" and ".join(option for option, _ in given))


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from mksgn.data.selection import Selection
from mksgn.data.splits import evenly_spaced
from mksgn.emulator import Emulator
from mksgn.ir import Graph
from mksgn.loihi import measure
from mksgn.mapping import board, place
from mksgn.netx import read_net
from mksgn.programs import run_tables
from mksgn.programs.backends import opened
from mksgn.programs.nets import find_net
from mksgn.programs.outputs import check_writable, write_json, write_text
from mksgn.programs.samples import find_data, preprocess_of, select
from mksgn.report import Record, page
from mksgn.report.energy_tables import as_csv, costs_table, layers_table, mapping_lines, totals_table
from mksgn.report.record import (
    check_fits,
    example_number,
    example_section,
    find_models,
    make_record,
    net_section,
    run_section,
)
from mksgn.report.run_file import Accuracy, accuracy
from mksgn.run.execution import Execution, execute, part_size


def main(options: Options) -> None:
    """Run, count, place, price, print and write."""
    options.validate()
    console = Console(highlight=False)
    options = replace(options, net=find_net(options.net, partial(print_prose, console, style="yellow")))
    graph = read_net(options.net)
    net_section(graph, options.net, (), 1)  # first: a recipe that cannot be read is refused before anything runs
    models = find_models(options.cost)
    target = board(options.board)
    check_fits(graph, target, str(options.net))
    selection = find_samples(options, graph, console)
    # First: what it needs may be missing.
    chip = measure_on_chip(graph, selection, console) if options.backend == "loihi2" else None
    started = time.perf_counter()
    done = count(options, graph, selection, console)
    seconds = time.perf_counter() - started
    placement = place(graph, target, done.counts.activity(), objective=options.objective)
    number = example_number(selection, done.predictions)
    with Emulator(graph) as emulator:
        example = example_section(graph, selection, number, emulator.run(selection.x[number:number + 1], "spikes"))
    run = run_section("python " + shlex.join(sys.argv), options.backend, selection, done.predictions, seconds,
                      datetime.datetime.now(datetime.timezone.utc))
    record = make_record(net_section(graph, options.net, selection.class_names, done.counts.steps), run, graph,
                         done.counts, placement, models, selection, done.predictions, example)
    if chip is not None:
        record["measured"] = chip
    show(record, accuracy(selection, done.predictions), selection, console)
    write(options, record, console)


def find_samples(options: Options, graph: Graph, console: Console) -> Selection:
    """The samples to run, and what they are, printed."""
    preprocess_of(graph, options.net)
    source = find_data(graph, options.net, options.data)
    if source.note:
        console.print(f"note: {source.note}", style="yellow", markup=False, soft_wrap=True)
    selection = select(graph, options.net, source, options.protocol, options.split, options.samples)
    console.print(f"{options.net} on {len(selection)} of {selection.available} samples of {selection.data}, split "
                  f"{selection.split}; counted by {counter(options)}", markup=False, soft_wrap=True, style="bold")
    return selection


def counter(options: Options) -> str:
    """The backend that counts."""
    return "lava" if options.backend == "lava" else "emulator"


def count(options: Options, graph: Graph, selection: Selection, console: Console) -> Execution:
    """Run every sample and count."""
    name = counter(options)
    # Which neuron sent what, which placing needs, is in Lava's records only.
    record = "spikes" if name == "lava" else "none"
    given: dict[str, Any] = {} if name == "lava" else {"batch_size": options.batch_size}
    with opened(console, graph, {name: given}) as ((backend,), bar):
        bar.add(name, len(selection))
        return execute(backend, None, selection.x, record, part_size(graph, graph.time_steps or 1, record, 1), bar.part)


def measure_on_chip(graph: Graph, selection: Selection, console: Console) -> dict[str, Any]:
    """Power, energy and time on a Loihi 2, of a few samples held on the chip; what is missing is one error."""
    with sample_progress(console) as bar:
        task = bar.add_task("loihi2", total=None)
        result = measure(graph, evenly_spaced(selection.x, HELD_SAMPLES), progress=lambda done, total: bar.update(
            task, completed=done, total=total))
    for label, text in result.rows():
        console.print(f"{label}: {text} (measured)", markup=False, soft_wrap=True)
    for note in result.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    if result.agrees is False:
        console.print("the chip's answers are not the emulator's: its figures are of another computation", style="red")
    return result.as_record()


def show(record: Record, right: Accuracy, selection: Selection, console: Console) -> None:
    """The terminal's tables."""
    for table in (layers_table(record["layers"]), totals_table(record["totals"], record["paper"]),
                  costs_table(record["paper"], record["cost_models"])):
        print_table(console, table)
        console.print()
    for line in mapping_lines(record["mapping"]):
        console.print(line, markup=False, soft_wrap=True, style="red" if line.startswith("does not fit") else "")
    console.print(run_tables.accuracy_line(right, selection), style="bold", markup=False, soft_wrap=True)
    console.print(f"counted in {record['run']['seconds']:.1f} s")


def write(options: Options, record: Record, console: Console) -> None:
    """The files that were asked for."""
    if options.json is not None:
        write_json(options.json, record)
    if options.csv is not None:
        write_text(options.csv, as_csv(record["populations"], record["synapses"]))
    if options.report is not None:
        write_text(options.report, page(record))
    for path in (options.json, options.csv, options.report):
        if path is not None:
            console.print(f"wrote {path}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    with exit_on_error():
        main(given)
