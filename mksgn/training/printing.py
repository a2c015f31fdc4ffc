"""What the training programs print at the end: accuracies, tables of streams, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mksgn.data.sources import SYNTHETIC
from mksgn.programs.console import print_command, print_table
from mksgn.teachers.scores import SCORES, fuse, load_stream, stream_accuracies


def print_accuracies(console: Console, results: Mapping[str, Any], names: Mapping[str, str],
                     clean: int | None = None) -> None:
    """A line for each accuracy on the test split.

    Parameters
    ----------
    results : mapping
        ``accuracy_KIND``, perhaps ``accuracy_KIND_clean``, and ``test_samples``.
    names : mapping
        What each KIND is called; those without an accuracy are left out.
    clean : int, optional
        Number of test samples that are no copies of training samples.
    """
    for kind, name in names.items():
        if f"accuracy_{kind}" in results:
            line = f"test accuracy, {results['test_samples']} samples: {name} {results[f'accuracy_{kind}']:.2%}"
            if f"accuracy_{kind}_clean" in results:
                size = "" if clean is None else f" of {clean}"
                line += f", clean subset{size} {results[f'accuracy_{kind}_clean']:.2%}"
            console.print(line)


def print_run_command(console: Console, net: Path, data: str, run: str) -> None:
    """The command that runs an exported net on the data it was trained on; ``run`` is how it begins."""
    print_command(console, *run.split(), "--net", net,
                  *(("--data", data) if data != SYNTHETIC else ()))


def described(result: Mapping[str, float]) -> str:
    """The accuracies of a stream (:func:`stream_accuracies`) in words."""
    line = f"accuracy {result['accuracy']:.2%} on {result['samples']}"
    return line + (f", {result['accuracy_clean']:.2%} on the {result['samples_clean']} clean ones"
                   if "accuracy_clean" in result else "")


def print_fusion(console: Console, folders: Sequence[Path], alpha: Sequence[float]) -> None:
    """The table of the accuracies of single streams, and of all together (Eq. 25).

    Parameters
    ----------
    folders : sequence of Path
        Of finished train_teacher.py runs.
    alpha : sequence of float
        Weight of each stream; empty: equal.
    """
    streams = [load_stream(folder / SCORES) for folder in folders]
    fused = fuse([s.test for s in streams], alpha or None)
    rows = [(s.modality, stream_accuracies(s.test.probabilities(), s.test)) for s in streams]
    rows.append(("summed softmax (Eq. 25)", stream_accuracies(fused, streams[0].test)))
    last = rows[-1][1]
    columns = {"accuracy": "samples"} | ({"accuracy_clean": "samples_clean"} if "samples_clean" in last else {})
    table = Table(title=f"{streams[0].data}, {streams[0].protocol}: test accuracy")
    table.add_column("stream")
    for count in columns.values():
        table.add_column(str(last[count]), justify="right")
    for name, result in rows:
        table.add_row(name, *(f"{result[accuracy]:.2%}" for accuracy in columns))
    print_table(console, table)
