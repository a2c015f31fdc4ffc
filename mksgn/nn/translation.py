"""FTM, the feature translation module: features of a teacher as spikes that a student's can be compared with.

It exists in training only: no spiking network refers to it, and nothing of it is exported.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mksgn.errors import ConfigError
from mksgn.nn.projections import ConvProjection
from mksgn.nn.spike_coding import KERNEL, PADDING, SpikeCoder


class FeatureTranslation(nn.Module):
    r"""Features of all streams at one layer of the teachers to spikes like those of one layer of the student.

    .. math::
        T_{Am} &= BN(Conv(cat(T_{Ab}, T_{Aj}, T_{Abm}, T_{Ajm}))) \qquad (27)\\
        T_{Sm} &= SN(BN(Conv(PCM(T_{Am})))) \qquad (28)

    The convolution of Eq. 27 is depth-wise separable, 3 x 3 and then 1 x 1, and keeps the number of channels. Eq. 28 is
    the spike coder's chain (Eq. 3-4): PCM presents the same values at each of the T steps. Persons, a batch dimension
    in the teachers, become joints as in the student; where the teachers have another number of frames, theirs are
    averaged over (or repeated for) the student's.

    Parameters
    ----------
    channels : sequence of int
        Channels of each teacher stream at its layer.
    shape : (C, F, V)
        The student's population; V over all persons.
    voltage_decay, current_decay : float
        Of the spiking neurons: the student's.

    Raises
    ------
    ConfigError
        When there is no stream.
    """

    def __init__(self, channels: Sequence[int], shape: tuple[int, int, int], *, voltage_decay: float = 0.75,
                 current_decay: float = 1.0) -> None:
        super().__init__()
        if not channels:
            raise ConfigError("there are no teacher features to translate", allowed="one or more streams")
        self.channels, self.shape = tuple(channels), shape
        total = sum(channels)
        self.depthwise = nn.Conv2d(total, total, KERNEL, padding=PADDING, groups=total, bias=False)
        self.pointwise = nn.Conv2d(total, total, 1, bias=False)
        self.norm = nn.BatchNorm2d(total)
        coder = ConvProjection(("teacher",), total, shape[0], KERNEL, padding=PADDING)
        self.coder = SpikeCoder(shape, [coder], joint_bias=False, voltage_decay=voltage_decay,
                                current_decay=current_decay)

    def forward(self, features: Sequence[Tensor], steps: int, *, dtype: torch.dtype = torch.float32) -> Tensor:
        """Translate one batch.

        Parameters
        ----------
        features : sequence of float Tensor (N M, C_s, F_t, V_1)
            Of each stream, persons folded into the batch, sample-major.
        steps : int
            T.
        dtype : torch.dtype
            Of the products and of the result.

        Returns
        -------
        Tensor (N T, C, F, M V_1) of 0 and 1

        Raises
        ------
        ConfigError
            When the features have other channels than promised, or joints that do not make up the student's.
        """
        fused = self._fit(features).to(dtype).contiguous(memory_format=torch.channels_last)
        fused = F.conv2d(fused, self.depthwise.weight.to(dtype), None, 1, 1, 1, fused.shape[1])
        fused = self.norm(F.conv2d(fused, self.pointwise.weight.to(dtype)).float()).to(dtype)
        return self.coder.encode(fused, steps)[0]

    def _fit(self, features: Sequence[Tensor]) -> Tensor:
        """Concatenated channels, persons as joints, the student's number of frames: (N, sum of C_s, F, V)."""
        given = tuple(part.shape[1] for part in features)
        joints = features[0].shape[3] if features else 0
        persons, rest = divmod(self.shape[2], joints) if joints else (0, 1)
        if given != self.channels or rest or any(part.shape[0] % persons for part in features):
            raise ConfigError("teacher features do not fit the translation", "feature translation module",
                              f"{[tuple(part.shape) for part in features]}",
                              f"channels {self.channels}, joints and persons that make {self.shape[2]}")
        size = (self.shape[1], joints)
        fitted = [part if part.shape[2:] == size else F.adaptive_avg_pool2d(part, size) for part in features]
        fused = torch.cat(fitted, 1)
        fused = fused.unflatten(0, (-1, persons)).permute(0, 2, 3, 1, 4)  # (N, C, F, M, V)
        return fused.flatten(3)
