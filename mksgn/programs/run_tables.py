"""A run on the terminal: its net, accuracy, classes, wrong samples and events, and how two backends compare."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from mksgn.data.preprocess import Preprocess
from mksgn.data.selection import Selection
from mksgn.ir import Graph, schedule
from mksgn.ir.streaming import streamed
from mksgn.programs import classes
from mksgn.programs.console import print_prose, print_table
from mksgn.report.run_file import Accuracy, Events, SkeletonRun
from mksgn.run.comparison import Comparison

ROWS = 20
"""Populations that a check names at most."""
SIMULATED = "CPU simulation; nothing here was measured on a Loihi chip"


def net_line(net: str, graph: Graph) -> str:
    """One line on a network: its size, and its steps per sample."""
    size = sum(population.size for population in graph.populations[1:])
    steps = f"T = {graph.time_steps}" if graph.time_steps else "no number of steps of its own"
    return (f"{net}: {len(graph.populations) - 1} populations, {size:,} neurons, {len(graph.synapses)} synapses, "
            f"{steps}")


def stream_line(graph: Graph, preprocess: Preprocess | None) -> str:
    """One line on how the graph of a clip runs as a stream; ``preprocess``: what makes its input of skeletons.

    Raises
    ------
    GraphError
        When it cannot.
    """
    stream = streamed(graph)
    neurons = sum(population.size for population in stream.populations[1:])
    line = (f"time stream: {neurons:,} neurons, {stream.time_steps} steps per clip, "
            f"latency {schedule(stream).latency} steps")
    if preprocess is None:
        return line
    return line + ("; the preprocessing looks ahead, so a clip's latency remains a clip" if preprocess.causal is None
                   else "; the preprocessing does not look ahead")


def show_skeletons(console: Console, selection: Selection, ran: SkeletonRun, predictions: np.ndarray,
                   everything: bool) -> None:
    """Print a run of samples; predictions of synthetic skeletons that the net does not know are not listed.

    Parameters
    ----------
    console : Console
    selection : Selection
    ran : SkeletonRun
        What :func:`mksgn.programs.skeletons.skeleton_run` says of the run.
    predictions : int64 ndarray (N,)
    everything : bool
        All classes and all wrong samples, however many they are.
    """
    print_prose(console, accuracy_line(ran, selection), style="bold")
    console.print()
    if ran["classes"]:
        print_table(console, classes.classes_table(ran["classes"], everything))
        console.print()
    listed = classes.samples_table(selection, predictions, ran["scores"], everything) if not ran["data_note"] else None
    if listed is not None:
        print_table(console, listed)
        console.print()
    print_table(console, events_table(ran, len(selection)))


def show_check(console: Console, comparison: Comparison) -> None:
    """Print how two backends compare."""
    for line in check_lines(comparison):
        print_prose(console, line, style="" if comparison.equal else "red")


def events_table(measured: Events, samples: int, stream: bool = False) -> Table:
    """Spikes, operations, mean firing rate of the hidden populations, and energies; per sample or for a stream."""
    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("", no_wrap=True)
    table.add_column("in this stream" if stream else "per sample", justify="right", no_wrap=True)
    table.add_column("" if stream else f"mean of {samples}")
    mean = measured["per_sample"]
    rows = (
        ("spikes", f"{mean['spikes']:,.0f}", f"counted; firing rate {measured['mean_rate']:.4f}"),
        ("synops", f"{mean['synops']:,.0f}", "counted: a spike meets a non-zero weight"),
        ("MACs", f"{mean['macs']:,.0f}", "counted: the same for the graded input"),
        ("energy, mJ", f"{measured['energy_mj_paper']:.6f}", "modelled, Eq. 33-37, 45 nm (the paper's)"),
        ("energy, mJ", f"{measured['energy_mj_counted']:.6f}", "modelled, counted events, 45 nm"),
    )
    for row in rows:
        table.add_row(*row)
    return table


def accuracy_line(result: Accuracy, selection: Selection) -> str:
    """One line on the accuracy, or on why there is none."""
    if result["accuracy"] is None:
        return f"accuracy: none, {selection.unlabelled}"
    known = int((selection.labels >= 0).sum())
    line = f"accuracy {result['accuracy']:.2%} on {known} samples"
    for name, subset in result["subsets"].items():
        if subset["accuracy"] is not None:
            line += f", {name} subset {subset['accuracy']:.2%} on {subset['samples']}"
    return line


def check_lines(comparison: Comparison) -> list[str]:
    """What was compared, and how it came out."""
    left, right = comparison.names
    compared = f"{comparison.spikes_compared:,} spikes"
    if comparison.states_compared:
        compared += f", {comparison.states_compared:,} states"
    compared += f", {comparison.outputs_compared:,} outputs, {comparison.counts_compared:,} event counts"
    lines = [f"check: {left} against {right}, {comparison.populations} populations, {compared} compared: "
             + ("0 differ" if comparison.equal else f"{sum(comparison.differing.values()):,} differ")]
    if not comparison.equal:
        lines.append(f"first difference: {comparison.first}")
        lines += [f"  {count:,} in {where}" for where, count in list(comparison.differing.items())[:ROWS]]
    return lines
