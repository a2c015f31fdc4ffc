"""What :mod:`mksgn.commands.energy` does once its options are read."""

from __future__ import annotations

import datetime
import time
from dataclasses import replace
from functools import partial
from typing import Any

from rich.console import Console

from mksgn.commands.endless import endless_graph
from mksgn.commands.energy import Options
from mksgn.commands.estimate_frames import estimate_frames
from mksgn.data.selection import Selection
from mksgn.data.splits import evenly_spaced
from mksgn.emulator import Emulator
from mksgn.ir import Graph
from mksgn.mapping import board, place
from mksgn.netx import read_net
from mksgn.programs import run_tables
from mksgn.programs.backends import BackendChoice, opened
from mksgn.programs.console import print_prose, print_table, print_warning, sample_progress
from mksgn.programs.nets import find_net
from mksgn.programs.outputs import write_json, write_text
from mksgn.programs.samples import find_data, preprocess_of, select
from mksgn.report import Record, page
from mksgn.report.energy_tables import as_csv, costs_table, layers_table, mapping_lines, totals_table
from mksgn.report.record import check_fits, find_models, make_record, net_section, run_section, shown_example
from mksgn.report.run_file import Accuracy, accuracy
from mksgn.run.execution import Execution, execute, part_size

HELD_SAMPLES = 4
"""Samples measured on a chip, each held there for tens of thousands of steps."""


def estimate_energy(options: Options, typed: str) -> int:
    """Run, count, place, price, print and write; ``typed`` is the command line, which the record holds."""
    console = Console(highlight=False)
    options = replace(options, net=find_net(options.net, partial(print_prose, console, style="yellow")))
    graph = read_net(options.net)
    net_section(graph, options.net, (), 1)  # first: a recipe that cannot be read is refused before anything runs
    models = find_models(options.cost)
    target = board(options.board)
    placed = endless_graph(graph, options.net, options.steps_per_frame) if options.time == "endless" else graph
    check_fits(placed, target, str(options.net))
    selection = find_samples(options, graph, console)
    if placed is not graph:
        estimate_frames(options, placed, target, models, selection.x, typed, console)
        return 0
    # First: what it needs may be missing.
    chip = measure_on_chip(graph, selection, console) if options.backend == "loihi2" else None
    started = time.perf_counter()
    done = count(options, graph, selection, console)
    seconds = time.perf_counter() - started
    placement = place(graph, target, done.counts.activity(), objective=options.objective)
    with Emulator(graph) as emulator:
        example = shown_example(graph, selection, done.predictions, partial(emulator.run, record="spikes"))
    run = run_section(typed, options.backend, selection, done.predictions, seconds,
                      datetime.datetime.now(datetime.timezone.utc))
    record = make_record(net_section(graph, options.net, selection.class_names, done.counts.steps), run, graph,
                         done.counts, placement, models, selection, done.predictions, example)
    if chip is not None:
        record["measured"] = chip
    show(record, accuracy(selection, done.predictions), selection, console)
    write(options, record, console)
    return 0


def find_samples(options: Options, graph: Graph, console: Console) -> Selection:
    """The samples to run, and what they are, printed."""
    preprocess, protocol = preprocess_of(graph, options.net), options.splitting.described()
    source = find_data(graph, options.net, options.data)
    if source.note:
        print_warning(console, source.note)
    pack = options.reading.load(source.data, partial(print_prose, console), preprocess.persons)
    selection = select(graph, options.net, source, protocol, options.split, options.samples, pack,
                       partial(print_warning, console))
    console.print(f"{options.net} on {len(selection)} of {selection.available} samples of {selection.data}, "
                  f"{selection.part}; counted by {counter(options)}", markup=False, soft_wrap=True, style="bold")
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
    with opened(console, graph, [BackendChoice(name, options=given)]) as (backends, bar):
        bar.add(name, len(selection))
        return execute(backends[0], None, selection.x, record, part_size(backends, record), bar.part)


def measure_on_chip(graph: Graph, selection: Selection, console: Console) -> dict[str, Any]:
    """Power, energy and time on a Loihi 2, of a few samples held on the chip; what is missing is one error."""
    from mksgn.loihi import measure

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
