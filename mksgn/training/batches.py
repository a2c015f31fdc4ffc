"""Batches of preprocessed samples, in an order that depends only on seed and epoch."""

from __future__ import annotations

import copy
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Augment, Preprocess
from mksgn.errors import ConfigError

T = TypeVar("T")
ExtraTensors = Callable[[np.ndarray, np.random.Generator], Sequence[Tensor]]
"""Makes further tensors of a batch from its sequence numbers and a random generator of its own."""


class Batches:
    """Training batches: shuffled, augmented, the same for the same (seed, epoch) whatever ran before.

    Parameters
    ----------
    pack : Pack
    indices : int array
        Samples to train on.
    preprocess, augment
        See :mod:`mksgn.data.preprocess`.
    batch : int
        Samples per step over all ``world`` processes; each takes every world-th of them.
    passes : int
        Times an epoch goes through ``indices``.
    extra : callable, optional
        Makes what a batch holds beside samples and labels, such as what teachers see of it. Its generator is a copy of
        the one that augments the samples, as it was before, so that another preprocessing can see the same augmented
        samples.
    mixup : float
        alpha. Above 0 every sample is mixed with another of its batch, in a share drawn from Beta(alpha, alpha), and
        so are their labels and what ``extra`` makes (Zhang et al., arXiv 1710.09412).

    Raises
    ------
    ConfigError
        When a batch holds fewer samples than there are processes.
    """

    def __init__(self, pack: Pack, indices: np.ndarray, preprocess: Preprocess, augment: Augment, *, batch: int,
                 passes: int = 1, seed: int = 0, rank: int = 0, world: int = 1,
                 extra: ExtraTensors | None = None, mixup: float = 0.0) -> None:
        self.extra, self.mixup = extra, mixup
        self.pack, self.indices, self.preprocess, self.augment = pack, indices, preprocess, augment
        self.batch = min(batch, len(indices))
        self.passes, self.seed, self.rank, self.world = passes, seed, rank, world
        if self.batch < world:
            raise ConfigError("some processes have no sample of a batch", "--batch, --devices",
                              f"{self.batch} samples for {world} processes", "one or more for each",
                              "give a larger --batch, or fewer --devices")

    def __len__(self) -> int:
        """Optimiser steps per epoch; an incomplete last batch is dropped (it would disturb batch statistics)."""
        return self.passes * len(self.indices) // self.batch

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        """Yield (samples int8 (N, C, F, V), labels int64 (N,), what ``extra`` makes) of one epoch.

        With mixup the labels are float32 (N, J), the share of each of J classes. A thread prepares the batches ahead of
        need.
        """
        return ahead(self._prepare(epoch))

    def _prepare(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        order_rng = np.random.default_rng((self.seed, epoch))
        order = np.concatenate([order_rng.permutation(self.indices) for _ in range(self.passes)])
        for step in range(len(self)):
            mine = order[step * self.batch : (step + 1) * self.batch][self.rank :: self.world]
            rng = np.random.default_rng((self.seed, epoch, step, self.rank))
            extra = self.extra(mine, copy.deepcopy(rng)) if self.extra else ()
            samples = np.stack([self.preprocess.of(self.pack, i, self.augment, rng) for i in mine])
            made: tuple[Tensor, ...] = torch.from_numpy(samples), torch.from_numpy(self.pack.labels[mine]), *extra
            if self.mixup:
                made = self._mixed(made, np.random.default_rng((self.seed, epoch, step, self.rank, 1)))
            yield made

    def _mixed(self, batch: tuple[Tensor, ...], rng: np.random.Generator) -> tuple[Tensor, ...]:
        """A batch whose every sample holds a part of another."""
        samples, labels, *extra = batch
        other = torch.from_numpy(rng.permutation(len(labels)))
        share = torch.from_numpy(rng.beta(self.mixup, self.mixup, len(labels)).astype(np.float32))
        shares = F.one_hot(labels, len(self.pack.class_names)).float()
        return tuple(mixed(values, other, share) for values in (samples, shares, *extra))


def mixed(values: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """``share`` (N,) of every row of ``values`` (N, ...) and the rest of row ``other`` (N,); integers are rounded."""
    kept = share.view(-1, *[1] * (values.dim() - 1))
    result = values * kept + values[other] * (1 - kept)
    return result if values.is_floating_point() else result.round().to(values.dtype)


def ahead(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """Yield ``items``, up to ``depth`` of them made in a thread before they are asked for.

    What making one raises is raised here, in its place. The thread ends with the iterator, exhausted or dropped.
    """
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    dropped = threading.Event()

    def put(item: T | None, error: BaseException | None) -> bool:
        while not dropped.is_set():
            try:
                ready.put((item, error), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(item, None):
                    return
            put(None, StopIteration())
        except BaseException as error:
            put(None, error)

    thread = threading.Thread(target=make, daemon=True, name="batches")
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            assert item is not None
            yield item
    finally:
        dropped.set()
        thread.join()


def preprocessed(pack: Pack, indices: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    """Samples without augmentation: int8 (N, C, F, V)."""
    return np.stack([preprocess.of(pack, i) for i in indices])
