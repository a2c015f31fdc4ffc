"""Tables and remarks of benchmarks/pilotnet.py, all from its record: on the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from mksgn.energy.costs import Range

Record = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """A table. ``bold`` is the number of its first rows that hold measured figures."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    bold: int = 0

    def rich(self) -> Table:
        table = Table(*self.header, title=self.title, title_justify="left")
        for number, row in enumerate(self.rows):
            table.add_row(*row, style="bold" if number < self.bold else "")
        return table

    def markdown(self) -> str:
        lines = ["| " + " | ".join(self.header) + " |", "|" + "---|" * len(self.header)]
        for number, row in enumerate(self.rows):
            cells = [f"**{cell}**" for cell in row] if number < self.bold else row
            lines.append("| " + " | ".join(cells) + " |")
        return f"{self.title}\n\n" + "\n".join(lines)


def span(pair: Sequence[float] | None) -> str:
    """A range of the record, or a dash."""
    return "–" if pair is None else str(Range(*pair))


def tables(record: Record) -> list[Rows]:
    """Everything that is printed."""
    return [layers(record), *(models(record, name) for name in record["placements"]), terms(record), inputs(record)]


def layers(record: Record) -> Rows:
    """Events and cores of every population."""
    names = list(record["placements"])
    rows = []
    for row in record["layers"]:
        recorded = "–" if row["recorded_spikes"] is None else f"{row['recorded_spikes']:,}"
        rows.append((row["population"], f"{row['neurons']:,}", f"{row['rate']:.4f}", f"{row['spikes']:,}", recorded,
                     f"{row['synops']:,}", *(f"{row['cores'][name]:.3g}" for name in names)))
    total = [sum(row[key] for row in record["layers"]) for key in ("neurons", "spikes", "synops")]
    rows.append(("all", f"{total[0]:,}", "", f"{total[1]:,}", "", f"{total[2]:,}",
                 *(str(record["placements"][name]["cores"]) for name in names)))
    differ = sum(row["neurons_that_differ"] or 0 for row in record["layers"])
    return Rows(f"One frame, {record['steps']} steps: events counted by the emulator, and cores. Neurons whose number "
                f"of spikes differs from the recording: {differ}.",
                ("population", "neurons", "rate", "spikes", "recorded", "synops into it",
                 *(f"cores: {name}" for name in names)), rows)


def models(record: Record, name: str) -> Rows:
    """Every model on one placement, beside the measurement."""
    published, placement = record["published"], record["placements"][name]

    def figure(pair: Sequence[float] | None, error: Sequence[float] | None, best: float | None) -> str:
        spread = span(pair) if error is None else f"{span(pair)} (×{span(error)})"
        return spread if best is None else f"{span([best, best])}: {spread}"

    rows = [("measured on Loihi 2", f"{published['step_us']:.1f}", f"{published['samples_per_s']:.1f}",
             *(f"{published[key]:.3f}" for key in ("dynamic_mj", "static_mj", "total_mj")))]
    for row in placement["models"]:
        pace, error, best = row["streaming"] or {}, row["error_factor"], row.get("middle", {})
        rows.append((row["model"], span(row["step"] and row["step"]["us"]),
                     figure(pace.get("samples_per_s"), error["samples_per_s"], best.get("samples_per_s")),
                     figure(row["dynamic_mj"], error["dynamic_mj"], best.get("dynamic_mj")),
                     figure(pace.get("static_mj"), error["static_mj"], best.get("static_mj")),
                     figure(pace.get("total_mj"), error["total_mj"], best.get("total_mj"))))
    chips = "one chip" if placement["chips"] == 1 else f"{placement['chips']} chips"
    fits = "" if not placement["does_not_fit"] else ". Our mapper says that it does not fit (see below)"
    return Rows(f"Placement: {name}. {placement['cores']} cores, {chips} of {record['board']}; "
                f"published: {published['cores']} cores{fits}. (×): modelled / measured. Before a colon: the best "
                "estimate.",
                ("model", "step, µs", "samples/s", "dynamic, mJ", "static, mJ", "total, mJ"), rows, bold=1)


def terms(record: Record) -> Rows:
    """Dynamic energy by kind of event, on the compiler's placement."""
    found = next(iter(record["placements"].values()))["models"]
    names = dict.fromkeys(name for row in found for name, pair in row["terms_mj"].items() if pair[1] > 0)
    rows = [(name, *(span(row["terms_mj"][name]) if row["terms_mj"].get(name, (0, 0))[1] else "–" for row in found))
            for name in names]
    return Rows("Dynamic energy by kind of event, mJ, on the compiler's placement.",
                ("", *(row["model"] for row in found)), rows)


