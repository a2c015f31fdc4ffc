"""The tables of accuracy.py in the paper's order, beside its figures: for a terminal, Markdown and docs/results.md."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from _accuracy_rows import Row
from rich.table import Table

from mksgn.energy.printed import TABLE1, TABLE3, PrintedRow
from mksgn.errors import ConfigError
from mksgn.report.network_names import NAMES, short_name, short_parts

COLUMNS = ("network", "modalities", "taught", "variant", "runs", "params (M)", "top-1", "clean", "float",
           "synops (M)", "Eq. 33 SOPs (M)", "Eq. 34 (mJ)", "counted (mJ)", "paper: top-1", "params (M)", "SOPs (M)",
           "mJ")
BEGIN, END = "<!-- accuracy.py: begin -->", "<!-- accuracy.py: end -->"


def group_key(row: Row) -> tuple[Any, ...]:
    """Runs with the same key differ in their seed only."""
    return row["network"], tuple(row["modalities"]), row["distilled"], row["variant"], tuple(row["epochs"])


def grouped(rows: list[Row]) -> list[list[Row]]:
    """Rows that differ in their seed only, together, in the order they came."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[group_key(row)].append(row)
    return list(groups.values())


def figure(group: list[Row], name: str, scale: float, digits: int) -> str:
    """Mean of a figure over a group, with its standard deviation where there are several; '-' where it has none."""
    values = [row[name] * scale for row in group if row[name] is not None]
    if not values:
        return "-"
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


def cells(group: list[Row]) -> list[str]:
    """The text of a group's line."""
    first = group[0]
    names = "all four" if len(first["modalities"]) == 4 else ", ".join(first["modalities"])
    floating, tuned = first["epochs"]
    variant = f"{first['variant']}, {floating}{f' + {tuned}' if tuned else ''} epochs"
    return [first["network"], names, "yes" if first["distilled"] else "no", variant, str(len(group)),
            figure(group, "parameters", 1e-6, 3), figure(group, "accuracy", 100, 2),
            figure(group, "accuracy_clean", 100, 2), figure(group, "float", 100, 2), figure(group, "synops", 1e-6, 1),
            figure(group, "sops", 1e-6, 1), figure(group, "paper_mj", 1, 4), figure(group, "counted_mj", 1, 4)]


def printed(row: PrintedRow | None) -> list[str]:
    """The paper's figures of a row."""
    if row is None:
        return ["-"] * 4
    accuracy = " / ".join(str(value) for value in row.accuracy.values())
    sops = "-" if row.ops_g is None or row.kind == "ANN" else f"{float(row.ops_g) * 1000:g}"
    parameters, power = ("-" if value is None else str(value) for value in (row.parameters_m, row.power_mj))
    return [accuracy, parameters, sops, power]


def matches(row: Row, paper: PrintedRow) -> bool:
    """Whether a run is of the network that the paper's row is of; Table 3's MK-SGN is the whole of it."""
    if row["network"] != paper.name:
        return False
    if paper.modalities is not None:
        return len(row["modalities"]) == paper.modalities and row["distilled"] == paper.distilled
    if paper.name == "MK-SGN":
        return len(row["modalities"]) == 4 and row["distilled"]
    return paper.kind == "SNN" or len(row["modalities"]) == 4


def table(rows: list[Row], paper: tuple[PrintedRow, ...]) -> list[list[str]]:
    """Lines in the paper's order; a network without a run has one line that says so."""
    lines = []
    for theirs in paper:
        groups = grouped([row for row in rows if matches(row, theirs)])
        taught = "yes" if theirs.distilled else "-"
        if not groups:
            which = "-" if theirs.modalities is None else str(theirs.modalities)
            groups_cells = [[theirs.name, which, taught, "not trained here", "0", *["-"] * 8]]
        else:
            groups_cells = [cells(group) for group in groups]
        lines += [[*ours, *printed(theirs)] for ours in groups_cells]
    return lines


def sections(rows: list[Row]) -> list[tuple[str, list[list[str]]]]:
    """(title, lines) of every table."""
    others = [row for row in rows if not any(matches(row, theirs) for theirs in (*TABLE1, *TABLE3))]
    found = [("Table 1, ablation: ours on NW-UCLA; the paper's columns are NTU RGB+D 60, X-Sub / X-View",
              table(rows, TABLE1)),
             ("Table 3, NW-UCLA: the networks that are built here",
              table(rows, tuple(row for row in TABLE3 if row.name in NAMES.values())))]
    if others:
        found.append(("Not in the paper's tables", [[*cells(group), *printed(None)] for group in grouped(others)]))
    return found


