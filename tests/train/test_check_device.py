"""train/check_device.py: integers trained on a device and the emulator agree on every spike; a wrong spike is found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from programs import Program

from mksgn.nn.training_backend import TrainingForward
from mksgn.run.backend import RunResult

SMALL = ("--widths", 4, 6, "--frames", 8, "--samples", 5, "--threads", 1)


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    return Program("train/check_device.py", capsys, monkeypatch, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device"))])
def test_integers_trained_on_the_device_run_exactly_in_the_emulator(program: Program, pack_path: Path,
                                                                    device: str) -> None:
    outcome = program("--device", device, "--data", pack_path, *SMALL)
    assert outcome.code == 0, outcome.out + outcome.err
    rows = [line.split("│") for line in outcome.out.splitlines() if "float" in line and "│" in line]
    assert [(row[1].strip(), row[2].strip(), row[-2].strip()) for row in rows] == [
        (attention, arithmetic, "0") for attention in ("mask", "qkv") for arithmetic in ("float32", "bfloat16")]


def test_one_wrong_spike_is_found(program: Program, pack_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = TrainingForward.run

    def wrong(self: TrainingForward, samples: object, record: str = "spikes") -> RunResult:
        result = right(self, samples, record)  # type: ignore[arg-type]
        result.spikes["block2.stc"][1, 2, 0, 3, 0] ^= 1
        return result

    monkeypatch.setattr(TrainingForward, "run", wrong)
    outcome = program("--device", "cpu", "--data", pack_path, *SMALL)
    assert outcome.code == 1
    assert "spikes of block2.stc differ first at sample 1, step 0, channel 2, frame 0, joint 3" in outcome.out


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_cuda_is_refused(program: Program) -> None:
    outcome = program("--device", "cuda")
    assert outcome.code == 2 and "no CUDA device" in outcome.err and "epoch" not in outcome.out
