"""The audit as a whole: all tables on the terminal, as Markdown and as JSON, and whether both ways agree."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _compare import comparisons
from _sections import (
    Section,
    agreed,
    agreements,
    arithmetic,
    compared,
    conventions_table,
    first_layers,
    fusion,
    layer_tables,
    like_for_like,
    rates,
)
from rich.console import Console
from rich.table import Table

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.programs.console import print_table
from mksgn.programs.outputs import check_writable, write_json, write_text


def rich_table(section: Section) -> Table:
    """A section for the terminal."""
    table = Table(*section.columns)
    for row in section.rows:
        table.add_row(*(f"[red]{cell}[/]" if cell.startswith(("NO:", "impossible")) else cell for cell in row))
    return table


def show(console: Console, section: Section) -> None:
    """Title, sentence, table."""
    console.print(f"\n[bold]{section.title}[/]\n{section.note}", highlight=False)
    print_table(console, rich_table(section))


def markdown(sections: list[Section], where: dict[str, str]) -> str:
    """The page for benchmarks/results."""
    lines = ["# The paper's Tables 1-3, recomputed", "",
             "What it means is in [docs/paper-audit.md](../../docs/paper-audit.md). By model, formula and count: "
             "nothing here is measured, no network is trained, and accuracies are not looked at.", "",
             "    python benchmarks/paper --markdown benchmarks/results/paper_tables.md", "",
             ", ".join(f"{key} {value}" for key, value in where.items()) + "."]
    for section in sections:
        lines += ["", f"## {section.title}", "", section.note, "", "| " + " | ".join(section.columns) + " |",
                  "|" + "---|" * len(section.columns)]
        lines += ["| " + " | ".join(row) + " |" for row in section.rows]
    return "\n".join(lines) + "\n"


def layer_section(name: str) -> Section:
    """One network, layer by layer."""
    tables = layer_tables()
    if name not in tables:
        raise ConfigError("no layer table of this network", where="--layers", got=name, allowed=", ".join(tables))
    rows = [(row["name"], row["kind"], " x ".join(map(str, row["shape"])), f"{row['macs']:,}", f"{row['parameters']:,}")
            for row in tables[name]]
    macs, stored = (sum(row[key] for row in tables[name]) for key in ("macs", "parameters"))
    return Section(name, "One stream, one time step, 64 frames, 25 joints, 2 persons.",
                   ("layer", "kind", "output", "MACs", "parameters"),
                   [*rows, ("total", "", "", f"{macs:,}", f"{stored:,}")])


def show_layers(name: str) -> None:
    """Print the layers of one network.

    Raises
    ------
    ConfigError
        When no network has this name.
    """
    show(Console(), layer_section(name))


def audit(json: Path | None, page: Path | None) -> int:
    """Print every table, write them where ``json`` and ``page`` (Markdown) say.

    Returns
    -------
    int
        0; 1 where formula and counting disagree.
    """
    console = Console()
    for path, option in ((json, "--json"), (page, "--markdown")):
        if path is not None:
            check_writable(path, option)
    rows, found = comparisons(), agreements()
    sections = [compared(rows), agreed(found), arithmetic(), first_layers(), rates(), fusion(), conventions_table(),
                like_for_like()]
    for section in sections:
        show(console, section)
    where = {"commit": describe_commit(), "python": platform.python_version(), "torch": version("torch"),
             "lava-dl": version("lava-dl")}
    verdicts = {verdict: sum(row.reproduced == verdict for row in rows)
                for verdict in ("yes", "by another reading", "no")}
    console.print(f"Of {len(rows)} printed numbers {verdicts['yes']} are reproduced within 5 %, "
                  f"{verdicts['by another reading']} by a reading the paper does not state, {verdicts['no']} not.")
    if json is not None:
        content: dict[str, Any] = {
            "rows": [row.as_json() for row in rows],
            "agreement": [{**asdict(item), "exact": item.exact} for item in found],
            "sections": [asdict(section) for section in sections], "layers": layer_tables(), **where}
        write_json(json, content)
    if page is not None:
        write_text(page, markdown(sections, where))
    wrong = [item.network for item in found if not item.exact]
    if wrong:
        console.print(f"[red]formula and counting disagree: {', '.join(wrong)}[/]")
    return 1 if wrong else 0
