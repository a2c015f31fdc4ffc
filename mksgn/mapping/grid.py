"""Populations cut into boxes: a channel range x a frame range x a joint range each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mksgn.ir.synapses import Shape

Edges = tuple[int, ...]


@dataclass(frozen=True)
class Slab:
    """A box of neurons of one population.

    Parameters
    ----------
    population : str
    shape : (C, F, V)
        Of the whole population.
    channels, frames, joints : (first, one past the last)
    """

    population: str
    shape: Shape
    channels: tuple[int, int]
    frames: tuple[int, int]
    joints: tuple[int, int]

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod([high - low for low, high in (self.channels, self.frames, self.joints)]))

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Index of the box in an array (C, F, V)."""
        return (slice(*self.channels), slice(*self.frames), slice(*self.joints))

    @property
    def ids(self) -> np.ndarray:
        """Flat ids of its neurons, in (C, F, V) order: int64 (size,), ascending."""
        _, frames, joints = self.shape
        channel, frame, joint = (np.arange(*r) for r in (self.channels, self.frames, self.joints))
        return ((channel[:, None, None] * frames + frame[None, :, None]) * joints + joint[None, None, :]).ravel()


@dataclass(frozen=True)
class Grid:
    """A population cut along its three axes.

    Parameters
    ----------
    edges : three tuples of int
        Boundaries along channels, frames and joints: 0, ..., length.
    """

    edges: tuple[Edges, Edges, Edges]

    @classmethod
    def even(cls, shape: Shape, parts: tuple[int, int, int]) -> Grid:
        """``shape`` in ``parts`` ranges along each axis, whose lengths differ by one at most."""
        return cls(tuple(even_edges(length, count) for length, count in zip(shape, parts)))  # type: ignore[arg-type]

    @property
    def parts(self) -> tuple[int, int, int]:
        """Ranges along channels, frames and joints."""
        return tuple(len(edges) - 1 for edges in self.edges)  # type: ignore[return-value]

    @property
    def cells(self) -> int:
        """Number of boxes."""
        return int(np.prod(self.parts))

    @property
    def lengths(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Length of every range along each axis."""
        return tuple(np.diff(edges) for edges in self.edges)  # type: ignore[return-value]

    @property
    def sizes(self) -> np.ndarray:
        """Neurons of each box, int64 (parts)."""
        return outer(*self.lengths)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum of ``values`` (C, F, V) over each box: (parts)."""
        for axis, edges in enumerate(self.edges):
            if len(edges) == 2:
                values = values.sum(axis=axis, keepdims=True)
            else:
                values = np.add.reduceat(values, edges[:-1], axis=axis)
        return values

    def slabs(self, population: str, shape: Shape) -> Iterator[Slab]:
        """The boxes, in the order of :attr:`sizes` flattened."""
        ranges = [list(pairwise(edges)) for edges in self.edges]
        for channels in ranges[0]:
            for frames in ranges[1]:
                for joints in ranges[2]:
                    yield Slab(population, shape, channels, frames, joints)


def even_edges(length: int, count: int) -> Edges:
    """Boundaries of ``count`` ranges of 0..length whose lengths differ by one at most."""
    return tuple(number * length // count for number in range(count + 1))


def balanced_edges(weight: np.ndarray, count: int) -> Edges:
    """Boundaries of ``count`` non-empty ranges that share the weights (length,) evenly."""
    length = len(weight)
    running = np.concatenate([[0.0], np.cumsum(weight, dtype=np.float64)])
    if running[-1] <= 0:
        return even_edges(length, count)
    edges = [0]
    for number in range(1, count):
        wanted = running[-1] * number / count
        at = int(np.searchsorted(running, wanted))
        if at > 0 and wanted - running[at - 1] < running[min(at, length)] - wanted:
            at -= 1
        # Every range before and after keeps at least one element.
        edges.append(min(max(at, edges[-1] + 1), length - (count - number)))
    return (*edges, length)


def outer(channels: np.ndarray, frames: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Products (gc, gf, gv) of one number per range along each axis."""
    return channels[:, None, None] * frames[None, :, None] * joints[None, None, :]
