"""Small finished teacher runs, as train_teacher.py leaves them, without the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.splits import split
from mksgn.teachers.scores import Scores, Stream, save_stream
from mksgn.teachers.stack import unfold_persons
from mksgn.teachers.weights import TeacherConfig, save_teacher
from mksgn.training.batches import preprocessed


def teacher_run(folder: Path, pack: Pack, data: str, *, modality: str = "joint", frames: int = 8, width: int = 8,
                persons: int = 1, seed: int = 0, network: str = "ctr-gcn", **changed: Any) -> Path:
    """Write ``folder`` as a finished run on ``pack``; ``changed`` replaces entries of its metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = split(pack)
    trained = np.setdiff1d(np.arange(len(pack)), parts.test)
    config = TeacherConfig(network=network, body=pack.body, classes=len(pack.class_names), persons=persons,
                            base_channels=width)
    torch.manual_seed(seed)
    net = config.build()
    with torch.no_grad():  # far from a fresh network, whose logits are all alike
        net.classifier.weight.mul_(20)
    preprocess = Preprocess(frames=frames, persons=persons, modality=modality, root_range=2.0)
    samples = torch.from_numpy(preprocessed(pack, np.arange(len(pack)), preprocess))
    with torch.no_grad():
        net(unfold_persons(samples, persons))  # running statistics
        logits = net.eval()(unfold_persons(samples, persons)).logits.numpy()
    save_teacher(folder / "weights.safetensors", net, config, {
        "modality": modality, "preprocess": preprocess.to_json(), "data": data, "protocol": parts.protocol,
        "labels": list(pack.class_names), "test": {"accuracy": 0.5}, **changed})
    save_stream(folder / "scores.safetensors", Stream(modality, data, parts.protocol, *(
        Scores(logits[i], pack.labels[i], i, np.ones(len(i), bool)) for i in (trained, parts.test))))
    epochs = [{"epoch": epoch, "loss": 2.5 - epoch, "accuracy": 0.25 * (epoch + 1)} for epoch in range(2)]
    lines: list[dict[str, Any]] = [*epochs, {"final": {"accuracy": 0.5}}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
