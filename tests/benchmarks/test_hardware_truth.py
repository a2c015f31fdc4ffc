"""benchmarks/hardware_truth.py: published runs, the fit of the Loihi 2 table to them, and each run held out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest
from programs import Program, program_module

from mksgn.energy.costs import Range, cost_models
from mksgn.errors import ConfigError
from mksgn.extras import SLAYER, present

PROGRAM = "benchmarks/hardware_truth.py"


@pytest.fixture(scope="module")
def truth() -> Iterator[ModuleType]:
    if not present(SLAYER):
        pytest.skip("needs lava-dl: extra lava (CPython 3.10)")
    with program_module(PROGRAM) as module:
        yield module


@pytest.fixture(scope="module")
def record(truth: ModuleType) -> dict:
    try:
        return truth.measure()
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.mark.timeout(200)
def test_the_table_of_loihi_2_is_this_fit(record: dict) -> None:
    assert len(record["constants"]) == 11
    for row in record["constants"]:
        np.testing.assert_allclose(row["table"], row["fitted"], rtol=0.03, err_msg=row["constant"])
        low, high = row["published"]
        assert 0.5 * low <= row["fitted"][1] <= 2 * high, row["constant"]


def test_every_published_figure_is_a_row_or_left_out(truth: ModuleType, record: dict) -> None:
    measured = sys.modules["_published_runs"].MEASURED
    for name, figure in (("time", "sample_us"), ("static", "static_w")):
        known = {run.name for run in measured if getattr(run, figure) is not None}
        assert {row["run"] for row in record[name]} == known
    energies = {run.name for run in measured if run.dynamic_mj is not None or run.total_w is not None}
    assert {row["run"] for row in record["dynamic"]} == energies
    assert record["left_out"] and all(len(row) == 2 and all(row) for row in record["left_out"])


def test_pilotnet_is_as_the_cost_table_prices_it(truth: ModuleType, record: dict) -> None:
    """The fit's own arithmetic on PilotNet is that of the cost model."""
    (work,) = sys.modules["_rebuilt_runs"].pilotnet()
    cost = cost_models()["loihi2-fitted"].price(work)
    assert cost.streaming is not None
    time, energy = (next(row for row in record[name] if row["run"] == "PilotNet LIF") for name in ("time", "dynamic"))
    np.testing.assert_allclose(cost.streaming.period_ms.values * 1e3, time["fitted"], rtol=0.03)
    np.testing.assert_allclose(cost.dynamic_mj.values, energy["fitted"], rtol=0.05)


def test_a_held_out_run_does_not_see_its_own_figure(truth: ModuleType) -> None:
    fits = sys.modules["_truth_fit"]
    runs = [replace(sys.modules["_published_runs"].MEASURED[0], name=name, group=name, exact=False)
            for name in ("a", "b", "c")]
    bounds = {"x": fits.Bounds(1, 100, "")}

    def rows(last: float) -> list:
        features = [np.array([[float(number)]]) for number in (2, 3, 4)]
        return [fits.Row(run, measured, (f, f, f)) for run, measured, f in zip(runs, (20.0, 33.0, last), features)]
    for model in (fits.summed, fits.slowest):
        _, first = fits.predict(rows(40.0), bounds, model)
        _, second = fits.predict(rows(4000.0), bounds, model)
        np.testing.assert_allclose(first[2].held_out.values, second[2].held_out.values)
        assert first[0].held_out.middle != second[0].held_out.middle
        assert first[2].fitted.middle < second[2].fitted.middle


def test_a_fit_finds_the_constants_that_made_the_figures(truth: ModuleType) -> None:
    fits = sys.modules["_truth_fit"]
    rng = np.random.default_rng(3)
    true = np.array([3.0, 40.0])
    bounds = {"a": fits.Bounds(0.1, 1e3, ""), "b": fits.Bounds(1, 1e4, "")}
    run = replace(sys.modules["_published_runs"].MEASURED[0], exact=True)
    rows = []
    for number in range(12):
        features = rng.uniform(0.1, 9, (2, 2)) * [10, 1]
        rows.append(fits.Row(replace(run, group=str(number)), float(fits.slowest(true[None], features)[0]),
                             (features,) * 3))
    found = fits.fit(rows, bounds, fits.slowest)
    for name, value in zip(bounds, true):
        constant: Range = found.constants[name]
        assert constant.low <= value <= constant.high and constant.middle == pytest.approx(value, rel=0.1)


@pytest.mark.timeout(250)
def test_the_program(tmp_path: Path, program: Program, record: dict) -> None:
    out, page, picture = tmp_path / "truth.json", tmp_path / "truth.md", tmp_path / "truth.svg"
    done = program("--json", out, "--markdown", page, "--svg", picture)
    assert done.code == 0, done.out + done.err
    told = json.loads(out.read_text())
    assert [row["factor"] for row in told["time"]] == [row["factor"] for row in record["time"]]
    for text in ("PilotNet LIF", "Time of a sample", "Left out", "CLP-SNN", "spikes per neuron and step"):
        assert text in page.read_text() and text in done.out
    tree = ElementTree.fromstring(picture.read_text())
    dots = [each for each in tree.iter() if each.get("class") == "dot"]
    networks = [row for row in told["compile_logs"] if row["what"] == "cores in all"]
    assert len(networks) == 6 and len(dots) == len(networks) + sum(len(told[n]) for n in ("time", "dynamic", "static"))


def test_a_folder_that_is_not_there_is_one_message(program: Program, truth: ModuleType) -> None:
    done = program("--svg", "none/truth.svg")
    assert done.code == 2 and done.err.startswith("error: ") and "--svg" in done.err
