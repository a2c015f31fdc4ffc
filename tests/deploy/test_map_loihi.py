"""deploy/map_loihi.py from its command line: boards, activity, JSON, exit codes, and everything that can be wrong."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from programs import Program, graph_for
from random_graphs import dense_graph
from rich.console import Console
from typeguard import CollectionCheckStrategy, check_type
from written_graphs import block_graph

from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.ir import Conv, Cuba, Graph, Population
from mksgn.mapping import boards
from mksgn.mapping.activity import uniform_activity
from mksgn.mapping.schema import PlacementFile
from mksgn.netx import write_net
from mksgn.programs.placement import show_placement

PROGRAM = "deploy/map_loihi.py"


@pytest.fixture
def net(tmp_path: Path) -> Path:
    write_net(block_graph(), tmp_path / "block.net")
    return tmp_path / "block.net"


def board_file(folder: Path, **fields: object) -> Path:
    path = folder / "mine.toml"
    path.write_text('[mine]\nbase = "oheo-gulch"\n' + "".join(f"{k} = {json.dumps(v)}\n" for k, v in fields.items()))
    return path


def test_a_net_is_placed_and_told_of(program: Program, net: Path, tmp_path: Path) -> None:
    outcome = program("--net", net, "--json", tmp_path / "map.json")
    assert outcome.code == 0 and not outcome.err
    assert outcome.out.startswith("fits, every limit is kept: ")
    for text in ("on kapoho-point (Loihi 2, 8 chips of 120 cores)", "busiest core:", "traffic per sample:",
                 "--all prints a row for each of the", "assumed: chip_mesh = 2 x 4",
                 "assumed: activity: 0.1 spikes per neuron"):
        assert text in outcome.out
    told = json.loads((tmp_path / "map.json").read_text())
    check_type(told, PlacementFile, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    assert told["board"] == "kapoho-point" and told["cores"] == len(told["core_list"]) <= told["board_cores"]
    assert told["uniform_activity"] and told["problems"] == [] and told["latency_steps"] == 12
    neurons = {p.name: p.size for p in block_graph().populations[1:]}
    assert {row["population"]: row["neurons"] for row in told["layers"]} == neurons
    held = sum(np.prod([high - low for low, high in (slab["channels"], slab["frames"], slab["joints"])])
               for core in told["core_list"] for slab in core["slabs"])
    assert held == sum(neurons.values()) == sum(core["usage"]["neurons"] for core in told["core_list"])
    assert sum(row["cores"] for row in told["chip_list"]) == told["cores"]
    assert max(core["load_ms"] for core in told["core_list"]) == pytest.approx(told["busiest"]["load_ms"])
    assert sum(told["busiest"]["causes"].values()) == pytest.approx(told["busiest"]["load_ms"])
    assert told["sources"]["neurons"].startswith("lava-dl") and "chip_mesh" in told["assumed"]


def test_the_rows_of_all_populations_are_printed_on_demand(program: Program, net: Path) -> None:
    names = [population.name for population in block_graph().populations[1:]]
    short, long = program("--net", net), program("--net", net, "--all")
    assert short.code == long.code == 0
    rows = {line.split()[0] for line in long.out.splitlines() if line} - {line.split()[0] for line in
                                                                          short.out.splitlines() if line}
    assert rows == {"layer", *names}
    assert "--all prints" not in long.out and len(short.out.splitlines()) < 25


def test_the_summary_fits_80_columns() -> None:
    """On a terminal: whether it fits comes first, and no line of the summary is cut or wider."""
    from mksgn.mapping import place
    from mksgn.mapping.tables import record
    graph = block_graph()
    placement = place(graph, boards()["kapoho-point"])
    content = record(placement, placement.work(uniform_activity(graph, placement.steps)))
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None, highlight=False)
    show_placement(console, placement, content, False)
    lines = file.getvalue().splitlines()
    assert lines[0].startswith("fits") and max(map(len, lines)) <= 80
    assert "chip" in file.getvalue() and "\N{HORIZONTAL ELLIPSIS}" not in file.getvalue()


def test_activity_comes_from_a_run_or_a_file(program: Program, tmp_path: Path) -> None:
    pack = synthetic_pack()
    graph = graph_for(pack, "synthetic")
    write_net(graph, tmp_path / "net.net")
    outcome = program("--net", "net.net", "--data", "synthetic", "--samples", 5, "--json", "run.json")
    assert outcome.code == 0 and "5 of" in outcome.out and "none was given" not in outcome.out
    told = json.loads((tmp_path / "run.json").read_text())
    assert told["traffic"]["from_host"] > 0 and told["traffic"]["spikes"] > 0

    rng = np.random.default_rng(0)
    samples = rng.integers(-100, 100, (3, *graph.input.shape))
    with Emulator(graph) as emulator:
        counts = emulator.run(samples).counts
    np.savez(tmp_path / "act.npz", **counts.activity())
    assert program("--net", "net.net", "--activity", "act.npz", "--json", "act.json").code == 0
    told = json.loads((tmp_path / "act.json").read_text())
    assert told["traffic"]["from_host"] == pytest.approx(counts.spikes["input"] / 3)
    assert told["traffic"]["spikes"] == pytest.approx(
        sum(counts.spikes[p.name] for p in graph.populations[1:]) / 3)


def test_core_operations_sum_to_what_the_emulator_counted() -> None:
    from mksgn.mapping import place
    graph = graph_for(synthetic_pack(), "synthetic", network="mksgn")
    samples = np.random.default_rng(1).integers(-100, 100, (4, *graph.input.shape))
    with Emulator(graph) as emulator:
        counts = emulator.run(samples).counts
    placement = place(graph, boards()["kapoho-point"], counts.activity())
    work = placement.work({name: sent.astype(float) for name, sent in counts.sent.items()},
                          {name: float(number) for name, number in counts.active.items()})
    assert work.total("synops") == sum(counts.synops.values()) > 0
    assert work.total("macs") == sum(counts.macs.values()) > 0
    assert work.total("updates_active") == pytest.approx(sum(counts.active.values()))
    for synapse in graph.synapses:
        source = graph[synapse.sources[0]]
        met = sum(int((counts.sent[name] * synapse.fanout(source.shape, graph[synapse.target].shape)).sum())
                  for name in synapse.sources)
        assert met == counts.synops[synapse.name] + counts.macs[synapse.name]


def test_a_streamed_net_is_placed_and_held_against_the_clip(program: Program, tmp_path: Path) -> None:
    graph = graph_for(synthetic_pack(), "synthetic", network="mksgn")
    write_net(graph, tmp_path / "net.net")
    outcome = program("--net", "net.net", "--data", "synthetic", "--samples", 3, "--time", "stream", "--all",
                      "--objective", "cores", "--json", "stream.json")
    assert outcome.code == 0 and not outcome.err
    for text in ("fits, every limit is kept: ", "synapses by axonal (a message for each delay", "made by",
                 "assumed: delay price: accumulators: a neuron reached with delays up to d holds d + 1 accumulators",
                 "assumed: delays by axonal: ", "assumed: gate: ", "of it extra", "after last ms"):
        assert text in outcome.out
    told = json.loads((tmp_path / "stream.json").read_text())
    check_type(told, PlacementFile, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    clip, stream = told["both_ways"]
    assert (clip["time"], stream["time"]) == ("clip", "stream") and told["delay_price"] == "accumulators"
    assert stream["cores"] == told["cores"] < clip["cores"] and stream["operations"] == clip["operations"] > 0
    assert stream["extra"]["updates_at_rest"] > 0 == clip["extra"]["updates_at_rest"]
    assert told["delays"] and all(row["realisation"] in row["takes"] for row in told["delays"])
    free = program("--net", "net.net", "--time", "stream", "--delay-price", "free", "--objective", "cores", "--json",
                   "free.json")
    assert free.code == 0 and "assumed: delay price: free" in free.out
    assert json.loads((tmp_path / "free.json").read_text())["cores"] <= told["cores"]


def test_a_net_that_does_not_fit_is_placed_and_ends_with_1(program: Program, net: Path, tmp_path: Path) -> None:
    mine = board_file(tmp_path, neurons=64, neuron_groups=0, cores_per_chip=6)
    outcome = program("--net", net, "--board", mine, "--objective", "cores")
    assert outcome.code == 1 and not outcome.err
    line = next(line for line in outcome.out.splitlines() if line.startswith("does not fit: network: chips"))
    for text in ("at most 1", "the board oheo-gulch (1 chips)", "instead of 6 frames"):
        assert text in line
    chips = int(line.split("chips ")[1].split(",")[0])
    assert f"on {chips} chips" in outcome.out and chips > 1
    assert "assumed: neurons = 64: the board file names no source" in outcome.out


def test_loihi_1_takes_no_graded_input(program: Program, net: Path) -> None:
    outcome = program("--net", net, "--board", "loihi-1")
    assert outcome.code == 1
    assert "population 'in': message_bits 8, at most 0. send spikes: code the values on the host" in outcome.out


def test_a_net_larger_than_any_board_is_one_error(program: Program, tmp_path: Path) -> None:
    shape = (64, 512, 1024)
    graph = Graph((Population("in", shape, role="input"), Population("big", shape, Cuba(9))),
                  (Conv("s", ("in",), "big", np.full((64, 1, 1, 1), 2, np.int16), groups=64),), 4)
    write_net(graph, tmp_path / "big.net")
    mine = board_file(tmp_path, generation="mine", neurons=100, cores_per_chip=8)
    outcome = program("--net", "big.net", "--board", mine)
    assert outcome.code == 2 and not outcome.out
    assert outcome.err.startswith("error: the net is larger than any known mine board")
    assert f"{-(-64 * 512 * 1024 // 100 // 8):,} chips" in outcome.err and "8 cores, 1 chips" in outcome.err


def test_a_net_without_steps_takes_them_from_the_command_line(program: Program, tmp_path: Path) -> None:
    from dataclasses import replace
    write_net(replace(dense_graph(1), time_steps=None), tmp_path / "n.net")
    assert program("--net", "n.net", "--steps", 16).code == 0
    outcome = program("--net", "n.net")
    assert outcome.code == 2 and "no number of steps per sample" in outcome.err


@pytest.mark.parametrize(("arguments", "message"), [
    (("--board", "moon"), "there is no such board"), (("--board", "none.toml"), "cannot be read"),
    (("--samples", "5"), "no effect without --data"), (("--data", "synthetic", "--activity", "a.npz"), "two places"),
    (("--data", "synthetic", "--samples", "-1"), "is negative"), (("--json", "no/where.json"), "does not exist"),
    (("--activity", "none.npz"), "activity cannot be read"), (("--activity", "text.npz"), "activity cannot be read"),
    (("--activity", "array.npz"), "activity cannot be read"), (("--activity", "short.npz"), "is missing"),
    (("--steps", "3"), "of its own"), (("--delay-price", "free"), "no effect with --time clip"),
    (("--delays", "stock"), "no effect with --time clip"),
    (("--time", "stream", "--delay-price", "dear"), "no price of a delay"),
    (("--time", "stream", "--delays", "magic"), "cannot be made in this way"),
    (("--time", "stream"), "streamed"), (("--data", "synthetic"), "does not say how skeletons become its input")])
def test_bad_options_are_one_error_and_exit_code_2(program: Program, net: Path, tmp_path: Path,
                                                   arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "text.npz").write_text("no zip")
    with (tmp_path / "array.npz").open("wb") as stream:
        np.save(stream, np.zeros(3))
    np.savez(tmp_path / "short.npz", coder=np.zeros((4, 6, 4)))
    outcome = program("--net", net, *arguments)
    assert outcome.code == 2 and message in outcome.err and outcome.err.startswith("error: ")
    assert not list(tmp_path.glob("*.json"))


def test_help_names_every_board(program: Program) -> None:
    outcome = program("--help")
    assert outcome.code == 0
    for name in boards():
        assert name in outcome.out
    assert "--objective" in outcome.out


def test_the_boards_benchmark_prints_and_writes_its_table(capsys: pytest.CaptureFixture[str], tmp_path: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program("benchmarks/map_boards.py", capsys, monkeypatch, tmp_path)
    outcome = program("--only", "shipped", "--data", "synthetic", "--samples", 2, "--boards", "kapoho-point",
                      "oheo-gulch", "--objectives", "cores", "--json", "rows.json", "--markdown", "rows.md")
    assert outcome.code == 0
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert [(row["board"], row["fits"]) for row in rows] == [("kapoho-point", "yes"), ("oheo-gulch", "no: chips")]
    assert rows[0]["cores"] == rows[1]["cores"]
    for row in rows:
        assert row["its load, ms"] >= row["mean load, ms"] > 0
        assert row["messages between chips"] <= row["filled in order"]
        assert f"| shipped | {row['board']} | cores | {row['cores']:,} |" in (tmp_path / "rows.md").read_text()
