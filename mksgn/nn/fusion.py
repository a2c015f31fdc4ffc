"""Spiking multimodal fusion (SMF, paper Eq. 16-24): mutual information between modalities, and the weights it gives.

Every modality m has a spike coder of its own, P_m. How much two of them share is estimated by a
lower bound of their mutual information (Donsker and Varadhan 1983; as a trained critic: MINE,
Belghazi et al., ICML 2018), from the pair as it is (joint) and with one of the two moved along the time
steps (marginal):

.. math::
    mi_{ab} = \\overline{t(P_a, P_b)} - \\log \\overline{\\exp t(P_a, P_b \\circ \\sigma)}       \\qquad (21)

The weights follow from the symmetric matrix of these bounds, and the features are
:math:`P_{fuse} = \\sum_m W_m P_m` (Eq. 24). How ambiguous places of the paper are read:
docs/decisions/0004-multimodal-fusion.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

FUSIONS = ("smf", "fixed", "sum")
"""Weights by mutual information, per sample; given weights; or all 1."""
CRITIC_LIMIT = 10.0
"""Largest |t|: where joint and marginal do not overlap, the bound of a free critic grows without end."""
FLAT = 1e-6
"""Mutual information (nats) by which row sums must differ for Eq. 23 to have a meaning."""


def fusion_weights(information: Tensor) -> Tensor:
    """Weights of the modalities (Eq. 22-23) from the matrix of their mutual information.

    Parameters
    ----------
    information : float tensor (..., M, M)
        Symmetric, the diagonal 0, in nats. Mutual information is never negative, so a negative bound says no more
        than 0 and is taken as 0; Eq. 22 would otherwise reverse the order wherever the sum is negative.

    Returns
    -------
    float tensor (..., M)
        1 for the modality that shares most, 0 for the one that shares least; all 1 where no modality stands out
        (Eq. 23 is then 0 / 0).
    """
    rows = information.clamp(min=0).sum(dim=-1)
    total = rows.sum(dim=-1, keepdim=True)
    average = rows / total.clamp(min=FLAT)
    low, high = average.amin(dim=-1, keepdim=True), average.amax(dim=-1, keepdim=True)
    flat = (high - low) * total <= FLAT
    weights = (average - low) / (high - low).clamp(min=torch.finfo(average.dtype).tiny)
    return torch.where(flat, torch.ones_like(weights), weights)


def lower_bound(joint: Tensor, marginal: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Eq. 21 with means over ``dims``: mean of ``joint`` minus the log of the mean of exp ``marginal``, in nats."""
    count = math.prod(marginal.shape[d] for d in dims)
    return joint.mean(dim=dims) - (torch.logsumexp(marginal, dim=dims) - math.log(count))


