"""benchmarks/sanafe_check.py: refusals, and the same counts as SANA-FE where it is installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from programs import Program

PROGRAM = "benchmarks/sanafe_check.py"
ABSENT = importlib.util.find_spec("sanafe") is None


@pytest.mark.skipif(not ABSENT, reason="SANA-FE is installed")
def test_without_sanafe_one_message_says_how_to_get_it(program: Program) -> None:
    done = program()
    assert done.code == 2 and done.err.startswith("error: ") and "pip install sanafe" in done.err


@pytest.mark.parametrize("options", [("--frames", 0), ("--width", 0), ("--width", 1.5), ("--json", "none/out.json")])
def test_bad_options_are_refused(program: Program, options: tuple) -> None:
    done = program(*options)
    assert done.code == 2 and options[0] in done.err


@pytest.mark.skipif(ABSENT, reason="needs SANA-FE (pip install sanafe)")
@pytest.mark.timeout(200)
def test_counts_are_those_of_sanafe(program: Program, tmp_path: Path) -> None:
    net = Path(__file__).resolve().parent.parent.parent / "models" / "nw-ucla-joint" / "mksgn.net"
    done = program("--net", net, "--frames", 1, "--width", 0.125, "--json", tmp_path / "out.json")
    assert done.code == 0, done.out + done.err
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert {row["net"] for row in rows} == {"small", "nw-ucla-joint, cut"}
    for row in rows:
        if row["figure"] in ("spikes", "synaptic operations", "messages", "hops"):
            assert row["ours"] == [row["sanafe"]] and row["sanafe"] > 0
        if row["figure"] == "network mJ":
            assert row["ours"][0] == pytest.approx(row["sanafe"], rel=1e-6)
