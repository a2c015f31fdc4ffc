"""Scores of single streams (joint, bone and their motions) and their fusion into one prediction, paper Eq. 25."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mksgn.errors import ConfigError
from mksgn.teachers.soft_labels import fused_soft_labels
from mksgn.teachers.weights import read_tensors, write_tensors

SCORES = "scores.safetensors"
"""The file of a finished run that holds its stream's scores."""
_PARTS = ("train", "test")


@dataclass(frozen=True, eq=False)
class Scores:
    """Logits of one part of a data set.

    Parameters
    ----------
    logits : float32 ndarray (N, classes)
    labels : int64 ndarray (N,)
    indices : int64 ndarray (N,)
        Sequence numbers in the pack the stream was trained on.
    clean : bool ndarray (N,)
        False for a test sequence that is a copy of a training sequence.
    """

    logits: np.ndarray
    labels: np.ndarray
    indices: np.ndarray
    clean: np.ndarray

    def probabilities(self) -> np.ndarray:
        """Softmax of the logits, float64 (N, classes)."""
        shifted = self.logits.astype(np.float64)
        exponents = np.exp(shifted - shifted.max(1, keepdims=True))
        return exponents / exponents.sum(1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Stream:
    """What one trained stream says about every sequence.

    Parameters
    ----------
    modality, data, protocol : str
    train, test : Scores
        ``train`` is what soft labels are made of: no augmentation.
    """

    modality: str
    data: str
    protocol: str
    train: Scores
    test: Scores


def save_stream(path: Path, stream: Stream) -> None:
    """Write a stream's scores as safetensors, whole or not at all."""
    tensors = {f"{part}.{name}": torch.from_numpy(np.ascontiguousarray(array))
               for part in _PARTS for name, array in vars(getattr(stream, part)).items()}
    write_tensors(path, tensors, {name: getattr(stream, name) for name in ("modality", "data", "protocol")})


def load_stream(path: str | os.PathLike[str]) -> Stream:
    """What :func:`save_stream` wrote.

    Raises
    ------
    ConfigError
        When the file is missing, damaged or of another kind.
    """
    tensors, meta = read_tensors(path)
    try:
        scores = [Scores(**{name: tensors[f"{part}.{name}"].numpy() for name in Scores.__dataclass_fields__})
                  for part in _PARTS]
        return Stream(meta["modality"], meta["data"], meta["protocol"], *scores)
    except KeyError as error:
        raise ConfigError("this file does not hold a stream's scores", str(path), f"no {error}",
                          fix="name the scores.safetensors of a finished train_teacher.py run") from None


def fuse(streams: Sequence[Scores], weights: Sequence[float] | None = None) -> np.ndarray:
    """Soft labels of several streams together: the weighted sum of their softmax outputs (paper Eq. 25).

    Parameters
    ----------
    streams : sequence of Scores
        The same sequences in the same order.
    weights : sequence of float, optional
        alpha of each stream; 1 each by default. They are divided by their sum, so that a row sums to 1 and can be
        compared with one-hot labels (Eq. 26).

    Returns
    -------
    float64 ndarray (N, classes)

    Raises
    ------
    ConfigError
        No stream; streams about different sequences; weights that do not fit.

    See Also
    --------
    mksgn.teachers.soft_labels.fused_soft_labels : the equation.
    """
    if not streams:
        raise ConfigError("there is no stream to fuse", allowed="one or more")
    first = streams[0]
    for number, other in enumerate(streams[1:], 2):
        if not np.array_equal(first.indices, other.indices) or not np.array_equal(first.labels, other.labels):
            raise ConfigError("streams of different sequences cannot be fused", f"streams 1 and {number}",
                              f"{len(first.indices)} and {len(other.indices)} sequences",
                              fix="train them on the same data, protocol and validation subjects")
        if first.logits.shape != other.logits.shape:
            raise ConfigError("streams of different classes cannot be fused", f"streams 1 and {number}",
                              f"{first.logits.shape[1]} and {other.logits.shape[1]} classes")
    logits = torch.from_numpy(np.stack([s.logits for s in streams], axis=1).astype(np.float64))
    return fused_soft_labels(logits, weights or ()).numpy()


def stream_accuracies(probabilities: np.ndarray, scores: Scores) -> dict[str, float]:
    """Top-1 of predictions on the sequences of ``scores``, over all of them and over the clean ones.

    Returns
    -------
    dict
        ``accuracy``, ``samples``; where some sequences are not clean, ``accuracy_clean`` and ``samples_clean``.
    """
    correct = probabilities.argmax(1) == scores.labels
    result: dict[str, float] = {"accuracy": float(correct.mean()), "samples": len(correct)}
    if not scores.clean.all():
        result |= {"accuracy_clean": float(correct[scores.clean].mean()), "samples_clean": int(scores.clean.sum())}
    return result
