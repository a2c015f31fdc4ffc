"""Tables, page and picture of benchmarks/hardware_truth.py, all from its record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from _pilotnet_report import Rows
from _truth_svg import Panel, Point, svg_of

from mksgn.energy.costs import Range

Record = dict[str, Any]
QUANTITIES = {"time": ("Time of a sample", "µs"), "dynamic": ("Dynamic energy of a sample", "mJ"),
              "static": ("Static power of a chip", "W")}


def tables(record: Record) -> list[Rows]:
    """Everything that is printed."""
    return [*(quantity(record, name) for name in QUANTITIES), cores(record), unexplained(record), constants(record),
            assumptions(record), left_out(record)]


def quantity(record: Record, name: str) -> Rows:
    """Published and modelled figures of one quantity, run by run."""
    title, unit = QUANTITIES[name]
    rows = [(row["run"], row["source"], "exact" if row["exact"] else "assumed", _number(row["published"]),
             _range(row["fitted"]), _range(row["held_out"]), f"×{row['factor']:.2f}",
             "yes" if row["held_out"][0] <= row["published"] <= row["held_out"][2] else "no")
            for row in record[name]]
    within = sum(0.5 <= row["factor"] <= 2 for row in record[name])
    return Rows(f"{title}, {unit}. {within} of {len(rows)} held-out runs within a factor of 2.",
                ("run", "source", "events", "published", "ours, fitted to all", "ours, held out",
                 "held out / published", "published in our range"), rows)


def cores(record: Record) -> Rows:
    """Cores of the networks of the compile logs, and how many of their printed figures our rules give."""
    rows = []
    for row in _networks(record):
        printed = [each for each in record["compile_logs"] if each["network"] == row["network"]]
        rows.append((row["network"], row["source"], _cell(row["published"]), _cell(row["ours"]),
                     f"×{row['ours'] / row['published']:.2f}",
                     f"{sum(each['explained'] for each in printed)} of {len(printed)}"))
    return Rows("Cores by Lava's compiler, and by our mapper with the objective lava. A figure is explained if it "
                "differs by one unit of its last digit at most.",
                ("network", "source", "published", "ours", "ours / published", "printed figures explained"), rows)


def unexplained(record: Record) -> Rows:
    """Printed figures of the compile logs that our rules do not give."""
    rows = [(row["network"], row["what"], _cell(row["published"]), _cell(row["ours"]), row["unit"], row["why"])
            for row in record["compile_logs"] if not row["explained"]]
    return Rows("Compile logs: figures that are not explained.",
                ("network", "figure", "published", "ours", "unit", "why"), rows)


def _networks(record: Record) -> list[dict[str, Any]]:
    """The rows of whole networks."""
    return [row for row in record["compile_logs"] if row["what"] == "cores in all"]


def constants(record: Record) -> Rows:
    """Fitted constants beside what is published of each."""
    rows = [(row["constant"], row["unit"], _range(row["fitted"]), _range(row["table"]),
             f"{_number(row['published'][0])}–{_number(row['published'][1])}", row["why"])
            for row in record["constants"]]
    return Rows("Constants: fitted, as the table loihi2-fitted has them, and the published figures that bound them.",
                ("constant", "unit", "fitted here", "loihi2-fitted", "bounds", "bounds from"), rows)


def assumptions(record: Record) -> Rows:
    """What is not published of the runs."""
    rows = [(row["run"], row["what"], f"{row['low']:,g}–{row['high']:,g}", row["why"]) for row in record["assumptions"]]
    rows += [(runs, what, "", "") for runs, what in record["stated"]]
    return Rows("Assumptions: between two values, the middle is their geometric mean.",
                ("runs", "what", "values", "why"), rows)


def left_out(record: Record) -> Rows:
    """Published runs that are no test."""
    return Rows("Left out.", ("run", "why"), [tuple(row) for row in record["left_out"]])


def markdown(record: Record, command: str) -> str:
    """The results page."""
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    parts = [
        "# Published runs on Loihi 2 against our models", f"    {command}",
        f"{versions}; python {record['python']}; {record['commit']}. \"Published\" is measured by others; all else is "
        "modelled.\nA held-out run is predicted by constants that were fitted to the runs of all other works. Ranges: "
        "middle (low–high).\nHow: [docs/energy.md](../../docs/energy.md).",
        "![Published against modelled figures](hardware_truth.svg)",
        *(f"## {table.markdown()}" if "\n\n" not in table.title else table.markdown() for table in tables(record)),
        "## What is not explained", "\n".join(f"- {note}" for note in notes(record))]
    return "\n\n".join(parts) + "\n"


def notes(record: Record) -> list[str]:
    """Sentences on what the tables show and what they do not."""
    outside = [f"{row['run']} (×{row['factor']:.2f})" for name in QUANTITIES for row in record[name]
               if not 0.5 <= row["factor"] <= 2]
    return [
        f"Outside a factor of 2: {', '.join(outside) or 'none'}.",
        "CLP-SNN takes longer than we say. Its learning, and the processors that hand samples over, are in its 0.33 ms "
        "and not in our model.",
        "A step of a chip takes 0.2 µJ or less by the keyword networks, and 0.6 µJ by the scaling study. The "
        "difference is larger than their events explain. The boards, the probes and the software differ.",
        "The autoencoder's energy depends on how many of the 16 chips step with it, which is not published.",
        "Static power grows with the cores in use: the fit to six runs says so, and agrees with the slope of the "
        "scaling study, which is not among them.",
        "Memory reads, neuron updates and messages are hardly seen in these runs: the ranges of their constants are "
        "those of the published bounds. No run of several chips could be rebuilt.",
    ]


def picture(record: Record) -> str:
    """The scatter plot."""
    names = list(dict.fromkeys(row["run"] for name in QUANTITIES for row in record[name]))
    panels = [Panel(*QUANTITIES[name], [Point(names.index(row["run"]) + 1, row["published"], *row["held_out"])
                                        for row in record[name]]) for name in QUANTITIES]
    networks = _networks(record)
    placed = [Point(len(names) + number, row["published"], *[row["ours"]] * 3)
              for number, row in enumerate(networks, start=1)]
    panels.append(Panel("Cores of a network", "cores", placed))
    return svg_of(panels, [*names, *(row["network"] for row in networks)])


def _number(value: float) -> str:
    return Range(value, value).text(3)


def _range(values: Sequence[float]) -> str:
    low, middle, high = values
    return Range(low, high, middle).best_text(3)


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:,.6g}"