class MutualInformation(nn.Module):
    """The estimator of Eq. 16-21: for each pair of modalities an LSTM over the time steps and a fully connected layer.

    A coder's spikes are averaged over frames and joints first, so a step of the sequence is (2 C,) firing rates,
    each standardised over the batch. The shuffles of Eq. 17 are the T - 1 cyclic shifts of the time steps, all of
    them: no step keeps its partner, each other one is met equally often, and nothing is left to chance.

    Parameters
    ----------
    modalities : int
        M.
    channels : int
        C of each coder.
    hidden : int
        Width of the LSTMs.
    """

    def __init__(self, modalities: int, channels: int, hidden: int = 32) -> None:
        super().__init__()
        self.modalities = modalities
        self.pairs = tuple(combinations(range(modalities), 2))
        self.scaling = nn.ModuleList(nn.BatchNorm1d(channels, affine=False) for _ in range(modalities))
        self.lstms = nn.ModuleList(nn.LSTM(2 * channels, hidden, batch_first=True) for _ in self.pairs)
        self.heads = nn.ModuleList(nn.Linear(hidden, 1) for _ in self.pairs)

    def forward(self, rates: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Mutual information of every pair of modalities.

        Parameters
        ----------
        rates : M float32 tensors (N, T, C)
            Firing rates of each coder's channels at each step, T at least 2.

        Returns
        -------
        per_sample : (N, M, M)
            Eq. 21 with the means over a sample's own steps: what weighs its modalities.
        bound : 0-dim
            Sum over the pairs of Eq. 21 with the means over batch and steps: what training maximises.
        """
        sequences = [scale(x.flatten(0, 1)).unflatten(0, x.shape[:2]) for scale, x in zip(self.scaling, rates)]
        samples, steps, _ = sequences[0].shape
        per_sample = sequences[0].new_zeros(samples, self.modalities, self.modalities)
        bound = sequences[0].new_zeros(())
        for (a, b), lstm, head in zip(self.pairs, self.lstms, self.heads):
            # Shift 0 is the joint distribution (Eq. 16), the others are marginal (Eq. 17-18): (T, N, T, 2 C).
            shifted = torch.stack([torch.cat([sequences[a], sequences[b].roll(shift, dims=1)], dim=2)
                                   for shift in range(steps)])
            t = head(lstm(shifted.flatten(0, 1))[0]).squeeze(2).unflatten(0, (steps, samples))
            t = CRITIC_LIMIT * torch.tanh(t / CRITIC_LIMIT)
            joint, marginal = t[:1], t[1:]
            per_sample[:, a, b] = per_sample[:, b, a] = lower_bound(joint, marginal, (0, 2)).detach()
            bound = bound + lower_bound(joint, marginal, (0, 1, 2))
        return per_sample, bound


class Fusion(nn.Module):
    """P_fuse (Eq. 24) of the coders' spikes.

    The estimator sees rates cut off from the graph, and the weights are measurements, not functions of it: its bound
    trains the estimator alone, the task trains the coders alone.

    Parameters
    ----------
    modalities, channels : int
    kind : 'smf', 'fixed' or 'sum'
    weights : sequence of float, optional
        For 'fixed', one per modality.

    Attributes
    ----------
    estimator : MutualInformation or None
        For 'smf'.
    fixed_weights : tuple of float or None
        One per modality; None where they depend on the sample.
    """

    weights: Tensor

    def __init__(self, modalities: int, channels: int, kind: str, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.kind = kind
        self.fixed_weights = (1.0,) * modalities if kind == "sum" else None if weights is None else tuple(weights)
        self.estimator = MutualInformation(modalities, channels) if kind == "smf" else None
        self.register_buffer("weights", torch.ones(modalities) if weights is None else torch.tensor(weights),
                             persistent=False)

    def fix(self, weights: Sequence[float]) -> None:
        """Weigh every sample alike from here on; the estimator is gone."""
        self.estimator = None
        self.kind, self.fixed_weights = "fixed", tuple(float(weight) for weight in weights)
        self.weights = torch.tensor(weights, dtype=torch.float32, device=self.weights.device)

    def forward(self, trains: Sequence[Tensor], steps: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Fuse spikes, M tensors (N T, C, F, V).

        Returns
        -------
        fused : (N T, C, F, V)
        weights : (N, M)
            Of every sample, without gradient.
        bound : 0-dim or None
            The quantity that the estimator is to maximise; None without one.
        """
        samples = len(trains[0]) // steps
        weights, bound = self.weights.expand(samples, -1), None
        if self.estimator is not None:
            rates = [x.detach().mean(dim=(2, 3), dtype=torch.float32).unflatten(0, (samples, steps)) for x in trains]
            per_sample, bound = self.estimator(rates)
            weights = fusion_weights(per_sample)
        fused: Tensor | None = None
        for train, weight in zip(trains, weights.to(trains[0].dtype).repeat_interleave(steps, 0).T):
            weight = weight[:, None, None, None]
            fused = train * weight if fused is None else torch.addcmul(fused, train, weight)
        assert fused is not None
        return fused, weights, bound
