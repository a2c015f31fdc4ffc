"""benchmarks/seeds.py: intervals, spreads, floating point of joined networks, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from programs import Program, program_module
from written_graphs import chain_graph

from mksgn.commands.train_net import train_net
from mksgn.commands.train_options import Options
from mksgn.data.sources import load
from mksgn.netx import write_net
from mksgn.training.joining import join
from mksgn.training.network_file import read_meta

PATH = "benchmarks/seeds.py"
PROGRAM = PATH
CHANGES = {"run-1": {"seed": 0}, "run-2": {"seed": 1}, "longer": {"seed": 0, "frames": 12}}


@pytest.fixture(scope="module")
def runs(pack_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that differ in their seed, one of other frames, and a pair of the two, all in one folder."""
    folder = tmp_path_factory.mktemp("seeds")
    for name, change in CHANGES.items():
        given = {"frames": 8, **change}
        train_net(Options(data=str(pack_path), widths=(8, 8, 8), epochs=1, tune_epochs=0, batch=24, time_steps=1,
                          device="cpu", out=folder / name, **given))
    join([folder / "run-1", folder / "run-2"], load(str(pack_path)), pack_path.name, folder)
    return folder


@pytest.mark.parametrize("known", [0.0, 0.3, 0.92, 1.0])
def test_the_interval_is_that_of_a_binomial(known: float) -> None:
    """Of 0 and 1, a bootstrap sample's sum is binomial: 1.96 standard errors on both sides, about."""
    right = (np.arange(400) < round(400 * known)).astype(np.float64)
    with program_module(PATH) as seeds:
        low, high = seeds.interval(right)
    wide = 1.96 * np.sqrt(known * (1 - known) / 400)
    np.testing.assert_allclose([low, high], [known - wide, known + wide], atol=0.004)


def test_means_and_spreads_by_hand() -> None:
    first, second = (np.array(values, bool) for values in ([1, 1, 0, 0], [1, 1, 1, 0]))
    with program_module(PATH) as seeds:
        found = seeds.figures([first, second], slice(None))
        part = seeds.figures([first, second], np.array([False, False, True, True]))
        assert seeds.figures([first, None], slice(None)) is None
    assert found["accuracy"] == 0.625 and found["samples"] == 4
    assert found["deviation"] == pytest.approx(0.125 * np.sqrt(2))
    assert part["accuracy"] == 0.25 and part["samples"] == 2
    assert found["interval"][0] < 0.625 < found["interval"][1]


def test_two_seeds_and_their_mean(program: Program, runs: Path, pack_path: Path, tmp_path: Path) -> None:
    figures, page = tmp_path / "seeds.json", tmp_path / "seeds.md"
    outcome = program("--data", pack_path, "--run", runs / "run-1", runs / "run-2", "--json", figures,
                      "--markdown", page)
    assert outcome.code == 0, outcome.err
    one, two, mean = json.loads(figures.read_text())["rows"]
    for name, row in zip(("run-1", "run-2"), (one, two)):
        meta = read_meta(runs / name / "weights.safetensors")
        assert (row["run"], row["seed"]) == (name, CHANGES[name]["seed"]) and row["synops"] > 0
        assert row["float"]["accuracy"] == pytest.approx(meta["accuracy_float"])
        assert row["integers"]["accuracy"] == pytest.approx(meta["accuracy_integer"])
    assert mean["run"] == "mean of 2" and "mean of 2" in page.read_text()
    both = [row["integers"]["accuracy"] for row in (one, two)]
    assert mean["integers"]["accuracy"] == pytest.approx(np.mean(both))
    assert mean["integers"]["deviation"] == pytest.approx(np.std(both, ddof=1))


def test_networks_are_kept_without_their_folders(program: Program, runs: Path, pack_path: Path,
                                                 tmp_path: Path) -> None:
    """Whoever measures seed by seed gets the table of all at once; a run named again replaces its row."""
    figures, both = tmp_path / "seeds.json", tmp_path / "both.json"
    assert program("--data", pack_path, "--run", runs / "run-2", "--json", figures).code == 0
    for _ in range(2):
        outcome = program("--data", pack_path, "--run", runs / "run-1", "--keep", figures, "--json", figures)
        assert outcome.code == 0, outcome.err
    assert program("--data", pack_path, "--run", runs / "run-1", runs / "run-2", "--json", both).code == 0
    assert json.loads(figures.read_text())["rows"] == json.loads(both.read_text())["rows"]
    alone = program("--data", pack_path, "--keep", figures)
    assert alone.code == 0 and "mean of 2" in alone.out
    outcome = program("--data", pack_path, "--run", runs / "longer", "--keep", figures)
    assert outcome.code == 2 and "more than their seed" in outcome.err
    assert program("--data", pack_path).code == 2
    figures.write_text("{}")
    broken = program("--data", pack_path, "--keep", figures)
    assert broken.code == 2 and "Traceback" not in broken.err


def test_a_pair_has_the_floating_point_of_its_members(program: Program, runs: Path, pack_path: Path,
                                                      tmp_path: Path) -> None:
    """And none where a member's is gone."""
    assert program("--data", pack_path, "--run", runs, "--json", tmp_path / "pair.json").code == 0
    (pair,) = json.loads((tmp_path / "pair.json").read_text())["rows"]
    assert pair["float"] is not None and pair["float"]["deviation"] is None
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "mksgn.net").write_bytes((runs / "mksgn.net").read_bytes())
    assert program("--data", pack_path, "--run", bare, "--json", tmp_path / "bare.json").code == 0
    (without,) = json.loads((tmp_path / "bare.json").read_text())["rows"]
    assert without["float"] is None and without["integers"] == pair["integers"]


@pytest.mark.parametrize(("names", "message"), [
    (("run-1", "longer"), "differ in more than their seed"), (("run-1", "nowhere"), "no finished run")])
def test_runs_that_do_not_belong_together_are_refused(program: Program, runs: Path, pack_path: Path, names: tuple,
                                                      message: str) -> None:
    outcome = program("--data", pack_path, "--run", *(runs / name for name in names))
    assert outcome.code == 2 and message in outcome.err and "Traceback" not in outcome.err


def test_a_network_that_nobody_trained_is_refused(program: Program, pack_path: Path, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    write_net(chain_graph(), tmp_path / "made" / "mksgn.net")
    outcome = program("--data", pack_path, "--run", tmp_path / "made")
    assert outcome.code == 2 and "how it was trained" in outcome.err and "Traceback" not in outcome.err


def test_other_data_is_refused(program: Program, runs: Path, tmp_path: Path) -> None:
    outcome = program("--data", tmp_path / "other.npz", "--run", runs / "run-1")
    assert outcome.code == 2 and "other data" in outcome.err
