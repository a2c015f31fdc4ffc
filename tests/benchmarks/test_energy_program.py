"""benchmarks/energy.py from end to end on a small net: what it counts, prices, places and writes."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from programs import Outcome, Program, graph_for, run_program
from report_document import Document

from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.energy import paper_energy_mj
from mksgn.ir import Graph
from mksgn.mapping.packing import OBJECTIVES
from mksgn.netx import read_net, write_net

PROGRAM = "benchmarks/energy.py"
SAMPLES = 6


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MK-SGN, untrained, two small layers."""
    path = tmp_path_factory.mktemp("nets") / "small.net"
    write_net(graph_for(synthetic_pack(12), "synthetic", network="mksgn"), path)
    return path


class Whole(NamedTuple):
    """A run, and the folder that holds its ``out.json``, ``out.csv`` and ``out.html``."""

    outcome: Outcome
    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        return json.loads((self.folder / "out.json").read_text())


@pytest.fixture(scope="module")
def whole(net: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The run that most tests read: everything that the program writes."""
    folder = tmp_path_factory.mktemp("whole")
    files = [word for kind, option in (("json", "--json"), ("csv", "--csv"), ("html", "--report"))
             for word in (option, folder / f"out.{kind}")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        outcome = run_program(PROGRAM, "--net", net, "--samples", SAMPLES, *files)
    assert outcome.code == 0, outcome.err
    return Whole(outcome, folder)


def silenced(graph: Graph) -> Graph:
    """The same net with neurons that cannot fire."""
    quiet = tuple(p if p.role != "hidden" or p.neuron is None else
                  replace(p, neuron=replace(p.neuron, vth=(1 << 17) - 1), bias=None) for p in graph.populations)
    return Graph(quiet, graph.synapses, graph.time_steps, graph.meta)


def test_the_record_adds_up(whole: Whole, net: Path) -> None:
    record = whole.record
    graph = read_net(net)
    assert record["run"]["samples"] == SAMPLES and record["run"]["backend"] == "emulator"
    totals = record["totals"]
    assert totals["synops"] == pytest.approx(sum(row["synops"] for row in record["synapses"]))
    assert totals["spikes"] == pytest.approx(sum(row["spikes"] for row in record["populations"][1:]))
    neurons = sum(p.size for p in graph.populations[1:])
    assert totals["updates_active"] + totals["updates_idle"] == pytest.approx(4 * neurons)
    assert record["net"]["title"] == "MK-SGN, joint, T = 4" and record["net"]["name"].endswith("/small.net")
    for key in ("neurons", "counted", "updates_active", "updates_idle"):
        expected = totals[key] if key != "counted" else totals["synops"] + totals["macs"]
        assert sum(row[key] for row in record["layers"]) == pytest.approx(expected)
    assert sum(row["expected"] for row in record["layers"]) == pytest.approx(
        record["paper"]["sops"] + record["paper"]["first_layer_macs"])
    assert np.mean(record["samples"]["synops"]) == pytest.approx(totals["synops"])
    for row in record["synapses"]:
        assert row["ratio"] is None or row["ratio"] == pytest.approx(np.prod(list(row["causes"].values())))
        if row["theoretical_sops"]:
            assert row["synops"] == pytest.approx(row["ratio"] * row["theoretical_sops"])
        elif row["macs"]:
            assert row["macs"] == pytest.approx(row["ratio"] * row["flops"])
    # Placed: nothing lost between the network and its cores.
    cores = record["mapping"]["core_list"]
    assert sum(core["synops"] for core in cores) == pytest.approx(totals["synops"] + totals["macs"])
    assert sum(core["neurons"] for core in cores) == neurons
    traffic = record["mapping"]["traffic"]
    assert traffic["spikes"] == pytest.approx(totals["spikes"])
    arriving = sum(core["messages_in"] for core in cores)
    assert traffic["messages"] < arriving <= traffic["messages"] + traffic["from_host"] * len(cores)
    for model in record["cost_models"]:
        for bound in (0, 1):
            by_term = sum(value[bound] for value in model["breakdown_mj"].values())
            assert by_term == pytest.approx(model["dynamic_mj"][bound])
            assert sum(v[bound] for v in model["by_layer_mj"].values()) <= by_term * (1 + 1e-9)
    priced = {model["name"]: model for model in record["cost_models"]}
    energy = (0.9 * totals["synops"] + 4.6 * totals["macs"]) * 1e-9
    assert priced["horowitz-fp32"]["dynamic_mj"] == pytest.approx([energy] * 2)
    assert sum(map(sum, record["confusion"]["matrix"])) == SAMPLES
    rows = list(csv.DictReader((whole.folder / "out.csv").open()))
    assert len(rows) == len(graph.populations) + len(graph.synapses)
    assert sum(float(row["synops"] or 0) for row in rows) == pytest.approx(totals["synops"])


@pytest.mark.lava()
def test_lava_counts_the_same(whole: Whole, program: Program, net: Path) -> None:
    assert program("--net", net, "--samples", SAMPLES, "--backend", "lava", "--json", "lava.json").code == 0
    emulated, lava = whole.record, json.loads(Path("lava.json").read_text())
    for section in ("totals", "populations", "synapses", "layers", "paper", "cost_models", "samples", "confusion"):
        assert lava[section] == emulated[section], section


def test_terminal_and_page_show_the_same_figures(whole: Whole, program: Program, net: Path, tmp_path: Path) -> None:
    """Of every objective: ratios, rates, messages and energies that the terminal prints stand on the page."""
    used = {}
    other = Whole(program("--net", net, "--samples", SAMPLES, "--objective", "cores", "--json", "out.json", "--report",
                          "out.html"), tmp_path)
    assert other.outcome.code == 0, other.outcome.err
    for objective, (outcome, folder) in (("time", whole), ("cores", other)):
        record, words = Whole(outcome, folder).record, Document((folder / "out.html").read_text()).text
        mapping = record["mapping"]
        assert mapping["objective"] == objective
        assert f"--objective {objective}, {OBJECTIVES[objective]}" in outcome.out
        assert f"for {OBJECTIVES[objective]} ( --objective {objective} )" in words
        messages = f"{mapping['traffic']['messages']:,.0f} messages to cores"
        assert messages in outcome.out and messages in words
        for row in record["layers"]:
            assert f"{row['expected']:,.0f}" in outcome.out and f"{row['expected']:,.0f}" in words
            if row["rate"] is not None:
                assert f"{row['rate']:.4f}" in outcome.out and f"{row['rate']:.4f}" in words
        assert all(model["name"] in outcome.out and model["title"] in words for model in record["cost_models"])
        assert f"Clip {record['example']['name']}" in words
        used[objective] = mapping["cores"]
    assert used["cores"] < used["time"]


def test_a_recipe_that_cannot_be_read_is_one_error(program: Program, net: Path) -> None:
    graph = read_net(net)
    write_net(Graph(graph.populations, graph.synapses, graph.time_steps, {**graph.meta, "recipe": "{}"}), Path("b.net"))
    outcome = program("--net", "b.net", "--samples", 1)
    assert outcome.code == 2 and "the recipe stored in the net cannot be read" in outcome.err


def test_the_page_is_written_whole(whole: Whole) -> None:
    text = (whole.folder / "out.html").read_text()
    assert text.startswith("<!doctype html>") and text.rstrip().endswith("</html>")
    assert len(text) < 3e6 and "http://" not in text.replace("http://www.w3.org", "")
    assert {path.name for path in whole.folder.iterdir()} == {"out.json", "out.csv", "out.html"}


def test_silence_is_an_honest_zero(program: Program, net: Path, tmp_path: Path) -> None:
    write_net(silenced(read_net(net)), tmp_path / "silent.net")
    outcome = program("--net", "silent.net", "--samples", 2, "--json", "r.json", "--report", "r.html")
    assert outcome.code == 0, outcome.err
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["totals"]["spikes"] == record["totals"]["synops"] == record["paper"]["sops"] == 0
    assert record["totals"]["macs"] > 0, "the graded input still arrives"
    assert record["totals"]["updates_active"] > 0, "the coder integrates it"
    loihi = next(model for model in record["cost_models"] if model["name"] == "loihi1")
    assert "synops" not in loihi["breakdown_mj"] and loihi["static_mj"][0] > 0


@pytest.mark.parametrize(("arguments", "message"), [
    (("--net", "missing.net"), "missing.net"),
    (("--cost", "no-such-model"), "no-such-model"),
    (("--cost", "prices.toml"), "prices.toml"),
    (("--board", "no-such-board"), "no-such-board"),
    (("--samples", "-1"), "negative"),
    (("--board", "tiny.toml"), "does not fit on this board"),
    (("--json", "nowhere/r.json"), "nowhere"),
    (("--json", "r.json", "--csv", "r.json"), "one file"),
    (("--backend", "loihi2"), "INRC"),
])
def test_bad_input_is_one_error(program: Program, net: Path, tmp_path: Path, arguments: tuple[str, ...],
                                message: str) -> None:
    (tmp_path / "prices.toml").write_text('title = "t"\nabout = "a"\nbase = "loihi1"\n[energy.synop]\nvalue = -1\n'
                                          'unit = "pJ"\nsource = "s"\nbasis = "assumed"\n')
    (tmp_path / "tiny.toml").write_text('[tiny]\nbase = "oheo-gulch"\ncores_per_chip = 1\nrouter_mesh = [1, 1]\n')
    given = arguments if "--net" in arguments else ("--net", net, "--samples", 1, *arguments)
    outcome = program(*given)
    assert outcome.code == 2 and message in outcome.err and outcome.err.startswith("error: ")
    assert not (tmp_path / "r.json").exists()


def test_the_emulator_and_the_page_agree_with_the_library(whole: Whole, net: Path) -> None:
    """The program's figures are those of the library on the same samples."""
    record = whole.record
    from mksgn.programs.samples import find_data, select

    graph = read_net(net)
    chosen = select(graph, net, find_data(graph, net, None), None, None, SAMPLES)
    with Emulator(graph) as emulator:
        counts = emulator.run(chosen.x).counts
    assert record["paper"]["energy_mj"] == paper_energy_mj(graph, counts).energy_mj
    assert record["totals"]["updates_active"] == sum(counts.active.values()) / SAMPLES
