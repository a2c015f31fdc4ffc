"""Networks of one recipe that differ in their seed: how good each is, how sure that is, and all of them together.

    python benchmarks/seeds.py --data nw_ucla.npz --run runs/flagship-0 runs/flagship-1 runs/flagship-2
    python benchmarks/seeds.py --data nw_ucla.npz --run runs/flagship-3 --keep seeds.json --json seeds.json

For each network top-1 on the whole test split, in floating point and as integers, and on the test samples that are no
copy of a training sample. Brackets hold a 95 % interval: the test samples are drawn anew, with replacement, 10,000
times, and the middle 95 % of the accuracies are kept (percentile bootstrap; B. Efron, 1979). Two sequences of one actor
are alike, so that the true interval is somewhat wider.

The line of all seeds has their mean, its interval over test samples, and the standard deviation over seeds. 'training'
is the part of the training samples, as they are, that the integers get right. A rule that chooses among seeds may ask
that; the test split chooses nothing.

A folder of train_mksgn.py or join_runs.py has a joined network. Its floating point is the sum of its members' logits,
where their folders lie in it. --keep takes networks of an earlier --json, whose folders need not be there any more; one
that is named again replaces its row.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

RESAMPLES = 10_000
INTERVAL = (2.5, 97.5)
"""Percentiles."""
COLUMNS = ("network", "seed", "float", "float, clean", "integers", "integers, clean", "training", "synops (M)")


@dataclass(frozen=True)
class Options:
    """Accuracy of networks that differ in their seed; see the head of this file."""

    data: str
    """The data that they were trained on."""
    run: tuple[Path, ...] = ()
    """Folders of finished train_mksgn.py, join_runs.py or train_slayer.py runs."""
    keep: Path | None = None
    """Networks of an earlier --json to count in as well."""
    json: Path | None = None
    """Write the numbers here."""
    markdown: Path | None = None
    """Write the table here."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import json

import numpy as np

from mksgn.data.sources import load
from mksgn.emulator import Emulator
from mksgn.energy import counted_energy_mj
from mksgn.files import name_of
from mksgn.netx import read_net
from mksgn.programs.kept import read_kept
from mksgn.programs.outputs import check_writable, write_json, write_text
from mksgn.training.evaluation import logits
from mksgn.training.network_file import load_network
from mksgn.training.run_data import RunData
from mksgn.training.run_files import FLOAT, NET


class Network(NamedTuple):
    """What is known of a run.

    Parameters
    ----------
    about : dict
        Its name, seed, commit, and figures that have no interval.
    recipe : dict
        Without the seed.
    floating, integers : bool ndarray (N,)
        Which test samples it knows; ``floating`` is None where its weights are not there.
    clean : bool ndarray (N,), or None
        Test samples that are no copies of training samples; None: the data marks none.
    """

    about: dict[str, Any]
    recipe: dict[str, Any]
    floating: np.ndarray | None
    integers: np.ndarray
    clean: np.ndarray | None


BITS = ("floating", "integers", "clean")
"""Fields of a :class:`Network` that a file holds as a letter per test sample."""


def written(network: Network) -> dict[str, Any]:
    """A network as JSON values."""
    bits = {name: values if values is None else "".join("01"[int(value)] for value in values)
            for name, values in ((name, getattr(network, name)) for name in BITS)}
    return {"about": network.about, "recipe": network.recipe, **bits}


def kept(entry: dict[str, Any]) -> Network:
    """A network of an earlier file."""
    bits = {name: entry[name] if entry[name] is None else np.array([letter == "1" for letter in entry[name]])
            for name in BITS}
    return Network(entry["about"], entry["recipe"], **bits)


def answers(run: Path, options: Options) -> Network:
    """What a run knows.

    Raises
    ------
    ConfigError
        When the folder holds no finished run, or one on other data.
    """
    if not (run / NET).is_file():
        raise ConfigError("there is no finished run with an exported network", where=str(run), got=f"no {NET}",
                          fix="name a folder that train_mksgn.py, join_runs.py or train_slayer.py has finished")
    graph = read_net(run / NET)
    meta = graph.meta
    if not {"recipe", "data"} <= meta.keys():
        raise ConfigError("this network does not say how it was trained", where=str(run / NET),
                          got="no attributes 'recipe' and 'data'", fix="name a run of a training")
    if meta["data"] != name_of(options.data):
        raise ConfigError("the run was trained on other data", where=str(run), got=options.data, allowed=meta["data"],
                          fix="name it with --data")
    data = RunData.of_run(load(options.data), name_of(options.data), meta)
    test, compared = data.split.test, data.compared()
    samples, labels = data.samples(test), data.labels(test)
    with Emulator(graph) as emulator:
        found = emulator.run(samples)
        training = emulator.run(data.samples(compared)).predictions == data.labels(compared)
    folders = [run / member for member in meta["members"]] if "members" in meta else [run]
    floating = None
    if all((folder / FLOAT).is_file() for folder in folders):
        total = sum(logits(load_network(folder / FLOAT, quantized=False), samples) for folder in folders)
        floating = np.asarray(total).argmax(1) == labels
    recipe = json.loads(meta["recipe"])
    about = {"run": run.name, "seed": recipe.pop("seed"), "commit": meta.get("commit"),
             "training": float(training.mean()), "synops": counted_energy_mj(found.counts).synops}
    clean = None if data.split.clean is None else np.isin(test, data.split.clean)
    return Network(about, recipe, floating, found.predictions == labels, clean)


