"""accuracy.py and tradeoff.py: rows measured from runs, seeds together, the paper's figures beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from programs import Program, program_module
from slayer_runs import train
from teacher_runs import teacher_run

from mksgn.data.preprocess import Preprocess
from mksgn.data.splits import split
from mksgn.emulator import Emulator
from mksgn.energy.printed import TABLE1, TABLE3
from mksgn.errors import ConfigError
from mksgn.netx import read_net
from mksgn.training.batches import preprocessed
from mksgn.training.network_file import load_network
from mksgn.training.recipe import PRESETS

pytestmark = pytest.mark.timeout(600)
TINY = ["--frames", "8", "--batch", "32", "--epochs", "1", "--tune-epochs", "1"]


def trained(folder: Path, *options: str) -> Path:
    train(*TINY, "--out", str(folder), *options)
    return folder


@pytest.fixture(scope="module")
def runs(pack, pack_path, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    small = ["--data", str(pack_path), "--widths", "4", "4", "4"]
    found = {f"seed{seed}": trained(folder / f"seed{seed}", *small, "--seed", seed) for seed in ("1", "2")}
    found["spikformer"] = trained(folder / "spikformer", "--data", str(pack_path), "--preset", "spikformer", "--widths",
                                  *["8"] * 6)
    return found | {name: teacher_run(folder / name, pack, pack_path.name, modality=name, recipe={
        "network": "ctr-gcn", "base_channels": 8, "frames": 8, "epochs": 1, "seed": 0}) for name in ("joint", "bone")}


@pytest.fixture
def accuracy(capsys, monkeypatch, tmp_path) -> Program:
    return Program("benchmarks/accuracy.py", capsys, monkeypatch, tmp_path)


def test_rows_are_measured_from_the_files_of_a_run(runs, pack, pack_path, accuracy, tmp_path):
    done = accuracy("--data", pack_path, "--run", *(runs[name] for name in ("seed1", "seed2", "spikformer")),
                    "--teacher", runs["joint"], runs["bone"], "--json", "a.json", "--markdown", "a.md",
                    "--curves", "accuracy_curves_x.svg")
    assert done.code == 0, done.err
    rows = {row["run"]: row for row in json.loads((tmp_path / "a.json").read_text())["rows"]}
    assert set(rows) == {"seed1", "seed2", "spikformer", "joint", "bone", "joint+bone"}
    graph = read_net(runs["seed1"] / "mksgn.net")
    test = split(pack).test
    samples = preprocessed(pack, test, Preprocess.from_json(graph.meta["preprocess"]))
    with Emulator(graph) as emulator:
        run = emulator.run(samples)
    row = rows["seed1"]
    assert row["accuracy"] == float((run.predictions == pack.labels[test]).mean()) == graph.meta["accuracy_integer"]
    assert row["synops"] == pytest.approx(sum(run.counts.synops.values()) / len(test))
    assert row["float"] == graph.meta["accuracy_float"] and row["samples"] == len(test)
    assert (row["network"], row["modalities"], row["distilled"], row["seed"]) == ("MK-SGN", ["joint"], False, 1)
    net = load_network(runs["seed1"] / "weights.safetensors")
    assert row["parameters"] == sum(p.numel() for p in net.parameters() if p.requires_grad)
    final = [json.loads(line) for line in (runs["spikformer"] / "metrics.jsonl").read_text().splitlines()][-1]["final"]
    assert rows["spikformer"]["accuracy"] == final["accuracy_integer"]
    assert rows["spikformer"]["synops"] > 0
    assert rows["joint+bone"]["parameters"] == rows["joint"]["parameters"] + rows["bone"]["parameters"]
    text = (tmp_path / "a.md").read_text()
    both = np.array([rows[name]["accuracy"] * 100 for name in ("seed1", "seed2")])
    assert f"| 2 | {row['parameters'] / 1e6:.3f} ± 0.000 | {both.mean():.2f} ± {both.std(ddof=1):.2f} |" in text
    assert text.count("not trained here") > 3 and "92.3" in text and "78.5 / 85.6" in text
    assert "[accuracy_curves_x.svg](accuracy_curves_x.svg)" in text
    for name in rows:
        assert sum(line.startswith(f"| {name} |") for line in text.splitlines()) == 1, "who trained and measured it"
    assert ElementTree.parse(tmp_path / "accuracy_curves_x.svg").getroot().tag.endswith("svg")
    drawn = (tmp_path / "accuracy_curves_x.svg").read_text()
    for name in ("MK-SGN, joint, T = 1, seed 1", "MK-SGN, joint, T = 1, seed 2", "Spikformer, joint, T = ",
                 "CTR-GCN, joint, base width 8", "CTR-GCN, bone, base width 8"):
        assert f"<!-- {name}" in drawn, "networks are named, not folders"


def test_rows_of_runs_that_are_gone_are_kept(runs, pack_path, accuracy, tmp_path):
    run = ["--data", pack_path, "--run", runs["seed1"]]
    assert accuracy(*run, "--json", "a.json").code == 0
    row, = json.loads((tmp_path / "a.json").read_text())["rows"]
    (tmp_path / "old.json").write_text(json.dumps({"rows": [{**row, "run": "gone"}, {**row, "accuracy": -1.0}]}))
    (tmp_path / "R.md").write_text("before\n<!-- accuracy.py: begin -->\nold\n<!-- accuracy.py: end -->\nafter\n")
    done = accuracy(*run, "--keep", "old.json", "--json", "b.json", "--readme", "R.md")
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [r["run"] for r in rows] == ["gone", "seed1"] and rows[1]["accuracy"] == row["accuracy"]
    readme = (tmp_path / "R.md").read_text()
    assert readme.startswith("before\n<!--") and readme.endswith("-->\nafter\n") and "old" not in readme
    assert f"{row['accuracy'] * 100:.2f}" in readme and "MK-SGN" in readme


def test_a_commit_beside_changed_files_is_none():
    with program_module("benchmarks/_accuracy_rows.py") as rows:
        assert rows.certain("mksgn 0.1.0 (1de08928b437)") == "mksgn 0.1.0 (1de08928b437)"
        assert [rows.certain(text) for text in ("mksgn 0.1.0 (1de08928b437-dirty)", "mksgn 0.1.0", None)] == [None] * 3
        kept = rows.kept_row({"run": "a", "commit": "mksgn 0.1.0 (ad39b2c34b01-dirty)"})
    assert kept == {"run": "a", "commit": None, "measured": None}


def test_the_readme_shows_the_rows_it_is_told_to(accuracy, tmp_path):
    base = {"network": "MK-SGN", "kind": "SNN", "modalities": list("abcd"), "distilled": True, "seed": 0,
            "epochs": [3, 0], "parameters": 1e6, "accuracy": 0.9, "accuracy_clean": 0.8, "samples": 464,
            "samples_clean": 369, "obstacle": "",
            **dict.fromkeys(("float", "float_clean", "macs", "sops", "paper_mj", "counted_mj"))}
    pair = base | {"variant": "T = 1, widths 8, taught by 2 (ce-kl, online), 2 nets side by side"}
    rows = [pair | {"run": "first", "synops": 2e6},
            base | {"run": "second", "synops": 4e6, "variant": "T = 4, widths 8, sum, taught by 4 (ce-kl, online)"},
            pair | {"run": "third", "synops": 8e6, "seed": 1}]
    (tmp_path / "old.json").write_text(json.dumps({"rows": rows}))
    (tmp_path / "R.md").write_text("<!-- accuracy.py: begin -->\n<!-- accuracy.py: end -->\n")
    kept = ["--keep", "old.json", "--readme", "R.md", "--headline"]
    assert accuracy(*kept, "second", "first").code == 0
    lines = (tmp_path / "R.md").read_text().splitlines()[3:-1]
    assert [line.split("|")[1].strip() for line in lines] == [
        "MK-SGN, T = 4, taught by 4 (ce-kl, online)",
        "MK-SGN, T = 1, taught by 2 (ce-kl, online), 2 nets side by side, 2 seeds"]
    assert all("| 92.3 |" in line and line.endswith("| 0.207 |") for line in lines) and "5.0 ± 4.2" in lines[1]
    before = (tmp_path / "R.md").read_text()
    done = accuracy(*kept, "fourth")
    assert done.code == 2 and "fourth" in done.err and "first, second, third" in done.err
    assert (tmp_path / "R.md").read_text() == before


@pytest.mark.parametrize(("arguments", "message"), [
    (["--run", "nothing"], "nothing"), (["--teacher", "nothing"], "nothing"), (["--keep", "nothing"], "no rows"),
    (["--readme", "plain.md"], "no place for the table"), (["--readme", "nothing"], "no place for the table"),
    (["--run", "nothing", "--curves", "a.svg"], "no learning curve"), (["--curves", "missing/a.svg"], "missing"),
    (["--json", "missing/a.json"], "missing"),
])
def test_bad_input_is_one_message(arguments, message, accuracy, tmp_path):
    (tmp_path / "plain.md").write_text("text\n")
    done = accuracy(*arguments)
    assert done.code == 2 and message in done.err, done.err


def test_every_row_of_the_paper_meets_its_own_network():
    with program_module("benchmarks/_accuracy_tables.py") as program:
        def row(network: str, modalities: int, distilled: bool) -> dict:
            return {"network": network, "modalities": ["m"] * modalities, "distilled": distilled}
        whole, plain, joint = row("MK-SGN", 4, True), row("MK-SGN", 4, False), row("MK-SGN", 1, False)
        assert [program.matches(whole, paper) for paper in TABLE1] == [False] * 6 + [True]
        assert [paper.name for paper in TABLE3 if program.matches(whole, paper)] == ["MK-SGN"]
        assert not any(program.matches(plain, paper) for paper in TABLE3)
        assert sum(program.matches(joint, paper) for paper in TABLE1) == 1
        assert any(program.matches(row("CTR-GCN", 4, False), paper) for paper in TABLE3)
        assert not any(program.matches(row("CTR-GCN", 1, False), paper) for paper in TABLE3)
        with pytest.raises(ConfigError, match="no place"):
            program.replaced("text", "new", Path("README.md"))


@pytest.mark.slow
def test_the_trade_off_has_a_point_per_price(runs, pack_path, capsys, monkeypatch, tmp_path):
    program = Program("benchmarks/tradeoff.py", capsys, monkeypatch, tmp_path)
    ask = ["--run", runs["seed1"], "--data", pack_path, "--targets", "1e3", "1e9", "--epochs", "3", "--lr", "2e-3",
           "--weight", "1e-3", "--json", "p.json", "--results", tmp_path]
    done = program(*ask)
    assert done.code == 0, done.err
    points = json.loads((tmp_path / "p.json").read_text())["points"]
    assert [p["target"] for p in points] == [1e3, 1e9, None]
    assert points[0]["synops"] < points[1]["synops"], "a price that is felt lowers what is counted"
    assert ElementTree.parse(tmp_path / "tradeoff.svg").getroot().tag.endswith("svg")
    drawn = (tmp_path / "tradeoff.svg").read_text()
    for name in ("the paper: 0.207 mJ,", "models/nw-ucla-joint: MK-SGN,", "models/nw-ucla: MK-SGN, all four"):
        assert f"<!-- {name}" in drawn, "the shipped networks and the paper are named"
    assert "fine-tuned under 2 prices" in drawn and "binomial standard error" in drawn and "seed1" not in drawn
    text = (tmp_path / "tradeoff.md").read_text()
    assert "as it is" in text
    again = program("--keep", "tradeoff.json", "--results", tmp_path / "again")
    assert again.code == 0, again.err
    assert (tmp_path / "again" / "tradeoff.md").read_text() == text, "nothing is trained, counted or dated anew"
    assert (tmp_path / "again" / "tradeoff.svg").read_text() == drawn
    nets = [p for p in runs["seed1"].parent.glob("seed1-tradeoff/*/mksgn.net")]
    before = [p.stat().st_mtime_ns for p in nets]
    assert len(nets) == 2 and program(*ask).code == 0
    assert before == [p.stat().st_mtime_ns for p in nets], "finished points are not trained again"
    bad = program("--run", tmp_path, "--data", pack_path)
    assert bad.code == 2 and "no finished run" in bad.err
    for wrong, words in ((["--keep", "none.json"], "no points can be read"), ([], "nothing to draw"),
                         (["--keep", "p.json", "--data", pack_path], "two places"),
                         (["--keep", "p.json", "--results", tmp_path, "--accuracy", "p.json"], "no rows can be read")):
        bad = program(*wrong)
        assert bad.code == 2 and words in bad.err


def test_networks_that_share_a_name_are_told_apart():
    row = {"network": "MK-SGN", "modalities": ["joint"], "variant": "T = 2, widths 8, mixup 0.2", "epochs": [3, 0],
           "seed": 0}
    rows = [row | {"run": "a"}, row | {"run": "b", "seed": 1, "epochs": [3, 2]},
            row | {"run": "c", "variant": "T = 2, widths 8"}, row | {"run": "d", "variant": "T = 1, widths 8"}]
    with program_module("mksgn/report/network_names.py") as networks:
        found = networks.labels(rows)
    assert found == {"a": "MK-SGN, joint, T = 2, mixup 0.2, 3 epochs, seed 0",
                     "b": "MK-SGN, joint, T = 2, mixup 0.2, 3 + 2 epochs, seed 1",
                     "c": "MK-SGN, joint, T = 2, 3 epochs, seed 0", "d": "MK-SGN, joint, T = 1"}


@pytest.mark.parametrize(("preset", "said"), [("mksgn-4", True), ("mksgn", False)])
def test_a_variant_says_how_motions_are_scaled_where_there_are_any(preset, said):
    with program_module("mksgn/report/network_names.py") as networks:
        assert ("motion to 0.15 of the body" in networks.described(PRESETS[preset].to_dict(), {})["variant"]) is said


@pytest.mark.parametrize(("part", "said"), [(0.0, False), (0.02, False), (0.3, True)])
def test_a_variant_says_when_weights_were_averaged(part, said):
    """Of 70 epochs the last 21: one warms up."""
    recipe = replace(PRESETS["mksgn-4"], average_part=part)
    with program_module("mksgn/report/network_names.py") as networks:
        variant = networks.described(recipe.to_dict(), {})["variant"]
    assert ("weights averaged over 20 epochs" in variant) is said
    assert ("averaged" in variant) is said
    assert (recipe.averaged_from < recipe.epochs) is said


def test_streams_trained_on_are_counted_in_full_and_fused_with_their_like(pack, pack_path, tmp_path):
    recipe = {"network": "ctr-gcn", "base_channels": 8, "frames": 8, "epochs": 3, "seed": 0}
    runs = [teacher_run(tmp_path / f"{name}-{before}", pack, pack_path.name, modality=name, recipe=recipe,
                        epochs_before=before) for before in (0, 5) for name in ("joint", "bone")]
    with program_module("benchmarks/_accuracy_rows.py") as rows:
        found = rows.ann_rows(runs)
    assert [row["epochs"][0] for row in found] == [3, 3, 8, 8, 3, 8]
    assert [row["run"] for row in found[4:]] == ["joint-0+bone-0", "joint-5+bone-5"]
