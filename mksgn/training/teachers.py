"""Frozen teachers: finished train_teacher.py runs, checked against the student's data, and what they say of a batch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mksgn.baselines.stack import LAYERS, unfold_persons
from mksgn.baselines.streams import load_stream
from mksgn.baselines.weights import BaselineConfig, load_baseline
from mksgn.data.pack import Pack
from mksgn.data.preprocess import Augment, Preprocess
from mksgn.errors import ConfigError
from mksgn.training.batches import Also
from mksgn.training.checkpoint import WEIGHTS

SCORES = "scores.safetensors"
FEATURE_LAYERS = tuple(number for number, (_, stride) in enumerate(LAYERS, 1) if stride > 1)
"""Where the teachers' frames halve and their channels double: layers 5 and 8 (paper, above Eq. 27)."""


class Lesson(NamedTuple):
    """What the teachers say of a batch.

    Parameters
    ----------
    logits : float32 Tensor (N, S, J)
        Of every stream.
    features : list of list of Tensor (N M, C, F, V)
        ``features[l][s]``: of the l-th of ``FEATURE_LAYERS`` and stream s, persons folded into the batch.
    """

    logits: Tensor
    features: list[list[Tensor]]


class Teachers(nn.Module):
    """Trained networks of one or several streams, in evaluation mode whatever the module around them does.

    Parameters
    ----------
    folders : sequence of path
        Of finished train_teacher.py runs, one per stream.

    Raises
    ------
    ConfigError
        When a folder holds no finished run, or two streams are of the same modality.
    """

    def __init__(self, folders: Sequence[str | os.PathLike[str]]) -> None:
        super().__init__()
        self.folders = [Path(folder) for folder in folders]
        loaded = [load_baseline(folder / WEIGHTS) for folder in self.folders]
        self.networks = nn.ModuleList(network for network, _ in loaded)
        self.meta: list[dict[str, Any]] = [meta for _, meta in loaded]
        self.preprocess = [Preprocess.from_json(meta["preprocess"]) for meta in self.meta]
        self.configs = [BaselineConfig.from_dict(meta["config"]) for meta in self.meta]
        self.requires_grad_(False)
        self.train(False)
        modalities = [meta["modality"] for meta in self.meta]
        if len(set(modalities)) < len(modalities):
            raise ConfigError("two teachers are of the same modality", "--teacher", ", ".join(modalities),
                              "one run of each modality")

    def check(self, *, pack: Pack, data: str, protocol: str, persons: int) -> None:
        """Compare what the teachers were trained on with what the student is trained on.

        Raises
        ------
        ConfigError
            Other data, split, classes, body or number of persons.
        """
        for folder, meta, config in zip(self.folders, self.meta, self.configs):
            for what, got, allowed in (
                    ("other data", meta["data"], data), ("another split", meta["protocol"], protocol),
                    ("other classes", tuple(meta["labels"]), pack.class_names),
                    ("another body", config.body, pack.body), ("another number of persons", config.persons, persons)):
                if got != allowed:
                    raise ConfigError(f"the teacher was trained on {what}", str(folder / WEIGHTS), _short(got),
                                      _short(allowed), "train one with the student's data, or change the student's")

    def describe(self) -> tuple[str, ...]:
        """Network, modality, test accuracy and a digest of the weights file of each teacher."""
        return tuple(
            f"{meta['config']['network']} {meta['modality']}, test {meta['test']['accuracy']:.4f}, "
            f"sha256 {hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()[:16]}"
            for folder, meta in zip(self.folders, self.meta))

    def channels(self, layer: int) -> list[int]:
        """Channels of each stream after ``layer`` (1..10)."""
        return [LAYERS[layer - 1][0] * config.base_channels for config in self.configs]

    def train(self, mode: bool = True) -> Teachers:
        """Stay in evaluation mode."""
        return super().train(False)

    def views(self, pack: Pack, augment: Augment) -> Also:
        """For :class:`~mksgn.training.batches.Batches`: each teacher's view of a batch, augmented as the student's.

        The random numbers of an augmentation depend on the number of persons only, so that the same generator makes
        the same rotation, cut and noise for every modality and number of frames.
        """
        def make(indices: np.ndarray, rng: np.random.Generator) -> list[Tensor]:
            made, start = [], rng.bit_generator.state
            for preprocess in self.preprocess:
                rng.bit_generator.state = start
                made.append(torch.from_numpy(
                    np.stack([preprocess(pack.sequence(i), pack.body, augment, rng) for i in indices])))
            return made

        return make

    @torch.no_grad()
    def forward(self, views: Sequence[Tensor], *, dtype: torch.dtype = torch.float32) -> Lesson:
        """Logits and features for the views (N, 3, F, M V), int8, one per stream.

        Parameters
        ----------
        dtype : torch.dtype
            Of the products; logits are float32.
        """
        with torch.autocast(views[0].device.type, dtype, enabled=dtype != torch.float32):
            seen = [network(unfold_persons(view, config.persons))
                    for network, view, config in zip(self.networks, views, self.configs, strict=True)]
        features = [[answer.features[layer - 1] for answer in seen] for layer in FEATURE_LAYERS]
        return Lesson(torch.stack([answer.logits.float() for answer in seen], 1), features)


def cached_logits(folders: Sequence[Path], pack: Pack, indices: np.ndarray) -> Also:
    """For :class:`~mksgn.training.batches.Batches`: logits (N, S, J) that finished runs have of their training data.

    They are of the sequences without augmentation.

    Parameters
    ----------
    indices : int array
        Sequences of the pack that will be asked for.

    Raises
    ------
    ConfigError
        When scores are missing, or are those of other sequences.
    """
    table = np.full((len(pack), len(folders), len(pack.class_names)), np.nan, np.float32)
    for stream, folder in enumerate(folders):
        scores = load_stream(folder / SCORES).train
        known = np.isin(indices, scores.indices)
        fits = (scores.logits.shape[1] == table.shape[2] and scores.indices.max(initial=0) < len(pack)
                and np.array_equal(scores.labels, pack.labels[scores.indices]))
        if not fits or not known.all():
            raise ConfigError("the teacher's scores are not of these training sequences", str(folder / SCORES),
                              f"{int(known.sum())} of {len(indices)} sequences" + ("" if fits else ", other labels"),
                              fix="train the teacher without --val-subjects on the same data, or use "
                                  "--soft-labels online")
        table[scores.indices, stream] = scores.logits

    def look_up(numbers: np.ndarray, rng: np.random.Generator) -> list[Tensor]:
        return [torch.from_numpy(table[numbers])]

    return look_up


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 160 else text[:157] + "..."
