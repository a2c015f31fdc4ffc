"""Which numbers of the paper's Tables 1-3 can be reproduced, which cannot, and by what factor.

    python benchmarks/paper_tables.py                             # all tables; under a minute on one core
    python benchmarks/paper_tables.py --layers CTR-GCN            # one network, layer by layer
    python benchmarks/paper_tables.py --json audit.json --markdown benchmarks/results/paper_tables.md

FLOPs (multiply-accumulates), parameters and energy of ST-GCN, 2s-AGCN, Shift-GCN, MS-G3D, CTR-GCN, Base-SGN,
Spikformer, Spike-driven Transformer and MK-SGN in the paper's configuration, twice: by formula from published layer
definitions, and, but for the two transformers, by counting what our modules and integer graphs do. The two must
agree exactly, or the exit code is 1. Accuracies are not looked at: nothing is trained here. docs/paper-audit.md says
what it means.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse


@dataclass(frozen=True)
class Options:
    """Which numbers of the paper's Tables 1-3 can be reproduced."""

    json: Path | None = None
    """Write all rows, and the layer table of every network, here."""
    markdown: Path | None = None
    """Write the tables here, as benchmarks/results/paper_tables.md."""
    layers: str | None = None
    """Print the layer table of this network only: name, kind, output, MACs, parameters."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from _paper_compare import comparisons
from _paper_sections import (
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
             "    python benchmarks/paper_tables.py --markdown benchmarks/results/paper_tables.md", "",
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


def main(options: Options) -> int:
    console = Console()
    if options.layers is not None:
        if options.json or options.markdown:
            raise ConfigError("--layers only prints", got="--layers with --json or --markdown",
                              fix="leave one of them out: the JSON file holds every layer table")
        show(console, layer_section(options.layers))
        return 0
    for path, option in ((options.json, "--json"), (options.markdown, "--markdown")):
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
    if options.json is not None:
        content: dict[str, Any] = {
            "rows": [row.as_json() for row in rows],
            "agreement": [{**asdict(item), "exact": item.exact} for item in found],
            "sections": [asdict(section) for section in sections], "layers": layer_tables(), **where}
        write_json(options.json, content)
    if options.markdown is not None:
        write_text(options.markdown, markdown(sections, where))
    wrong = [item.network for item in found if not item.exact]
    if wrong:
        console.print(f"[red]formula and counting disagree: {', '.join(wrong)}[/]")
    return 1 if wrong else 0


if __name__ == "__main__":
    with exit_on_error():
        sys.exit(main(given))
