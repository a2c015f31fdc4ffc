"""Questions to finished runs on training samples without augmentation; no test sample has a part in the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mksgn.data.preprocess import Preprocess
from mksgn.data.sources import load
from mksgn.data.splits import evenly_spaced
from mksgn.errors import ConfigError
from mksgn.programs.console import print_table
from mksgn.programs.outputs import check_writable, write_json
from mksgn.training.batches import preprocessed
from mksgn.training.network_file import read_meta
from mksgn.training.run_data import split_of
from mksgn.training.run_files import WEIGHTS


def training_samples(run: Path, data: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Evenly spaced training samples of a train_slayer.py run and their labels.

    Parameters
    ----------
    run : Path
        Folder of a finished run, or of models/.
    data : str
        What it was trained on.
    count : int
        How many at most; 0: all.

    Returns
    -------
    samples : int8 ndarray (N, C, F, V)
    labels : int64 ndarray (N,)

    Raises
    ------
    ConfigError
        When the folder holds no finished run, or one on other data.
    """
    meta = read_meta(run / WEIGHTS)
    if meta["data"] != Path(data).name:
        raise ConfigError("the run was trained on other data", where=str(run), got=data, allowed=meta["data"],
                          fix="name it with --data")
    pack = load(data)
    chosen = evenly_spaced(split_of(pack, meta).train, count)
    return preprocessed(pack, chosen, Preprocess.from_json(meta["preprocess"])), pack.labels[chosen]


def report(runs: Sequence[Path], ask: Callable[[Path], list[dict[str, Any]]], title: str, columns: Sequence[str],
           cells: Callable[[dict[str, Any]], Sequence[str]], json: Path | None) -> None:
    """Ask every run for its rows, print them as one table and, where ``json`` is given, write them there.

    Parameters
    ----------
    ask : callable
        Rows of a run, JSON values with ``run``, its name.
    columns, cells
        Headings beside 'run', and a row's text below each.

    Raises
    ------
    ConfigError
        When ``json`` cannot be written; it is looked at before anything is asked.
    """
    if json is not None:
        check_writable(json, "--json")
    console = Console(highlight=False)
    table = Table(title=title)
    for name in ("run", *columns):
        table.add_column(name, justify="left" if name == "run" else "right")
    found = []
    for run in runs:
        with console.status(f"{run.name} ..."):
            found += ask(run)
    for row in found:
        table.add_row(row["run"], *cells(row))
    print_table(console, table)
    if json is not None:
        write_json(json, {"rows": found})
