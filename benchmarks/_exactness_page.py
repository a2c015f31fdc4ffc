"""Tables and page of exactness.py: one run on the terminal, and several runs as the page of benchmarks/results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from mksgn.programs.kept import read_kept

Run = dict[str, Any]
"""A file of exactness.py --json: rows, and the versions that made them."""
COLUMNS = ("network", "populations", "samples", "spikes compared", "fired")
LAYOUTS = {"stock": "its own `fixed_pt` models", "layers": "our ProcessModels in the same Process graph",
           "blocks": "our Blocks"}
"""Each way in which Lava runs a net, in words."""


def kept(paths: tuple[Path, ...]) -> list[Run]:
    """Earlier runs.

    Raises
    ------
    ConfigError
        When a file is none that --json wrote.
    """

    def use(run: Run) -> Run:
        section(run)
        return run

    return [read_kept(path, "run", "--keep", "--json", use) for path in paths]


def columns(run: Run) -> list[str]:
    """Headings of a run's table."""
    return [*COLUMNS, "SLAYER = emulator", *(f"emulator = Lava, {layout}" for layout in run["layouts"])]


def cells(row: dict[str, Any], layouts: list[str]) -> list[str]:
    """A network's text below each heading."""
    found = [row["network"], str(row["populations"]), str(row["samples"]), f"{row['spikes_compared']:,}",
             f"{row['fired']:,}"]
    for label in ("slayer_emulator", *(f"emulator_lava_{layout}" for layout in layouts)):
        states = row[label]["states_compared"]
        found.append(f"{row[label]['differing']} differ" + (f" (and {states:,} u, v)" if states else ""))
    return found


def terminal_table(run: Run) -> Table:
    """A run on the terminal."""
    table = Table(*columns(run))
    for row in run["rows"]:
        table.add_row(*cells(row, run["layouts"]))
    return table


def section(run: Run) -> str:
    """A run on the page."""
    lines = [[*columns(run)], ["---"] * len(columns(run)), *(cells(row, run["layouts"]) for row in run["rows"])]
    how = ", frames as time steps" if run.get("time") == "stream" else ""  # files of before have no time
    how += ", with u and v" if run["states"] else ""
    return "\n\n".join([
        f"## {run['networks']}, Lava as {', '.join(run['layouts'])}{how}",
        f"    {run['command']}",
        "\n".join("| " + " | ".join(line) + " |" for line in lines),
        f"lava-nc {run['lava-nc']}, lava-dl {run['lava-dl']}, torch {run['torch']}; {run['commit']}."])


def page(runs: list[Run]) -> str:
    """The page of benchmarks/results."""
    layouts = "; ".join(f"`{name}`, {what}" for name, what in LAYOUTS.items())
    return "\n\n".join([
        "# SLAYER = emulator = Lava",
        "SLAYER runs by its own synapses and integer neuron. Lava runs on its CPU simulator, in up to three layouts: "
        f"{layouts}. The samples are streamed back to back. A number before 'differ' counts what is not the same on "
        "both sides: spikes of all populations, readouts and, where they are compared, u and v after every step.",
        "Untrained networks have batch-norm statistics of the samples, are folded and quantised, and fire as trained "
        "ones do. `learned` joint mixing starts from the weights of `layer`: untrained, both fire the same spikes.",
        *(section(run) for run in runs)]) + "\n"
