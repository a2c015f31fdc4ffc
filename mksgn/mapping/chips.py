"""Which core lies on which chip, so that few messages pass from chip to chip.

The chips are filled one after another, all but the last one whole, so the number of chips stays what it is: only cores
change places. Two fillings are begun with: the cores in the order of the network, and chips that grow by the core
that exchanges most with what is already there. Each is improved by swapping cores of two chips (Kernighan and Lin 1970,
with the gains kept by vertex and part as Fiduccia and Mattheyses 1982 do); the better one counts, and the order of the
network is never made worse. Everything is deterministic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mksgn.mapping.traffic import HOST, Flow

MOST_CORES = 8192
"""Nets on more cores are placed in the order of the network: the swaps would take minutes."""
_PASSES = 20
"""Rounds of swaps, at most."""
_PATIENCE = 60
"""Swaps without a new best, after which a round ends."""
_TOP = 6
"""Candidates of each of two chips that are tried with each other."""


@dataclass(frozen=True, eq=False)
class Exchange:
    """Messages per sample that pass between two cores in either direction, as rows of neighbours.

    Parameters
    ----------
    first : int64 ndarray (cores + 1,)
        Where the neighbours of each core begin.
    other : int64 ndarray (entries,)
        Ascending for each core, the core itself left out.
    messages : float64 ndarray (entries,)
    """

    first: np.ndarray
    other: np.ndarray
    messages: np.ndarray

    @classmethod
    def of(cls, flows: Iterable[Flow], cores: int) -> Exchange:
        """The sum of ``flows`` between ``cores`` cores; the host's are left out."""
        keys: list[np.ndarray] = [np.zeros(0, np.int64)]
        values: list[np.ndarray] = [np.zeros(0)]
        for flow in flows:
            kept = (flow.sender != HOST) & (flow.sender != flow.receiver)
            sender, receiver = flow.sender[kept], flow.receiver[kept]
            both = np.concatenate([sender * cores + receiver, receiver * cores + sender])
            key, where = np.unique(both, return_inverse=True)
            keys.append(key)
            values.append(np.bincount(where, np.tile(flow.messages[kept], 2), len(key)))
        key, where = np.unique(np.concatenate(keys), return_inverse=True)
        messages = np.bincount(where, np.concatenate(values), len(key)) if len(key) else np.zeros(0)
        return cls(np.searchsorted(key, np.arange(cores + 1) * cores), key % max(cores, 1), messages)

    @property
    def cores(self) -> int:
        return len(self.first) - 1

    def row(self, core: int) -> tuple[np.ndarray, np.ndarray]:
        """Neighbours of a core, and the messages to and from each."""
        here = slice(self.first[core], self.first[core + 1])
        return self.other[here], self.messages[here]

    def between(self, chip: np.ndarray) -> float:
        """Messages between cores of different chips, int64 (cores,)."""
        owner = np.repeat(np.arange(self.cores), np.diff(self.first))
        return float(self.messages[chip[owner] != chip[self.other]].sum()) / 2


def arranged(exchange: Exchange, cores_per_chip: int) -> np.ndarray:
    """New number of every core, int64 (cores,): chips hold ``cores_per_chip`` consecutive numbers.

    Messages between chips are never more than in the given order. Within a chip the given order is kept.
    """
    given = np.arange(exchange.cores) // cores_per_chip
    if exchange.cores <= cores_per_chip:
        return np.arange(exchange.cores)
    found = [_Swaps(exchange, start).improved() for start in (given, _grown(exchange, cores_per_chip))]
    best = min([given, *found], key=exchange.between)  # the first of equals: the given order
    number = np.empty(exchange.cores, np.int64)
    number[np.argsort(best, kind="stable")] = np.arange(exchange.cores)
    return number


