"""What CTR-GCN and ST-GCN share: ten layers of joint mixing and temporal convolution between a data norm and a mean.

Letters: N samples, M persons, C channels, F video frames, V joints of one person, K adjacency partitions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mksgn.errors import ConfigError

#: (width in units of ``base_channels``, temporal stride) of each layer; both networks use this plan.
LAYERS = ((1, 1), (1, 1), (1, 1), (1, 1), (2, 2), (2, 1), (2, 1), (4, 2), (4, 1), (4, 1))


class Recognition(NamedTuple):
    """What a forward pass returns.

    Parameters
    ----------
    logits : float32 Tensor (N, classes)
    features : tuple of Tensor (N * M, C_l, F_l, V)
        After each of the ten layers, ``features[l - 1]`` after layer l; persons are folded into the batch,
        sample-major. Layers 5 and 8, where width doubles and frames halve, are what MK-SGN distils from.
    """

    logits: Tensor
    features: tuple[Tensor, ...]


class GraphStack(nn.Module):
    """Data norm, ten layers, mean over persons, frames and joints, linear classifier.

    Parameters
    ----------
    layers : nn.ModuleList
        Each maps (N M, C, V, F) to (N M, C', V, F'): frames last, so that no layer has to move its data.
    classes, channels, persons, joints : int
        Outputs; coordinates per joint; persons per sample; joints of one person.
    norm_persons : bool
        Whether the data norm keeps statistics per person (CTR-GCN) or shares them (ST-GCN).
    width : int
        Channels after the last layer.
    dropout : float
        Before the classifier.
    """

    def __init__(self, layers: nn.ModuleList, *, classes: int, channels: int, persons: int, joints: int,
                 norm_persons: bool, width: int, dropout: float) -> None:
        super().__init__()
        self.channels, self.persons, self.joints, self.norm_persons = channels, persons, joints, norm_persons
        self.data_norm = nn.BatchNorm1d((persons if norm_persons else 1) * joints * channels)
        self.layers = layers
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Recognition:
        """Recognise a batch.

        Parameters
        ----------
        x : float Tensor (N, C, F, V, M)
            Coordinates in the layout of the published networks. For what our preprocessing makes, (N, C, F, M V),
            see :func:`unfold_persons`.

        Returns
        -------
        Recognition

        Raises
        ------
        ConfigError
            When the batch has another shape.
        """
        expected = (self.channels, self.joints, self.persons)
        if x.dim() != 5 or (x.shape[1], *x.shape[3:]) != expected:
            raise ConfigError("a batch does not fit the network", got=str(tuple(x.shape)),
                              allowed="(N, {}, F, {}, {})".format(*expected))
        samples, frames = x.shape[0], x.shape[2]
        lanes = self.persons if self.norm_persons else 1
        # (N, M, V, C, F): the order in which the published networks number the channels of the data norm.
        x = x.permute(0, 4, 3, 1, 2).reshape(samples * self.persons // lanes, -1, frames)
        x = self.data_norm(x).view(samples * self.persons, self.joints, self.channels, frames).transpose(1, 2)
        x = x.contiguous()
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x.transpose(2, 3))
        with torch.autocast(x.device.type, enabled=False):
            pooled = x.float().mean((2, 3)).view(samples, self.persons, -1).mean(1)
            return Recognition(self.classifier(self.dropout(pooled)), tuple(features))


def unfold_persons(samples: Tensor, persons: int) -> Tensor:
    """Turn preprocessed samples (N, C, F, M V), joint m V + v, into what the networks read: (N, C, F, V, M).

    Integers become float32 in [-1, 1]: graded spikes of 127 are 1.
    """
    if not samples.is_floating_point():
        samples = samples.float() / 127
    return samples.unflatten(3, (persons, -1)).transpose(3, 4)
