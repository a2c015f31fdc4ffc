"""Finished networks that teach another: loaded, checked against the student's data, and asked about its batches."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Augment, Preprocess
from mksgn.errors import ConfigError, typed
from mksgn.nn import SpikingGraphNet
from mksgn.nn.unfolding import unfolded
from mksgn.teachers.scores import SCORES, load_stream
from mksgn.teachers.stack import LAYERS, unfold_persons
from mksgn.teachers.weights import TeacherConfig, load_teacher
from mksgn.training.batches import ExtraTensors
from mksgn.training.network_file import holds_network, load_network, read_meta
from mksgn.training.run_files import WEIGHTS
from mksgn.training.streams import stored_name

FEATURE_LAYERS = tuple(number for number, (_, stride) in enumerate(LAYERS, 1) if stride > 1)
"""Where the teachers' frames halve and their channels double: layers 5 and 8 (paper, above Eq. 27)."""


class Lesson(NamedTuple):
    """What the teachers say of a batch.

    Parameters
    ----------
    logits : float32 Tensor (N, S, J)
        Of every stream.
    features : list of list of Tensor (N M, C, F, V)
        ``features[l][s]``: of the l-th of ``FEATURE_LAYERS`` and stream s, persons folded into the batch. Empty where
        a stream is a spiking network.
    """

    logits: Tensor
    features: list[list[Tensor]]


class Teacher(nn.Module):
    """One trained network, and what its file says of it.

    Parameters
    ----------
    folder : path
        Of a finished train_teacher.py run, or of a spiking network: a finished train_slayer.py run, or a folder of
        models/. A spiking network teaches in floating point, without the rounding of its weights.

    Raises
    ------
    ConfigError
        When the folder holds neither.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / WEIGHTS
        with typed(ConfigError, "no teacher can be read here: what its run should have written is missing or damaged",
                   str(self.path), "name the folder of a finished run"):
            self._read()

    def _read(self) -> None:
        if holds_network(self.path):
            net, meta = unfolded(load_network(self.path)), read_meta(self.path)
            self.network: nn.Module = net
            self.body, self.persons, self.width = net.data.body, net.data.persons, None
            self.modality = stored_name(net.data.modalities)
            self.name, accuracy = json.loads(meta["recipe"])["network"], meta["accuracy_integer"]
        else:
            self.network, meta = load_teacher(self.path)
            config = TeacherConfig.from_dict(meta["config"])
            self.body, self.persons, self.width = config.body, config.persons, config.base_channels
            self.modality, self.name, accuracy = meta["modality"], config.network, meta["test"]["accuracy"]
        self.preprocess = Preprocess.from_json(meta["preprocess"])
        self.data, self.protocol, self.labels = meta["data"], meta["protocol"], tuple(meta["labels"])
        self.digest = hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]
        self.described = f"{self.name} {self.modality}, test {accuracy:.4f}, sha256 {self.digest}"

    @property
    def spiking(self) -> bool:
        """Whether it is a spiking network; it then has no layers for the FTM."""
        return isinstance(self.network, SpikingGraphNet)

    def forward(self, view: Tensor, dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
        """Logits (N, J) and the outputs of all layers (none of a spiking network's) for (N, C, F, M V) int8."""
        if isinstance(self.network, SpikingGraphNet):
            return self.network(view, dtype=dtype).logits.float(), []
        with torch.autocast(view.device.type, dtype, enabled=dtype != torch.float32):
            answer = self.network(unfold_persons(view, self.persons))
        return answer.logits.float(), answer.features


class Teachers(nn.Module):
    """Trained networks of one or several streams, in evaluation mode whatever the module around them does.

    Parameters
    ----------
    folders : sequence of path
        One per stream, see :class:`Teacher`.

    Raises
    ------
    ConfigError
        When a folder holds no finished run, two CTR-GCN or ST-GCN streams are of the same modality, or one spiking
        network is named twice.
    """

    def __init__(self, folders: Sequence[str | os.PathLike[str]]) -> None:
        super().__init__()
        self.folders = [Path(folder) for folder in folders]
        self.streams = [Teacher(folder) for folder in self.folders]
        self.networks = nn.ModuleList(self.streams)
        self.preprocess = [stream.preprocess for stream in self.streams]
        self.requires_grad_(False)
        self.train(False)
        modalities = [stream.digest if stream.spiking else stream.modality for stream in self.streams]
        if len(set(modalities)) < len(modalities):
            raise ConfigError("two teachers are the same network, or of the same modality", "--teacher",
                              ", ".join(stream.modality for stream in self.streams), "one run of each modality")

    def check(self, *, pack: Pack, data: str, protocol: str, persons: int) -> None:
        """Compare what the teachers were trained on with what the student is trained on.

        Raises
        ------
        ConfigError
            Other data, split, classes, body or number of persons.
        """
        for stream in self.streams:
            for what, got, allowed in (
                    ("other data", stream.data, data), ("another split", stream.protocol, protocol),
                    ("other classes", stream.labels, pack.class_names),
                    ("another body", stream.body, pack.body), ("another number of persons", stream.persons, persons)):
                if got != allowed:
                    raise ConfigError(f"the teacher was trained on {what}", str(stream.path), _short(got),
                                      _short(allowed), "train one with the student's data, or change the student's")

    def describe(self) -> tuple[str, ...]:
        """Network, modality, test accuracy and a digest of the weights file of each teacher."""
        return tuple(stream.described for stream in self.streams)

    def channels(self, layer: int) -> list[int]:
        """Channels of each stream after ``layer`` (1..10).

        Raises
        ------
        ConfigError
            When a stream is a spiking network.
        """
        for stream in self.streams:
            if stream.width is None:
                raise ConfigError("a spiking teacher has soft labels, and no features for the FTM", str(stream.path),
                                  fix="make the third --gamma 0")
        return [LAYERS[layer - 1][0] * (stream.width or 0) for stream in self.streams]

    def train(self, mode: bool = True) -> Teachers:
        """Stay in evaluation mode."""
        return super().train(False)

    def views(self, pack: Pack, augment: Augment) -> ExtraTensors:
        """For :class:`~mksgn.training.batches.Batches`: each teacher's view of a batch, augmented as the student's.

        The random numbers of an augmentation depend on the number of persons only, so that the same generator makes
        the same rotation, cut and noise for every modality and number of frames.
        """
        def make(indices: np.ndarray, rng: np.random.Generator) -> list[Tensor]:
            made, start = [], rng.bit_generator.state
            for preprocess in self.preprocess:
                rng.bit_generator.state = start
                made.append(torch.from_numpy(
                    np.stack([preprocess.of(pack, i, augment, rng) for i in indices])))
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
        seen = [stream(view, dtype) for stream, view in zip(self.streams, views, strict=True)]
        features = []
        if all(layers for _, layers in seen):
            features = [[layers[layer - 1] for _, layers in seen] for layer in FEATURE_LAYERS]
        return Lesson(torch.stack([logits for logits, _ in seen], 1), features)


def cached_logits(folders: Sequence[Path], pack: Pack, indices: np.ndarray) -> ExtraTensors:
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