def terminal_table(title: str, lines: list[list[str]]) -> Table:
    """The same in 80 columns: several figures to a cell, each with its name."""
    shown = Table("network", "top-1, %", "per sample", "the paper", title=title, title_justify="left", show_lines=True)
    for line in lines:
        name, modalities, taught, variant, runs = line[:5]
        ours, theirs = dict(zip(COLUMNS[5:13], line[5:13])), line[13:]
        network = f"[bold]{name}[/], {modalities}" + (", taught" if taught == "yes" else "") + f"\n{variant}"
        figures = [f"{key} {value}" for key, value in ours.items() if value != "-"]
        paper = [f"{value}{unit}" for value, unit in zip(theirs, (" %", " M parameters", " M SOPs", " mJ"))
                 if value != "-"]
        accuracy = [text.removeprefix("top-1 ") for text in figures if text.startswith(("top-1", "clean", "float"))]
        events = [text for text in figures if not text.startswith(("top-1", "clean", "float"))]
        many = f"\n{runs} seeds" if int(runs) > 1 else ""
        shown.add_row(network + many, "\n".join(accuracy), "\n".join(events), "\n".join(paper))
    return shown


def markdown_table(lines: list[list[str]]) -> str:
    """A GitHub table."""
    head = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    return "\n".join(head + ["| " + " | ".join(line) + " |" for line in lines]) + "\n"


def as_markdown(rows: list[Row], command: str, curves: list[str]) -> str:
    """The file of benchmarks/results; ``command`` with its commit, ``curves`` the names of the drawings beside it."""
    counts = next((f"{row['samples']} test sequences, {row['samples_clean']} of them no copy of a training sequence"
                   for row in rows if row["samples_clean"]), "the test split")
    kept = "runs that the command does not name are kept from when they were measured"
    parts = ["# Accuracy", "", f"{command}; {kept}", "",
             f"Top-1 in per cent of the integers on {counts}; 'float' is before folding and rounding. Mean and "
             "standard deviation where there are several seeds. Events per sample, all time steps, counted by the "
             "emulator. An ANN's figures are floating point.", ""]
    if curves:
        parts += ["Learning curves (the loss of a taught network holds the soft labels, too): "
                  + ", ".join(f"[{name}]({name})" for name in curves) + ". Each is drawn while the folders of its "
                  "runs exist; a legend names networks, or runs, by the names at the end of this page.", ""]
    for title, lines in sections(rows):
        parts += [f"## {title}", "", markdown_table(lines)]
    return "\n".join([*parts, "## Which code trained and measured each run", "", origins(rows)])


def origins(rows: list[Row]) -> str:
    """A GitHub table of the commits of every row, and what it means where there is none."""
    lines = ["| run | network | seed | trained with | measured with |", "|---|---|---|---|---|"]
    for row in rows:
        seed, trained, measured = ("-" if row[key] is None else str(row[key]) for key in ("seed", "commit", "measured"))
        lines.append(f"| {row['run']} | {short_name(row)} | {seed} | {trained} | {measured} |")
    return "\n".join(["'-': the commit was not noted, or files were changed that no commit holds. Such a run cannot be "
                      "trained again to the bit. The networks of models/ are in the repository; the folders of the "
                      "other runs are not, and their rows cannot be measured again from it.", "", *lines]) + "\n"


def check_headline(names: tuple[str, ...], known: list[str]) -> None:
    """Every name must be a run's.

    Raises
    ------
    ConfigError
        When one is not.
    """
    for name in names:
        if name not in known:
            raise ConfigError("no row has this name", where="--headline", got=name, allowed=", ".join(known))


def headlines(rows: list[Row], names: tuple[str, ...]) -> list[Row]:
    """The rows whose runs are named, in that order, with the other seeds of each; all without names."""
    known = {row["run"]: group_key(row) for row in rows}
    keys = list(dict.fromkeys(known[name] for name in names)) or [group_key(row) for row in rows]
    return sorted((row for row in rows if group_key(row) in keys), key=lambda row: keys.index(group_key(row)))


def readme_table(rows: list[Row]) -> str:
    """The short table of docs/results.md: a line per network, and the paper's accuracy and energy on NW-UCLA."""
    columns = ("network", "modalities", "taught", "top-1, %", "clean, %", "the paper, %", "parameters (M)",
               "synops (M)", "Eq. 34 (mJ)", "the paper (mJ)")
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for group in grouped(rows):
        first, ours = group[0], cells(group)
        accuracy, _, _, power = printed(next((row for row in TABLE3 if matches(first, row)), None))
        seeds = [f"{len(group)} seeds"] if len(group) > 1 else []
        name = ", ".join([ours[0], *short_parts(first["variant"]), *seeds])
        lines.append("| " + " | ".join([name, ours[1], ours[2], ours[6], ours[7], accuracy, ours[5], ours[9], ours[11],
                                        power]) + " |")
    return "\n".join(lines) + "\n"


def replaced(text: str, new: str, where: Path) -> str:
    """``text`` with what stands between the marks replaced.

    Raises
    ------
    ConfigError
        When the marks are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError("this file has no place for the table", where=str(where), allowed=f"{BEGIN} ... {END}")
    return f"{before}{begin}\n{new}{end}{after}"
