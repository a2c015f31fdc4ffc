"""Samples of a data set run on one backend or two, dealt to the processes of torchrun where there are several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console

from mksgn.data.selection import Selection
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.programs import classes
from mksgn.programs.backends import BackendChoice, opened
from mksgn.report.run_file import SkeletonRun, accuracy, events
from mksgn.run.execution import Execution, execute, part_size
from mksgn.run.shards import Shards


def run_selection(console: Console, graph: Graph, selection: Selection, choices: Sequence[BackendChoice],
                  record: Callable[[bool], str], parts: Shards) -> Execution:
    """Run every sample of ``selection`` on the first backend, and compare it with the second where there is one.

    Parameters
    ----------
    console : Console
        For the progress bar.
    graph : Graph
    selection : Selection
    choices : sequence of BackendChoice
    record : callable
        What has to be recorded, 'none', 'spikes' or 'states', by whether the first backend counts without records.
    parts : Shards
        The processes that share the samples.

    Raises
    ------
    ConfigError
        When there are more processes than samples, or an option has no effect.
    BackendError
        When a backend cannot run here, or fails.
    """
    with opened(console, graph, choices) as (backends, bar):
        first, *second = backends
        if parts.world > len(selection):
            raise ConfigError("there are more processes than samples", where="torchrun",
                              got=f"{parts.world} processes", allowed=f"at most {len(selection)}")
        mine = selection.x[parts.rows(len(selection))]
        for choice in choices:
            bar.add(choice.name, len(mine))
        recorded = record(first.counts_alone)
        size = part_size(backends, recorded)
        done = execute(first, second[0] if second else None, mine, recorded, size, bar.part)
    return parts.join(done, len(selection))


def skeleton_run(graph: Graph, selection: Selection, done: Execution, note: str) -> SkeletonRun:
    """Everything that is said of a run of samples; ``note``: what is to be known of the data, or empty."""
    return {
        **accuracy(selection, done.predictions), "samples": len(selection), "available": selection.available,
        **events(graph, done.counts), **classes.scores_section(graph, selection, done.output, done.predictions),
        "predictions": done.predictions.tolist(),
        "labels": [None if label < 0 else int(label) for label in selection.labels], "names": list(selection.names),
        "class_names": list(selection.class_names), "data": selection.data, "data_note": note or None,
        "protocol": selection.protocol or None, "split": selection.split, "seconds": done.seconds}
