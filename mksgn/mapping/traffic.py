"""Messages between cores: which core's neurons send how many messages to which core.

A neuron sends one message to every core that reads it, however many synapses it feeds there, and one more for each
other delay that its axons make: what a core reads of a population is a union of boxes. Boxes are products of one mask
per axis, so messages from every box of a source to every box of a target come from three small matrix products, and
unions from inclusion and exclusion. Only a core that reads one population through several of its own boxes of neurons
is counted on its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import combinations

import numpy as np

from mksgn.ir.synapses import Synapse
from mksgn.mapping.grid import Edges, Grid
from mksgn.mapping.reach import source_boxes
from mksgn.mapping.wiring import Activity, Wiring

Masks = tuple[np.ndarray, np.ndarray, np.ndarray]
HOST = -1
"""Sender of the network's input."""
_PAIRS = 1 << 21
"""Pairs of cores that are in memory at once."""


@dataclass(frozen=True, eq=False)
class Flow:
    """A part of the messages per sample from core to core; the messages of a pair are the sum over all flows.

    Parameters
    ----------
    sender, receiver : int64 ndarray (pairs,)
        Cores; :data:`HOST` sends the input.
    messages : float64 ndarray (pairs,)
        Negative where a union takes off what was counted twice.
    """

    sender: np.ndarray
    receiver: np.ndarray
    messages: np.ndarray


def flows(wiring: Wiring, grids: Mapping[str, Grid], core: Mapping[str, np.ndarray],
          activity: Activity) -> Iterator[Flow]:
    """All messages, part by part.

    Parameters
    ----------
    wiring : Wiring
    grids : mapping of population to Grid
        All but the input.
    core : mapping of population to int64 ndarray (boxes,)
    activity : mapping of population to float64 ndarray (C, F, V)
        Messages per neuron and sample.
    """
    for population in wiring.populations:
        for synapses in wiring.axon_delays(population.name).values():
            yield from flows_from(wiring, population.name, synapses, grids, core, activity)


def flows_from(wiring: Wiring, name: str, synapses: list[Synapse], grids: Mapping[str, Grid],
               core: Mapping[str, np.ndarray], activity: Activity) -> Iterator[Flow]:
    """Messages that population ``name`` sends to ``synapses``, to all of them at once."""
    grid = grids.get(name) or Grid.even(wiring[name].shape, (1, 1, 1))
    senders = core.get(name, np.array([HOST])).reshape(grid.parts)
    values = np.asarray(activity[name], np.float64)
    read = _reads(wiring, synapses, grids)
    shared = _shared(read, core)
    for target, boxes in read.items():
        alone = ~np.isin(core[target], shared)
        yield from _between(values, grid, senders, boxes, core[target].reshape(grids[target].parts),
                            alone.reshape(grids[target].parts))
    for receiver in shared:
        yield _into_one(values, grid, senders, int(receiver), _boxes_on(read, grids, core, int(receiver)))


def _reads(wiring: Wiring, synapses: list[Synapse], grids: Mapping[str, Grid]) -> dict[str, list[Masks]]:
    """Masks of their source, a triple per synapse and its source boxes, for each population that reads it."""
    found: dict[str, list[Masks]] = {}
    for synapse in synapses:
        found.setdefault(synapse.target, []).extend(
            boxes.masks for boxes in source_boxes(synapse, wiring.shape(synapse), wiring[synapse.target].shape,
                                                  grids[synapse.target]))
    return found


def _shared(read: Mapping[str, list[Masks]], core: Mapping[str, np.ndarray]) -> np.ndarray:
    """Cores with more than one box of neurons that may read the source."""
    cores, boxes = np.unique(np.concatenate([core[target] for target in read]), return_counts=True)
    return cores[boxes > 1]