def interval(right: np.ndarray) -> list[float]:
    """Percentile bootstrap of the mean of ``right``, float (N,): its lower and its upper end."""
    drawn = np.random.default_rng(0).integers(len(right), size=(RESAMPLES, len(right)))
    return [float(end) for end in np.percentile(right[drawn].mean(axis=1), INTERVAL)]


def figures(right: list[np.ndarray | None], chosen: np.ndarray | slice) -> dict[str, Any] | None:
    """Mean over networks of the accuracy on the chosen samples, its interval, and the spread over networks.

    None where a network has no such answers.
    """
    known = [each[chosen].astype(np.float64) for each in right if each is not None]
    if len(known) < len(right):
        return None
    each = [float(values.mean()) for values in known]
    return {"accuracy": float(np.mean(each)), "interval": interval(np.mean(known, axis=0)),
            "deviation": float(np.std(each, ddof=1)) if len(each) > 1 else None, "samples": len(known[0])}


def row(about: dict[str, Any], networks: list[Network]) -> dict[str, Any]:
    """A line of the table as JSON values."""
    kinds: dict[str, list[np.ndarray | None]] = {"float": [each.floating for each in networks],
                                                 "integers": [each.integers for each in networks]}
    clean = networks[0].clean
    parts: dict[str, np.ndarray | slice] = {"": slice(None)} | ({} if clean is None else {"_clean": clean})
    return about | {f"{kind}{name}": figures(values, chosen) for kind, values in kinds.items()
                    for name, chosen in parts.items()}


def measure(options: Options, console: Console) -> list[Network]:
    """All networks, in the order of their seeds.

    Raises
    ------
    ConfigError
        When there is none, or they are not of one recipe but for the seed.
    """
    found: dict[str, Network] = {}
    if options.keep is not None:
        found = read_kept(options.keep, "networks", "--keep", "--json", lambda file: {
            network.about["run"]: network for network in map(kept, file["networks"])})
    for run in options.run:
        with console.status(f"{run.name} ..."):
            network = answers(run, options)
        for other in found.values():
            _check_alike(network, other, run)
        found[run.name] = network
    if not found:
        raise ConfigError("there is nothing to compare", where="--run, --keep", fix="name finished runs")
    return sorted(found.values(), key=lambda network: network.about["seed"])


def _check_alike(network: Network, other: Network, run: Path) -> None:
    """Refuse a network of another recipe, or one that was asked about other samples."""
    ours, theirs = ({**each.recipe, "test samples": len(each.integers)} for each in (network, other))
    differ = sorted(name for name in ours | theirs if ours.get(name) != theirs.get(name))
    if differ:
        raise ConfigError("these runs differ in more than their seed", where=str(run),
                          got=", ".join(f"{name} {ours.get(name)}" for name in differ),
                          allowed=", ".join(f"{name} {theirs.get(name)}" for name in differ),
                          fix="name runs of one recipe")


def lines_of(networks: list[Network]) -> list[dict[str, Any]]:
    """A line for each network, and one for all of them together."""
    lines = [row(network.about, [network]) for network in networks]
    if len(networks) > 1:
        mean = {name: float(np.mean([line[name] for line in lines])) for name in ("training", "synops")}
        lines.append(row({"run": f"mean of {len(networks)}", "seed": None, "commit": None} | mean, networks))
    return lines


def cells(line: dict[str, Any]) -> list[str]:
    """The text of a line."""
    return [line["run"], "-" if line["seed"] is None else str(line["seed"]),
            *(_shown(line.get(name)) for name in ("float", "float_clean", "integers", "integers_clean")),
            f"{100 * line['training']:.2f}", f"{line['synops'] / 1e6:.1f}"]


def _shown(found: dict[str, Any] | None) -> str:
    if found is None:
        return "-"
    low, high = (100 * end for end in found["interval"])
    spread = "" if found["deviation"] is None else f" ± {100 * found['deviation']:.2f}"
    return f"{100 * found['accuracy']:.2f}{spread} [{low:.1f}, {high:.1f}]"


def as_markdown(rows: list[dict[str, Any]], command: str) -> str:
    """The file of benchmarks/results."""
    first = rows[0]["integers"]["samples"]
    clean = rows[0].get("integers_clean")
    on = f"{first} test sequences" + (f"; 'clean': the {clean['samples']} that are no copy of a training sequence"
                                      if clean else "")
    lines = ["# Seeds", "", f"{command}", "",
             f"Top-1 in per cent on {on}. Brackets: 95 % of {RESAMPLES:,} bootstrap samples of the test sequences. "
             "'±': standard deviation over seeds. 'training': the training sequences, as they are, that the integers "
             "get right. The seed of a joined network is that of its first member.", "",
             "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS),
             *("| " + " | ".join(cells(line)) + " |" for line in rows), "",
             "| network | trained with |", "|---|---|",
             *(f"| {line['run']} | {line['commit']} |" for line in rows if line["commit"])]
    return "\n".join(lines) + "\n"


def main(options: Options) -> None:
    for name in ("json", "markdown"):
        path = getattr(options, name)
        if path is not None:
            check_writable(path, f"--{name}")
    commit = describe_commit()  # before anything that git tracks is written
    console = Console(highlight=False)
    networks = measure(options, console)
    rows = lines_of(networks)
    table = Table(*COLUMNS, title="Top-1, %, and 95 % bootstrap intervals")
    for line in rows:
        table.add_row(*cells(line))
    print_table(console, table)
    if options.json is not None:
        write_json(options.json, {"rows": rows, "networks": [written(each) for each in networks], "commit": commit})
    if options.markdown is not None:
        write_text(options.markdown, as_markdown(rows, f"`python {' '.join(sys.argv)}`, {commit}"))


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
