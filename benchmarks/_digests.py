"""Fingerprints of the files that a run leaves: the start of a SHA-256 sum over what they hold."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from safetensors import safe_open


def digest(parts: Iterator[bytes] | list[bytes]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 sum of ``parts``."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()[:16]


def of_weights(path: Path) -> str:
    """A safetensors file: values, types and shapes of its tensors, in no order and without names."""
    sums = []
    with safe_open(path, "pt") as file:  # numpy has no bfloat16
        for name in file.keys():  # noqa: SIM118
            tensor = file.get_tensor(name).contiguous()
            kind = f"{str(tensor.dtype).removeprefix('torch.')}{tuple(tensor.shape)}"
            sums.append(hashlib.sha256(kind.encode() + tensor.reshape(-1).view(torch.uint8).numpy().tobytes()).digest())
    return digest(sorted(sums))


def of_net(path: Path) -> str:
    """A .net file: its arrays, with their names."""
    found: list[bytes] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            value = np.asarray(item)
            found.append(f"{name}{value.dtype}{value.shape}".encode() + (value.tobytes() if value.dtype != object
                                                                         else repr(value.tolist()).encode()))

    with h5py.File(path) as file:
        file.visititems(visit)
    return digest(sorted(found))


def of_log(path: Path) -> str:
    """A metrics.jsonl: the figures of every epoch, without the seconds they took."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [sorted((key, repr(value)) for key, value in line.items() if "seconds" not in key and key != "time")
            for line in lines]
    return digest([repr(rows).encode()])


def of_run(path: Path) -> str:
    """A file of deploy/run_lava.py --json: what it says of predictions, readouts and events."""
    said = json.loads(path.read_text())
    kept = {key: value for key, value in said.items() if not (isinstance(value, float) and math.isnan(value))
            and key in ("predictions", "top5", "scores", "counts", "populations", "synapses", "spikes", "synops",
                        "macs", "accuracy", "out_shape", "events", "labels")}
    return digest([json.dumps(kept, sort_keys=True).encode()])
