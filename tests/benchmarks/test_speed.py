"""python benchmarks/speed: its rows, and that its baselines are the network they claim to be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from network_of import network_of
from programs import Program

from mksgn.errors import ConfigError
from mksgn.skeleton import UCLA20

SPEED = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "speed"


@pytest.fixture
def speed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    return Program("benchmarks/speed", capsys, monkeypatch, tmp_path)


@pytest.fixture
def baselines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(SPEED))
    import _baselines

    return _baselines


@pytest.mark.parametrize("name", ["StockSlayer", "SpikingJelly"])
def test_a_baseline_is_the_same_network(baselines, name):
    """Same weights, same batch norm: the same spikes, but for the rounding of SLAYER's states and of float sums."""
    if name == "SpikingJelly":
        pytest.importorskip("spikingjelly")
    torch.manual_seed(0)
    net = network_of(body=UCLA20, classes=4, frames=8, widths=(8, 8), strides=(1, 2))
    baseline = getattr(baselines, name)(net)
    x = torch.randint(-127, 128, (4, 3, 8, 20), dtype=torch.int8)
    with torch.no_grad():
        out, ours = net.forward_spikes(x)
        logits, rates = baseline(x, 4)
        spikes, _ = baseline.walk(baseline.repeat(x.float() / 64, 4))
    assert len(rates) == len(out.rates)
    for population in ("sc", "block1.lif2", "block1.sgsa.k_and_v", "block1.stc"):
        theirs = spikes[population]
        # (N, C, F, V, T) of SLAYER and (T, N, C, F, V) of SpikingJelly to (N T, C, F, V).
        theirs = theirs.permute(0, 4, 1, 2, 3) if name == "StockSlayer" else theirs.transpose(0, 1)
        same = (theirs.flatten(0, 1) == ours[population]).float().mean()
        assert same > 0.97, (population, float(same))
    assert 0 < float(spikes["sc"].mean()) < 0.9
    assert logits.shape == (4, 4)


def test_rows(speed: Program, tmp_path: Path):
    out = tmp_path / "speed.json"
    done = speed("--quick", "--only", "neuron", "--json", out, "--results", tmp_path)
    assert done.code == 0, done.out + done.err
    result = json.loads(out.read_text())
    (row,) = result["rows"]
    assert {"what", "ours", "baseline", "ratio", "target", "met"} <= set(row)
    assert row["ratio"] == pytest.approx(row["baseline"] / row["ours"])
    assert row["met"] == (row["ratio"] >= 10)
    assert result["torch"] and result["cpu_count"]
    assert "| neuron alone" in (tmp_path / "speed.md").read_text()


def test_rows_of_an_earlier_run_are_kept_with_their_commit(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.syspath_prepend(str(SPEED))
    import _report

    row = {"what": "a step", "ours": 1.0, "unit": "s", "against": "stock", "baseline": 3.0, "ratio": 3.0,
           "target": ">= 2", "met": True, "spread": ""}
    other = row | {"what": "another step"}
    curve = {"size": "samples", "timed": "t", "of": "a net", "points": [[1, [0.1]]], "linear": True}
    machine = {"cpu": "big", "cpu_count": 2}
    (tmp_path / "old.json").write_text(json.dumps({"rows": [row, other], "curves": [curve], "commit": "c1", **machine}))
    rows, curves = _report.kept(tmp_path / "old.json", machine)
    assert [each["commit"] for each in rows] == ["c1", "c1"] and curves[0].commit == "c1"
    new = row | {"ours": 0.5, "ratio": 6.0, "commit": "c2"}
    rows = _report.joined(rows, [new])
    assert rows == [new, other | {"commit": "c1"}]
    page = _report.markdown(rows, curves, machine, "a command")
    assert "| a step | 0.5 s | stock | 3 s | 6.00 | >= 2 | yes |  | c2 |" in page and "speed_scaling.svg), c1." in page
    assert "| c1 |" not in _report.markdown(rows[1:], [], machine, "a command"), "all rows are of one commit"
    for wrong, words in ((machine | {"cpu_count": 4}, "another machine"), (machine, "no rows can be read")):
        with pytest.raises(ConfigError, match=words):
            _report.kept(tmp_path / ("old.json" if wrong != machine else "none.json"), wrong)


def test_curves_say_what_is_timed(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.syspath_prepend(str(SPEED))
    import _report

    curves = [_report.Curve("samples", "emulator, time of one run", "a net", [(1, [0.1, 0.2, 0.3]), (2, [0.3])]),
              _report.Curve("Blocks", "Lava, one time step", "a net", [(1, [0.2]), (2, [0.1])], linear=False)]
    assert curves[0].medians() == [0.2, 0.3]
    _report.draw(curves, tmp_path / "speed.svg")
    drawn = (tmp_path / "speed.svg").read_text()
    for text in ("emulator, time of one run, s", "Lava, one time step, s", "samples", "Blocks", "the fastest and the"):
        assert text in drawn


def test_bad_folder(speed: Program):
    done = speed("--results", "none")
    assert done.code == 2 and "does not exist" in done.err


def test_processors_side_by_side(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A column per processor, whatever precision each took; files of two commits are refused."""
    row = {"against": "stock", "ratio": 6.46, "target": ">= 6.5", "met": False}
    files = {"a": ("big", "bfloat16", 9.8, True), "b": ("plain", "float32", 6.46, False)}
    for name, (cpu, precision, ratio, met) in files.items():
        rows = [row | {"what": f"training step (batch 8), synapses in {precision}", "ratio": ratio, "met": met}]
        content = {"cpu": cpu, "commit": "c1", "torch_threads": 2, "rows": rows}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    columns = Program("benchmarks/speed/columns.py", capsys, monkeypatch, tmp_path)
    ask = ("--out", "speed.md", "--json", "a.json", "b.json")
    assert columns(*ask).code == 0
    page = (tmp_path / "speed.md").read_text()
    assert "| training step (batch 8) | stock | >= 6.5 | 9.80 | **6.46** |" in page and "- B: plain" in page
    (tmp_path / "b.json").write_text((tmp_path / "b.json").read_text().replace("c1", "c2"))
    done = columns(*ask)
    assert done.code == 2 and "several commits" in done.err