def inputs(record: Record) -> Rows:
    """Costs with the frame dimmed."""
    rows = [(f"{row['factor']:g}", f"{row['input_rate']:.3f}", f"{row['conv_rate']:.3f}", f"{row['synops']:,}",
             span(row["dynamic_mj"]), span(row["samples_per_s"])) for row in record["inputs"]]
    return Rows("The frame dimmed, loihi1 on the compiler's placement.",
                ("frame ×", "rate, layer_0", "rate, layer_1", "synops", "dynamic, mJ", "samples/s"), rows)


def notes(record: Record) -> list[str]:
    """Sentences on what the comparison shows and what it does not."""
    published = record["published"]
    found = {row["model"]: row for row in record["placements"]["compiler's"]["models"]}
    loihi1, fitted, divided = found["loihi1"], found["loihi1-fitted"], found["loihi1-intel-factors"]
    energy, rate = ([min(row[key][0] for row in record["inputs"]), max(row[key][1] for row in record["inputs"])]
                    for key in ("dynamic_mj", "samples_per_s"))
    dynamic_w = published["total_w"] - published["static_w"]
    misses = [1 / found[name]["error_factor"]["dynamic_mj"][0] for name in ("horowitz-fp32", "horowitz-int8")]
    return [
        "Input: a frame of the same driving data, the one in lava-dl's tests; whether it is the tutorial's is unknown. "
        f"Dimming it moves loihi1's dynamic energy within {span(energy)} mJ, its rate within {span(rate)} samples/s. "
        "A darker frame is not always less work: the first convolution then fires on its bias.",
        f"Dynamic energy: loihi1 gives {span(loihi1['error_factor']['dynamic_mj'])} times the measured one. That does "
        "not validate its constants. They are simulated minima of another chip on another process (14 nm, not Intel "
        f"4). The measured {dynamic_w:.3f} W also feed the embedded processors and whatever else runs with the cores. "
        "No model here contains those. Two errors that cancel look the same.",
        f"loihi1-fitted spans {span(fitted['error_factor']['dynamic_mj'])}; this network is convolutional, to which "
        "the low end of its synaptic energy belongs.",
        f"Operations alone (horowitz) miss the measurement {misses[0]:.0f}-fold and {misses[1]:.0f}-fold. With memory "
        f"accesses (lemaire, 45 nm) the result is {span(found['lemaire']['error_factor']['dynamic_mj'])} times it.",
        f"Time: the compiler's placement takes {span(loihi1['step']['us'])} µs per step by loihi1 and "
        f"{span(divided['step']['us'])} µs with Intel's speed factors; measured are {published['step_us']:.1f} µs, "
        "between the two. The measured step contains the processors' share of it. The same notebook's earlier run on "
        f"another board had {published['other_run_per_s']:.0f} samples/s.",
        f"Static energy is power × time, and both differ: Loihi 1 leaks 0.104 W per chip by its table, this Loihi 2 "
        f"{published['static_w']:.3f} W.",
        "Our mapper's placements were never on a chip: their times cannot be held against the measured one.",
        *(f"By our mapper's limits the placement \"{name}\" does not fit ({problem})."
          + (" It ran on the chip: the limit is stricter than the chip's." if name == "compiler's" else "")
          for name, placement in record["placements"].items() for problem in placement["does_not_fit"]),
    ]


def markdown(record: Record) -> str:
    """The results page."""
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    parts = [
        "# PilotNet LIF: cost models against a measurement on Loihi 2",
        "    python benchmarks/pilotnet.py --results benchmarks/results/pilotnet.md",
        f"{versions}; python {record['python']}; {record['commit']}. Measured: lava-dl's tutorial "
        "`netx/pilotnet_snn/benchmark.ipynb`\n(commit dad9dfad9d81), one Loihi 2 on the board Oheo Gulch, 10,000 steps "
        "of one frame that stays on the chip.\nEverything outside the bold rows is counted by the emulator or "
        "modelled; no constant but those of loihi2-fitted was fitted to this measurement.\n"
        "The models: [docs/energy.md](../../docs/energy.md).",
        *(table.markdown() for table in tables(record)),
        "## What this shows and what it does not",
        "\n".join(f"- {note}" for note in notes(record)),
    ]
    return "\n\n".join(parts) + "\n"
