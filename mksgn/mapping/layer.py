"""One population on a board: what it would take and how busy its cores would be, cut in any way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, singledispatch

import numpy as np

from mksgn.ir.graph import Population
from mksgn.ir.synapses import Conv, Dense, Shape, Synapse
from mksgn.mapping.arrivals import arrivals
from mksgn.mapping.boards import Board
from mksgn.mapping.grid import Grid, balanced_edges, even_edges, outer
from mksgn.mapping.memory import in_axons, synapse_words
from mksgn.mapping.reach import source_boxes
from mksgn.mapping.wiring import Activity, Wiring

_MORE = 64
"""Cuts of up to so many times the fewest boxes are known, however small the board: axons may ask for them."""
_THIN = 0.96
"""A cut into more boxes is worth a look when its busiest box has at most this share of the load."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A way to cut a population.

    Parameters
    ----------
    grid : Grid
    load : float64 ndarray (parts)
        Nanoseconds per sample of each box, by the board's times.
    """

    grid: Grid
    load: np.ndarray

    @property
    def cells(self) -> int:
        return self.grid.cells

    @property
    def busiest(self) -> float:
        """Load of the busiest box."""
        return float(self.load.max())


class Layer:
    """A population, its incoming synapses and the activity that reaches it.

    Parameters
    ----------
    wiring : Wiring
    population : Population
    board : Board
    activity : mapping of population to float64 ndarray (C, F, V)
        Messages per neuron and sample.
    steps : int
        Steps per sample.
    """

    def __init__(self, wiring: Wiring, population: Population, board: Board, activity: Activity, steps: int):
        self.wiring, self.population, self.board, self.activity, self.steps = wiring, population, board, activity, steps
        self.synapses = wiring.into(population.name)
        self.leading = [synapse for synapse in self.synapses if wiring.leads(synapse.name)]
        """Those with axons, and so messages, of their own."""

    def source(self, synapse: Synapse) -> tuple[int, int, int]:
        """Shape of the sources of ``synapse``."""
        return self.wiring.shape(synapse)

    @property
    def key(self) -> tuple:
        """What the cuts of a population depend on, from one wiring of a graph to another."""
        strands = self.wiring.strands
        name = self.wiring.repeats.get(self.population.name, self.population.name)
        rules = tuple((s.name.split("#")[0] if s.name in strands and strands[s.name].synapse else "", s.weight.shape,
                       len(s.sources), *(() if s.name not in strands else
                                         (strands[s.name].listed, strands[s.name].leads, strands[s.name].held)))
                      for s in self.synapses)
        return (name, self.population.name in self.wiring.repeats, rules)

    # -------------------------------------------------------------------------------------- what a cut takes
    def usage(self, grid: Grid) -> dict[str, np.ndarray]:
        """Each resource that every box takes on its core, out-axons left out: int64 (parts) by name."""
        return self._with_state(grid.sizes, np.asarray(sum(self._words(synapse, grid) for synapse in self.synapses)),
                                np.asarray(sum(self._axons(synapse, grid) for synapse in self.leading)))

    def _with_state(self, sizes: np.ndarray, words: np.ndarray, axons: np.ndarray) -> dict[str, np.ndarray]:
        """Resources of boxes of ``sizes`` neurons, with what their delays and their clock take."""
        name, board = self.population.name, self.board
        waiting = self.wiring.accumulator_words(name, sizes, board)
        words = words + self.wiring.gate_words(name, sizes, board)
        if not board.core_words:  # memories are apart, and this is the one that the logs let a net share
            words, waiting = words + waiting, np.zeros_like(waiting)
        axons = axons + (self.wiring.rest_messages(name) > 0)
        return {"neurons": sizes, "synapse_words": words, "in_axons": axons,
                "core_words": board.state_words * sizes + waiting + words + board.in_axon_words * axons
                + board.group_words}

    def worst(self, parts: tuple[list[int], list[int], list[int]]) -> dict[str, np.ndarray]:
        """Most that a box takes of each resource when cut evenly, for every combination of ``parts``.

        Returns
        -------
        dict of str to int64 ndarray (choices along channels, frames, joints)
            ``messages`` is float64: those that arrive, if all neurons of a source were equally active.
        """
        longest = [np.array([-(-length // n) for n in choices])
                   for length, choices in zip(self.population.shape, parts)]
        sizes = outer(*longest)
        found = {"synapse_words": np.zeros_like(sizes), "in_axons": np.zeros_like(sizes),
                 "messages": np.zeros(sizes.shape)}
        for synapse in self.synapses:
            found["synapse_words"] += self._worst(self._words, synapse, parts)
        for synapse in self.leading:
            mean = sum(float(self.activity[name].mean()) for name in synapse.sources)
            found["in_axons"] += self._worst(self._axons, synapse, parts)
            found["messages"] += mean * self._worst(self._read, synapse, parts)
        return {**self._with_state(sizes, found["synapse_words"], found["in_axons"]), "messages": found["messages"]}

    def _words(self, synapse: Synapse, grid: Grid) -> np.ndarray:
        return synapse_words(synapse, self.source(synapse), self.population.shape, grid, self.rules(synapse))

    def rules(self, synapse: Synapse) -> Board:
        """The board's rules for a synapse."""
        return self.wiring.rules(synapse.name, self.board)

    def _axons(self, synapse: Synapse, grid: Grid) -> np.ndarray:
        return in_axons(synapse, self.source(synapse), self.population.shape, grid, self.rules(synapse))

    def _read(self, synapse: Synapse, grid: Grid) -> np.ndarray:
        """Neurons of each source that a box has messages from, through this synapse."""
        read = source_boxes(synapse, self.source(synapse), self.population.shape, grid)
        return np.asarray(sum(boxes.count() for boxes in read))

    def _worst(self, measure: Callable[[Synapse, Grid], np.ndarray], synapse: Synapse,
               parts: tuple[list[int], list[int], list[int]]) -> np.ndarray:
        """Largest entry of ``measure`` over the boxes of every even grid."""
        shape = self.population.shape
        return _worst_of(synapse, lambda grid: int(measure(synapse, grid).max()), shape, parts)

    # -------------------------------------------------------------------------------------- how busy it is
    @cached_property
    def met(self) -> np.ndarray:
        """Non-zero weights met in each neuron per sample: float64 (C, F, V)."""
        return sum(self.operations(), np.zeros(self.population.shape))

    def operations(self) -> tuple[np.ndarray, np.ndarray]:
        """Synops and MACs of each neuron per sample: two float64 arrays (C, F, V)."""
        synops, macs = np.zeros(self.population.shape), np.zeros(self.population.shape)
        for synapse in self.synapses:
            sent = sum(np.asarray(self.activity[name], np.float64) for name in synapse.sources)
            kind = macs if self.wiring.source(synapse).message_bits > 0 else synops
            kind += arrivals(synapse, np.asarray(sent), self.population.shape)
        return synops, macs

    @property
    def work(self) -> float:
        """Load of the whole population without its messages: nanoseconds per sample, however it is cut."""
        return self.board.synop_ns * float(self.met.sum()) + self.board.update_ns * self.steps * self.population.size

    @cached_property
    def _running(self) -> np.ndarray:
        """Sums of :attr:`met` over all boxes that start at the origin: float64 (C + 1, F + 1, V + 1)."""
        padded = np.zeros(tuple(n + 1 for n in self.population.shape))
        padded[1:, 1:, 1:] = self.met
        for axis in range(3):
            np.cumsum(padded, axis=axis, out=padded)
        return padded

    def cut(self, grid: Grid) -> Cut:
        """Load of every box of ``grid``."""
        met = self._running[np.ix_(*grid.edges)]
        for axis in range(3):
            met = np.diff(met, axis=axis)
        board = self.board
        return Cut(grid, board.synop_ns * met + board.update_ns * self.steps * grid.sizes
                   + board.message_ns * self.messages(grid))

    def messages(self, grid: Grid) -> np.ndarray:
        """Messages that reach every box per sample, if all neurons of a source were equally active: float64 (parts)."""
        found = np.full(grid.parts, float(self.wiring.rest_messages(self.population.name)))
        for synapse in self.leading:
            mean = sum(float(self.activity[name].mean()) for name in synapse.sources)
            found += mean * self._read(synapse, grid)
        return found

    def cuts(self, limits: Mapping[str, int], most_cells: int, enough: float) -> list[Cut]:
        """Cuts that fit, from the fewest boxes on, each with a less busy busiest box than the one before.

        Empty when even single neurons do not fit; ends with the first cut whose busiest box is at or below ``enough``.
        """
        shape = self.population.shape
        parts = tuple(_choices(length) for length in shape)
        worst = self.worst(parts)  # type: ignore[arg-type]
        fits = np.ones(worst["neurons"].shape, bool)
        for name, limit in limits.items():
            if name in worst:
                fits &= worst[name] <= limit
        cells = outer(*(np.array(choices) for choices in parts))
        board = self.board
        guess = (board.synop_ns * self.met.mean() * worst["neurons"] + board.message_ns * worst["messages"]
                 + board.update_ns * self.steps * worst["neurons"])
        most_cells = max(most_cells, _MORE * int(cells[fits].min(initial=cells.max())))
        allowed = np.flatnonzero(fits & (cells <= most_cells))
        order = allowed[np.lexsort((guess.ravel()[allowed], cells.ravel()[allowed]))]
        found: list[Cut] = []
        best = np.inf
        for index in order:
            if guess.ravel()[index] > _THIN * best:
                continue
            best = guess.ravel()[index]
            chosen = tuple(choices[i] for choices, i in zip(parts, np.unravel_index(index, cells.shape)))
            better = self._better(chosen, limits)
            if not found or better.busiest < found[-1].busiest:
                found.append(better)
            if better.busiest <= enough:
                break
        return found

    def _better(self, parts: tuple[int, int, int], limits: Mapping[str, int]) -> Cut:
        """The even cut, or the one whose ranges share the load evenly where that fits and is less busy."""
        even = self.cut(Grid.even(self.population.shape, parts))
        met = self.met + self.board.update_ns * self.steps / max(self.board.synop_ns, 1e-9)
        edges = tuple(balanced_edges(met.sum(axis=tuple(a for a in range(3) if a != axis)), count) if count > 1
                      else even_edges(self.population.shape[axis], 1) for axis, count in enumerate(parts))
        balanced = self.cut(Grid(edges))  # type: ignore[arg-type]
        if balanced.busiest < even.busiest and self.fits(balanced.grid, limits):
            return balanced
        return even

    def fits(self, grid: Grid, limits: Mapping[str, int]) -> bool:
        """Whether every box of ``grid`` fits on a core of its own, out-axons left out."""
        usage = self.usage(grid)
        return all(bool((usage[name] <= limit).all()) for name, limit in limits.items() if name in usage)


