"""Count the cores and chips that the shipped nets and MK-SGN at the paper's size take, board by board.

    python benchmarks/map_boards.py --data nw_ucla.npz
    python benchmarks/map_boards.py --only shipped --boards kapoho-point
    python benchmarks/map_boards.py --only pair --boards kapoho-point --objectives cores --data nw_ucla.npz
    python benchmarks/map_boards.py --data nw_ucla.npz --markdown benchmarks/results/map_boards.md

A shipped net is placed by what its neurons send on test samples; MK-SGN of the paper's widths (Table 7), 64 frames
and 25 joints is untrained and placed by what its neurons, calibrated, send on a noise walk. One row per net, board
and objective; the least busy busiest core is looked for on boards of up to 32 chips only. "filled in order" are the
messages between chips were chips filled in the order of the network. Everything but the seconds is modelled.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from mksgn.commit import describe_commit
from mksgn.mapping.packing import RESOURCES, Objective, limits_of
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

Net = Literal["shipped", "pair", "full"]
CHIPS = 32
"""Spreading a net over thousands of cores more than it needs says nothing, slowly."""
MODELS = Path(__file__).resolve().parent.parent / "models"
SHIPPED: dict[Net, Path] = {"shipped": MODELS / "nw-ucla-joint" / "mksgn.net", "pair": MODELS / "nw-ucla" / "mksgn.net"}
COLUMNS = ("net", "board", "objective", "cores", "chips", "board's chips", "fits", "busiest core", "its load, ms",
           "mean load, ms", "messages between chips", "filled in order", "seconds")


@dataclass(frozen=True)
class Options:
    """Place the shipped nets and MK-SGN at the paper's size on boards; see the head of this file."""

    data: str | None = None
    """The shipped nets' samples; by default looked for as run_lava.py does."""
    samples: int = 32
    """Samples of the shipped nets."""
    only: tuple[Net, ...] = ("shipped", "full")
    """Nets to place: the joint network that we ship, the pair, MK-SGN of the paper's size."""
    boards: tuple[str, ...] = ("oheo-gulch", "kapoho-point", "hala-point", "loihi-1", "nahuku", "pohoiki-springs")
    """Boards to place them on."""
    objectives: tuple[Objective, ...] = ("cores", "time")
    """Fewest cores, the least busy busiest core, or split as Lava's compiler did."""
    json: Path | None = None
    """Write the rows here."""
    markdown: Path | None = None
    """Write the table here."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import numpy as np

from mksgn.emulator import Emulator
from mksgn.ir import Graph
from mksgn.mapping import board, place, tables
from mksgn.netx import read_net
from mksgn.programs.outputs import check_writable, write_json, write_text
from mksgn.programs.samples import find_data, select
from mksgn.programs.untrained import noise, paper_size
from mksgn.report.provenance import hardware, versions


def nets(options: Options, console: Console) -> dict[str, tuple[Graph, dict[str, np.ndarray]]]:
    """Each net and the messages per neuron and sample that it is placed by."""
    found: dict[str, tuple[Graph, dict[str, np.ndarray]]] = {}
    for name, path in SHIPPED.items():
        if name in options.only:
            graph = read_net(path)
            selection = select(graph, path, find_data(graph, path, options.data), None, None, options.samples)
            console.print(f"{name}: {len(selection)} samples of {Path(selection.data).name}", markup=False)
            found[name] = (graph, sent(graph, selection.x))
    if "full" in options.only:
        graph = paper_size()
        found["full"] = (graph, sent(graph, noise(graph.input.shape, 1)))
    return found


def sent(graph: Graph, samples: np.ndarray) -> dict[str, np.ndarray]:
    """Messages per neuron and sample."""
    with Emulator(graph, batch_size=min(len(samples), 32)) as backend:
        return backend.run(samples).counts.activity()


def row(name: str, graph: Graph, activity: dict[str, np.ndarray], where: str, objective: Objective) -> dict[str, Any]:
    """One net on one board."""
    began = time.perf_counter()
    placement = place(graph, board(where), activity, objective=objective)
    seconds = time.perf_counter() - began
    work = placement.work(activity)
    busiest, traffic = tables.busiest(placement, work), tables.traffic(work)
    over = placement.packing.cores > placement.board.cores
    # Listing every problem would search for the frames and channels that fit: minutes for the large net.
    cores_fit = all((placement.packing.usage[:, RESOURCES.index(name)] <= limit).all()
                    for name, limit in limits_of(placement.board).items())
    graded = graph.input.message_bits > placement.board.message_bits
    fits = "no: chips" if over else "no: a core" if not cores_fit else "no: graded input" if graded else "yes"
    return {"net": name, "board": where, "objective": objective, "cores": placement.packing.cores,
            "chips": placement.chips, "board's chips": placement.board.chips, "fits": fits,
            "busiest core": ", ".join(busiest["populations"]), "its load, ms": busiest["load_ms"],
            "mean load, ms": busiest["mean_load_ms"], "messages between chips": traffic["between_chips"],
            "filled in order": placement.between_chips(activity, in_order=True), "seconds": seconds}


def cells(found: dict[str, Any]) -> list[str]:
    """A row as text."""
    return [f"{value:,.3f}" if column.endswith("ms") else f"{value:,.1f}" if column == "seconds"
            else f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)
            for column, value in found.items()]


def main(options: Options) -> None:
    for option, path in (("--json", options.json), ("--markdown", options.markdown)):
        if path is not None:
            check_writable(path, option)
    console = Console(highlight=False)
    rows = []
    for name, (graph, activity) in nets(options, console).items():
        for where in options.boards:
            for objective in options.objectives:
                if objective == "time" and board(where).chips > CHIPS:
                    continue
                rows.append(row(name, graph, activity, where, objective))
                console.print(" ".join(cells(rows[-1])), style="dim", markup=False, soft_wrap=True)
    table = Table(*COLUMNS, box=None, header_style="bold")
    for found in rows:
        table.add_row(*cells(found))
    print_table(console, table)
    where_run = {**hardware(), **versions(), "commit": describe_commit()}
    if options.json is not None:
        write_json(options.json, {"rows": rows, **where_run})
    if options.markdown is not None:
        write_markdown(options.markdown, rows, where_run)


def write_markdown(path: Path, rows: list[dict[str, Any]], where_run: dict[str, Any]) -> None:
    """The page for benchmarks/results, whole or not at all."""
    lines = ["# Cores and chips, board by board", "",
             "`python benchmarks/map_boards.py --data nw_ucla.npz --markdown benchmarks/results/map_boards.md`", "",
             ", ".join(f"{key} {value}" for key, value in where_run.items()) + ".", "",
             "Modelled, but for the seconds that placing took. How: [docs/mapping.md](../../docs/mapping.md).", "",
             "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(cells(found)) + " |" for found in rows]
    write_text(path, "\n".join(lines) + "\n")


if __name__ == "__main__":
    with exit_on_error():
        main(given)