def _between(values: np.ndarray, grid: Grid, senders: np.ndarray, boxes: list[Masks], receivers: np.ndarray,
             alone: np.ndarray) -> Iterator[Flow]:
    """Messages from every box of the source to the boxes of one target that are ``alone`` on their core."""
    boxes = _outermost(boxes)
    for size in range(1, len(boxes) + 1):
        for chosen in combinations(boxes, size):
            masks = [reduce(np.logical_and, (box[axis] for box in chosen)) for axis in range(3)]
            if not all(mask.any() for mask in masks):
                continue
            pairs = [_pairs(mask, edges) for mask, edges in zip(masks, grid.edges)]
            sums = values
            for axis in (2, 1, 0):
                sums = np.moveaxis(np.tensordot(sums, pairs[axis].parts, axes=(axis, 0)), -1, axis)
            yield from _emit(sums if size % 2 else -sums, pairs, senders, receivers, alone)


def _outermost(boxes: list[Masks]) -> list[Masks]:
    """``boxes`` without those that lie within another for every target cell: they add nothing to the union."""
    kept: list[Masks] = []
    for number, box in enumerate(boxes):
        others = kept + boxes[number + 1:]
        if not any(all(bool((mask <= other).all()) for mask, other in zip(box, masks)) for masks in others):
            kept.append(box)
    return kept


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Along one axis: which range of the target reads which range of the source, and what of it.

    ``target`` and ``source`` are ranges (pairs,); ``part`` is the column of ``parts`` (length, different parts).
    """

    target: np.ndarray
    source: np.ndarray
    part: np.ndarray
    parts: np.ndarray


def _pairs(mask: np.ndarray, edges: Edges) -> _Pairs:
    different, which = np.unique(mask, axis=0, return_inverse=True)
    inside = np.add.reduceat(different.astype(np.int64), edges[:-1], axis=1) > 0
    row, source = np.nonzero(inside)
    range_of = np.searchsorted(edges, np.arange(mask.shape[1]), side="right") - 1
    parts = (different[row] & (range_of[None, :] == source[:, None])).T.astype(np.float64)
    number = np.full(inside.shape, -1)
    number[row, source] = np.arange(len(row))
    targets, sources = np.nonzero(inside[which])
    return _Pairs(targets, sources, number[which[targets], sources], parts)


def _emit(sums: np.ndarray, pairs: list[_Pairs], senders: np.ndarray, receivers: np.ndarray,
          alone: np.ndarray) -> Iterator[Flow]:
    channels, frames, joints = pairs
    step = max(1, _PAIRS // max(len(frames.part) * len(joints.part), 1))
    for start in range(0, len(channels.part), step):
        chunk = slice(start, start + step)
        sender = senders[np.ix_(channels.source[chunk], frames.source, joints.source)]
        at = np.ix_(channels.target[chunk], frames.target, joints.target)
        messages = sums[np.ix_(channels.part[chunk], frames.part, joints.part)]
        kept = alone[at] & (messages != 0)
        yield Flow(sender[kept], receivers[at][kept], messages[kept])


def _boxes_on(read: Mapping[str, list[Masks]], grids: Mapping[str, Grid], core: Mapping[str, np.ndarray],
              receiver: int) -> list[Masks]:
    found: list[Masks] = []
    for target, boxes in read.items():
        for number in np.flatnonzero(core[target] == receiver):
            c, f, v = np.unravel_index(number, grids[target].parts)
            found.extend((channels[c], frames[f], joints[v]) for channels, frames, joints in boxes)
    return found


def _into_one(values: np.ndarray, grid: Grid, senders: np.ndarray, receiver: int, boxes: list[Masks]) -> Flow:
    """Messages to one core, over the union of ``boxes``."""
    union = np.zeros(values.shape, bool)
    for channels, frames, joints in boxes:
        union |= channels[:, None, None] & frames[None, :, None] & joints[None, None, :]
    sums = grid.sums(values * union)
    kept = sums != 0
    return Flow(senders[kept], np.full(int(kept.sum()), receiver), sums[kept])