@singledispatch
def _worst_of(synapse: Synapse, most: Callable[[Grid], int], shape: Shape,
              parts: tuple[list[int], list[int], list[int]]) -> np.ndarray:
    """Largest value of ``most`` for every even grid, from as few grids as the synapse allows.

    Frames are a factor of their own in JointMix and GraphConv.

    Parameters
    ----------
    synapse : Synapse
    most : callable
        Largest value over the boxes of a grid.
    shape : (C, F, V)
    parts : lists of int
        Ranges along channels, frames and joints.

    Returns
    -------
    int64 ndarray (choices along channels, frames, joints)
    """
    whole = most(Grid.even(shape, (1, 1, 1)))
    frames = np.array([most(Grid.even(shape, (1, f, 1))) for f in parts[1]])
    both = np.array([[most(Grid.even(shape, (c, 1, v))) for v in parts[2]] for c in parts[0]])
    return both[:, None, :] * frames[None, :, None] // max(whole, 1)


@_worst_of.register
def _worst_of_dense(synapse: Dense, most: Callable[[Grid], int], shape: Shape,
                    parts: tuple[list[int], list[int], list[int]]) -> np.ndarray:
    """Only the number of neurons in a box matters."""
    sizes = outer(*(np.array([-(-n // p) for p in choices]) for n, choices in zip(shape, parts)))
    values = {size: most(Grid(((0, int(size)), (0, 1), (0, 1)))) for size in np.unique(sizes)}
    return np.vectorize(values.__getitem__, otypes=[np.int64])(sizes)


@_worst_of.register
def _worst_of_conv(synapse: Conv, most: Callable[[Grid], int], shape: Shape,
                   parts: tuple[list[int], list[int], list[int]]) -> np.ndarray:
    """A product of one factor per axis, so that three short lists tell all."""
    whole = most(Grid.even(shape, (1, 1, 1)))
    channels = np.array([most(Grid.even(shape, (c, 1, 1))) for c in parts[0]])
    frames = np.array([most(Grid.even(shape, (1, f, 1))) for f in parts[1]])
    joints = np.array([most(Grid.even(shape, (1, 1, v))) for v in parts[2]])
    return outer(channels, frames, joints) // max(whole * whole, 1)  # 0: it reads padding alone


def _choices(length: int) -> list[int]:
    """Numbers of ranges worth trying: the fewest for each length of the longest range."""
    longest = sorted({-(-length // n) for n in range(1, length + 1)}, reverse=True)
    return [-(-length // size) for size in longest]
