"""benchmarks/experiments/paper_rows.py: small rows trained, stopped and continued; its plan; its table; refusals."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from programs import Program, program_module, trainings_in_this_process
from teacher_runs import teacher_run

from mksgn.data.pack import Pack
from mksgn.data.preprocess import MODALITIES
from mksgn.training.distill import PRESETS as LOSSES
from mksgn.training.recipe import PRESETS, Recipe

PATH = "benchmarks/experiments/paper_rows.py"
SMALL = ("--protocol", "synthetic", "--widths", *"222222", "--frames", 8, "--epochs", 1, "--batch", 24, "--device",
         "cpu", "--student=--lr 0.05 --attention mask", "--teacher=--epochs 1 --base-channels 8 --batch 24")


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    return Program(PATH, capsys, monkeypatch, tmp_path)


@pytest.mark.slow
def test_rows_are_trained_once_and_compared(program: Program, pack: Pack, pack_path: Path, tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    for modality in MODALITIES:  # teachers that are finished are left alone
        teacher_run(tmp_path / "rows" / f"teacher-{modality}", pack, pack_path.name, modality=modality)
    ran = trainings_in_this_process(monkeypatch, killed=2)  # the second row
    page, figures = tmp_path / "rows.md", tmp_path / "rows.json"
    words = ("--data", pack_path, "--out", tmp_path / "rows", "--seeds", 3, "--row", "sum", *SMALL,
             "--markdown", page, "--json", figures)
    stopped = program(*words)
    assert stopped.code == 2 and "sum-3 ended with exit code 137" in stopped.err
    assert "| printed |" in page.read_text() and "| sum | modalities added up, in place of SMF | printed | 0 | - |" in (
        page.read_text())
    went_on = program(*words)
    assert went_on.code == 0, went_on.err
    assert [Path(command[0]).name for command in ran[2:]] == ["train_slayer.py"], "what has finished is left alone"
    before = len(ran)
    other = program(*(16 if word == 8 else word for word in words))
    assert other.code == 2 and "made at another scale" in other.err and len(ran) == before
    rows = {run["row"]: run for run in json.loads(figures.read_text())["rows"]}
    assert [(name, run["recipe"]["fusion"]) for name, run in rows.items()] == [("printed", "smf"), ("sum", "sum")]
    assert {run["recipe"]["lr"] for run in rows.values()} == {0.05} and "`--lr 0.05 --attention mask`" in (
        page.read_text())
    gain = 100 * (rows["sum"]["accuracy_float"] - rows["printed"]["accuracy_float"])
    assert f"| printed | 1 | {100 * rows['sum']['accuracy_float']:.2f} | " in page.read_text()
    assert f"| {gain:+.2f} |" in page.read_text()
    assert "The preset's own scale was not run" in re.sub(r"\s+", " ", page.read_text())


def test_changes_are_paired_by_seed_with_the_row_beside() -> None:
    """By hand: T = 1 beside 'sum', seeds 0 and 1; seed 2 of 'sum' has not finished."""
    floats = {"printed": (0.5, 0.6, 0.7), "sum": (0.4, 0.7), "one-step": (0.45, 0.85, 0.9)}
    runs = [{"row": name, "seed": seed, "accuracy_float": value, "accuracy_integer": 0.5, "mean_rate": 0.1}
            for name, values in floats.items() for seed, value in enumerate(values)]
    with program_module("benchmarks/experiments/_paper_table.py") as module:
        lines = {line[0]: line for line in module.lines(("printed", "sum", "one-step", "masks"), runs)}
    assert lines["printed"][2:] == ["", "3", "60.00 ± 10.00", "50.00 ± 0.00", "-", "-", "0.100 ± 0.000"]
    assert lines["one-step"][2:] == ["sum", "3", "73.33 ± 24.66", "50.00 ± 0.00", "+10.00 ± 7.07", "+0.00 ± 0.00",
                                     "0.100 ± 0.000"]
    assert lines["masks"][3:] == ["0", *"-----"]


def test_the_plan_names_every_training_and_starts_none(program: Program, pack_path: Path, tmp_path: Path) -> None:
    outcome = program("--data", pack_path, "--protocol", "synthetic", "--out", tmp_path / "rows", "--plan")
    with program_module(PATH) as module:
        rows = len(module.CHANGES)
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("python train/") == 4 + 3 * rows and "hours on one core" in outcome.out
    assert not (tmp_path / "rows").exists()


def test_the_first_row_is_the_paper_as_printed() -> None:
    """Tables 4, 5 and 7, and Eq. 32 without our additions."""
    recipe = PRESETS["paper"].taught(LOSSES["paper"])
    network = recipe.network
    assert (network.time_steps, network.surrogate_width, network.voltage_decay) == (4, 1, 0.75)
    assert [2 * width for width in network.widths] == [64, 64, 128, 128, 256, 256]
    assert (recipe.optimiser, recipe.lr, recipe.lr_decay, recipe.batch, recipe.epochs, recipe.lr_step) == (
        "sgd", 0.1, 0.1, 120, 64, 50)
    assert (network.dropout, recipe.weight_decay, recipe.schedule) == (0.3, 1e-4, "step")
    assert recipe.modalities == ("joint", "bone", "joint-motion", "bone-motion")
    choices = network.choices()
    assert {name: getattr(network, name) for name in choices} | {"fusion": "smf", "attention": "qkv"} == {
        name: getattr(network, name) for name in choices}
    assert not (recipe.rate_weight or recipe.synop_weight or recipe.label_smoothing or recipe.average_part)


def test_each_row_changes_one_thing_of_the_row_beside_it() -> None:
    """Options are those of a recipe, and none but the optimiser's come in company."""
    together = {"adamw": {"optimiser", "schedule", "lr", "weight_decay", "batch"}}
    own = {each.name for each in fields(Recipe)} | set(PRESETS["paper"].network.choices()) | {"distil", "gamma"}
    with program_module(PATH) as module:
        for name, change in module.CHANGES.items():
            words = {word[2:].replace("-", "_") for word in change.words if word.startswith("--")}
            beside = module.CHANGES[change.beside]
            differ = words - {word[2:].replace("-", "_") for word in beside.words if word.startswith("--")}
            assert differ <= own and (len(differ) <= 1 or differ == together[name]), name


def test_what_is_impossible_is_one_error(program: Program, pack_path: Path, tmp_path: Path) -> None:
    for words, says in ((("--row", "nonsense"), "there is no such row"), (("--epochs", "-1"), "impossible value"),
                        (("--markdown", tmp_path / "none" / "x.md"), "does not exist")):
        outcome = program("--data", pack_path, "--out", tmp_path / "rows", *words)
        assert outcome.code == 2 and says in outcome.err and not (tmp_path / "rows").exists()