def _grown(exchange: Exchange, cores_per_chip: int) -> np.ndarray:
    """Chip of every core: each chip takes the core that exchanges the largest share of its messages with it."""
    chip = np.full(exchange.cores, -1)
    total = np.maximum([exchange.row(core)[1].sum() for core in range(exchange.cores)], 1e-12)
    for number in range(-(-exchange.cores // cores_per_chip)):
        near = np.zeros(exchange.cores)
        for _ in range(min(cores_per_chip, int((chip < 0).sum()))):
            core = int(np.where(chip < 0, near / total, -1.0).argmax())  # at first the earliest core that is left
            chip[core] = number
            others, messages = exchange.row(core)
            near[others] += messages
    return chip


class _Swaps:
    """Cores on chips, and what moving each to every chip would bring.

    Parameters
    ----------
    exchange : Exchange
    chip : int64 ndarray (cores,)
        What is begun with.
    """

    def __init__(self, exchange: Exchange, chip: np.ndarray):
        self.exchange, self.chip = exchange, chip.copy()
        self.chips = int(chip.max()) + 1
        owner = np.repeat(np.arange(exchange.cores), np.diff(exchange.first))
        self.to = np.zeros((exchange.cores, self.chips))
        """Messages that each core exchanges with each chip: float64 (cores, chips)."""
        np.add.at(self.to, (owner, chip[exchange.other]), exchange.messages)

    def improved(self) -> np.ndarray:
        """The chip of every core once no round of swaps helps any more."""
        for _ in range(_PASSES):
            if not self._round():
                break
        return self.chip

    def _round(self) -> bool:
        """Swap the best pair of cores that have not moved yet, again and again; keep the best of all states."""
        free = np.ones(self.exchange.cores, bool)
        done: list[tuple[int, int]] = []
        gained, best, length = 0.0, 1e-6, 0
        while len(done) - length < _PATIENCE:
            found = self._best_pair(free)
            if found is None:
                break
            gain, one, other = found
            self._swap(one, other)
            free[[one, other]] = False
            done.append((one, other))
            gained += gain
            if gained > best:
                best, length = gained, len(done)
        for one, other in reversed(done[length:]):
            self._swap(one, other)
        return length > 0

    def _best_pair(self, free: np.ndarray) -> tuple[float, int, int] | None:
        """Gain and cores of the best swap that is looked at: the best movers of the most promising pairs of chips."""
        own = self.to[np.arange(self.exchange.cores), self.chip]
        gain = np.where(free[:, None], self.to - own[:, None], -np.inf)
        most = np.full((self.chips, self.chips), -np.inf)
        np.maximum.at(most, self.chip, gain)
        np.fill_diagonal(most, -np.inf)
        pairs = np.triu(most + most.T, 1)
        pairs[np.tril_indices(self.chips)] = -np.inf
        best: tuple[float, int, int] | None = None
        for pair in np.argsort(-pairs, axis=None, kind="stable")[:_TOP]:
            a, b = divmod(int(pair), self.chips)
            if not np.isfinite(pairs[a, b]) or (best is not None and pairs[a, b] <= best[0]):
                break
            here, there = (self._movers(gain, source, target) for source, target in ((a, b), (b, a)))
            for one in here:
                others, messages = self.exchange.row(one)
                for other in there:
                    at = int(np.searchsorted(others, other))
                    direct = float(messages[at]) if at < len(others) and others[at] == other else 0.0
                    value = float(gain[one, b] + gain[other, a]) - 2 * direct
                    if best is None or value > best[0]:
                        best = (value, one, other)
        return best

    def _movers(self, gain: np.ndarray, source: int, target: int) -> list[int]:
        """Cores of ``source`` that would gain most on ``target``."""
        members = np.flatnonzero((self.chip == source) & np.isfinite(gain[:, target]))
        return members[np.argsort(-gain[members, target], kind="stable")[:_TOP]].tolist()

    def _swap(self, one: int, other: int) -> None:
        for core, chip in ((one, self.chip[other]), (other, self.chip[one])):
            others, messages = self.exchange.row(core)
            self.to[others, self.chip[core]] -= messages
            self.to[others, chip] += messages
            self.chip[core] = chip
