"""Chooses how every population is cut, and which boxes share a core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mksgn.mapping.boards import Board
from mksgn.mapping.grid import Grid
from mksgn.mapping.lava_split import lava_cuts
from mksgn.mapping.layer import Cut, Layer
from mksgn.mapping.memory import out_axons
from mksgn.mapping.wiring import Activity, Wiring

Objective = Literal["cores", "time", "lava"]
OBJECTIVES: dict[Objective, str] = {"time": "the least busy busiest core that the board allows",
                                    "cores": "the fewest cores",
                                    "lava": "populations split as Lava's compiler did, none sharing a core"}
"""What each objective is after."""
OBJECTIVE_HELP = "; ".join(f"{name}: {words}" for name, words in OBJECTIVES.items()) + "."
"""The same for the --help of programs."""
RESOURCES = ("neurons", "neuron_groups", "synapse_words", "in_axons", "out_axons", "core_words")
_WINDOW = 64
"""Open cores that are tried for a box before a new one is taken: keeps packing linear."""
_STEP = 0.005
"""Loads whose logarithms differ by less are as good as equal."""
_ROUNDS = 12
"""Times that populations with too many out-axons are cut finer."""
_UNLIMITED = 1 << 62


@dataclass(frozen=True, eq=False)
class Packing:
    """Where every box goes.

    Parameters
    ----------
    grids : dict of population to Grid
    core : dict of population to int64 ndarray (boxes,)
        Core of each box, in the order of the grid.
    usage : int64 ndarray (cores, resources)
        In the order of :data:`RESOURCES`.
    busiest : float
        Load of the busiest core, nanoseconds per sample.
    was : int64 ndarray (cores,) or None
        Number that each core had in the order of the network; None: cores stand in that order.
    """

    grids: dict[str, Grid]
    core: dict[str, np.ndarray]
    usage: np.ndarray
    busiest: float = 0.0
    was: np.ndarray | None = None

    @property
    def cores(self) -> int:
        """Cores in use."""
        return len(self.usage)

    def renumbered(self, number: np.ndarray) -> Packing:
        """The same cores under new numbers, int64 (cores,): a permutation."""
        was = np.argsort(number)
        return replace(self, core={name: number[cores] for name, cores in self.core.items()}, usage=self.usage[was],
                       was=was if self.was is None else self.was[was])


def limits_of(board: Board) -> dict[str, int]:
    """The limits of a core that are limits: name of :data:`RESOURCES` to most."""
    return {name: getattr(board, name) for name in RESOURCES if getattr(board, name) > 0}


def pack(wiring: Wiring, board: Board, activity: Activity, steps: int, objective: Objective,
         known: Known | None = None) -> Packing:
    """Cut every population and give its boxes cores.

    With ``cores`` every population is cut into as few boxes as fit. With ``time`` the load of the busiest
    core is the smallest found at which the board's cores suffice, by bisection over the loads that cuts have: every
    population takes its fewest boxes below that load, and boxes share a core while their loads together stay below it.
    With ``lava`` every population is cut as :mod:`mksgn.mapping.lava_split` says, and no two share a core.
    A net that does not fit is placed on as many cores as it needs.

    ``known`` keeps cuts from one wiring of a graph to the next.
    """
    layers = {p.name: Layer(wiring, p, board, activity, steps) for p in wiring.populations[1:]}
    # No packing keeps the busiest core below an even share of the work, so no cut needs to.
    floor = sum(layer.work for layer in layers.values()) / board.cores if objective == "time" else np.inf
    if objective == "lava":
        chosen, _ = _choose_cuts(layers, {name: LavaCuts(layer, floor) for name, layer in layers.items()}, np.inf)
        return _fill_cores(layers, chosen, board, np.inf, shared=False)
    choices = {name: cuts_of(layer, floor, known) for name, layer in layers.items()}
    chosen, _ = _choose_cuts(layers, choices, np.inf)
    if objective == "cores":
        return _fill_cores(layers, chosen, board, np.inf)
    loads = np.unique([cut.busiest for cuts in choices.values() for cut in cuts.fewest_first])
    # The best that all populations can do is the least that makes sense.
    loads = loads[loads >= max(cuts.fewest_first[-1].busiest for cuts in choices.values())]
    loads = loads[np.append(np.diff(np.log(np.maximum(loads, 1e-9)) // _STEP) > 0, True)]
    low, high, cap = 0, len(loads), np.inf
    while low < high:
        middle = (low + high) // 2
        finer, valid = _choose_cuts(layers, choices, loads[middle])
        if valid and _suffices(layers, finer, board, loads[middle]):
            chosen, cap, high = finer, float(loads[middle]), middle
        else:
            low = middle + 1
    return _fill_cores(layers, chosen, board, cap)


class Cuts:
    """The cuts of one population, those into the fewest boxes first, computed as far as they are asked for.

    Parameters
    ----------
    layer : Layer
    floor : float
        Busiest load below which no cut is needed for the sake of time.
    """

    def __init__(self, layer: Layer, floor: float):
        self.layer, self.floor = layer, floor
        self.fewest_first = self._cuts(floor)

    def _cuts(self, floor: float) -> list[Cut]:
        board = self.layer.board
        # Where not even single neurons fit, a core takes as many as it can hold, and the problems say what is too much.
        return self._fitting(limits_of(board), floor) or self._fitting({"neurons": board.neurons}, floor)

    def _fitting(self, limits: Mapping[str, int], floor: float) -> list[Cut]:
        return self.layer.cuts(limits, self.layer.board.cores, floor)

    def pick(self, least: int, load: float) -> Cut:
        """The fewest boxes, but at least ``least``, at or below ``load``; the least busy cut where there is none."""
        if least > self.fewest_first[-1].cells and self.floor > 0:
            self.floor, self.fewest_first = 0.0, self._cuts(0.0)
        allowed = [cut for cut in self.fewest_first if cut.cells >= least] or self.fewest_first[-1:]
        return next((cut for cut in allowed if cut.busiest <= load), allowed[-1])


class LavaCuts(Cuts):
    """The same for the objective ``lava``: the compiler's cut, then finer ones."""

    def _fitting(self, limits: Mapping[str, int], floor: float) -> list[Cut]:
        return lava_cuts(self.layer, limits)


Known = dict[tuple, Cuts]
"""Cuts of populations, by all that they depend on."""


def cuts_of(layer: Layer, floor: float, known: Known | None) -> Cuts:
    """The cuts of a layer, which are looked for once if ``known`` is given."""
    if known is None:
        return Cuts(layer, floor)
    key = (layer.key, floor)
    if key not in known:
        known[key] = Cuts(layer, floor)
    return known[key]


def _choose_cuts(layers: Mapping[str, Layer], choices: Mapping[str, Cuts], load: float) -> tuple[dict[str, Cut], bool]:
    """A cut per population at or below ``load``, cut finer where axons leave no room; and whether all fits.

    How many axons leave a box depends on how its readers are cut, so this takes a few rounds.
    """
    least = dict.fromkeys(layers, 1)
    for _ in range(_ROUNDS):
        chosen = {name: cuts.pick(least[name], load) for name, cuts in choices.items()}
        over = _overfull(needs(layers, chosen), next(iter(layers.values())).board)
        finer = {name: max(chosen[name].cells + 1, int(chosen[name].cells * excess)) for name, excess in over.items()
                 if chosen[name].cells >= least[name]}
        if not finer:
            break
        least.update(finer)
    return chosen, not over


def _suffices(layers: Mapping[str, Layer], chosen: Mapping[str, Cut], board: Board, cap: float) -> bool:
    """Whether the board's cores hold the boxes, with no core's load above ``cap`` by sharing."""
    if sum(cut.cells for cut in chosen.values()) <= board.cores:
        return True
    if sum(float(cut.load.sum()) for cut in chosen.values()) > cap * board.cores:
        return False
    return _fill_cores(layers, chosen, board, cap).cores <= board.cores


def needs(layers: Mapping[str, Layer], chosen: Mapping[str, Cut]) -> dict[str, np.ndarray]:
    """What every box takes on its core: int64 (boxes, resources) by population."""
    found = {}
    leaving = {name: np.zeros(cut.grid.parts, np.int64) for name, cut in chosen.items()}
    for name, layer in layers.items():
        for synapse in layer.leading:
            for source in synapse.sources:
                if source in leaving:
                    leaving[source] += out_axons(synapse, layer.source(synapse), layer.population.shape,
                                                 chosen[source].grid, chosen[name].grid, layer.rules(synapse))
    for name, layer in layers.items():
        usage = layer.usage(chosen[name].grid)
        usage["neuron_groups"] = np.ones_like(usage["neurons"])
        usage["out_axons"] = leaving[name]
        usage["core_words"] = usage["core_words"] + leaving[name]
        found[name] = np.stack([usage[resource].ravel() for resource in RESOURCES], axis=1)
    return found


def _overfull(needed: Mapping[str, np.ndarray], board: Board) -> dict[str, float]:
    """How many times too much the worst box takes, for each population with a box that does not fit."""
    top = _top(board)
    excess = {name: float((usage / top).max()) for name, usage in needed.items()}
    return {name: times for name, times in excess.items() if times > 1}


def _top(board: Board) -> np.ndarray:
    limits = limits_of(board)
    return np.array([limits.get(name, _UNLIMITED) for name in RESOURCES])


def _fill_cores(layers: Mapping[str, Layer], chosen: Mapping[str, Cut], board: Board, cap: float,
                shared: bool = True) -> Packing:
    """Boxes in the order of the network onto the first core, of the last few opened, that still has room.

    Without ``shared`` each box has a core of its own.
    """
    top, needed = _top(board), needs(layers, chosen)
    total = sum(cut.cells for cut in chosen.values())
    usage, load = np.zeros((total, len(RESOURCES)), np.int64), np.zeros(total)
    used, core = 0, {}
    for name, cut in chosen.items():
        where = np.zeros(cut.cells, np.int64)
        for number, (box, busy) in enumerate(zip(needed[name], cut.load.ravel())):
            first = max(0, used - _WINDOW) if shared else used
            room = ((usage[first:used] + box <= top).all(axis=1)) & (load[first:used] + busy <= cap)
            at = first + int(room.argmax()) if room.any() else used
            used = max(used, at + 1)
            usage[at] += box
            load[at] += busy
            where[number] = at
        core[name] = where
    return Packing({name: cut.grid for name, cut in chosen.items()}, core, usage[:used].copy(), float(load.max()))


def repacked(wiring: Wiring, board: Board, activity: Activity, steps: int, packing: Packing) -> Packing:
    """The boxes of ``packing`` on their cores, with what they take by another wiring of the same populations."""
    layers = {p.name: Layer(wiring, p, board, activity, steps) for p in wiring.populations[1:]}
    needed = needs(layers, {name: Cut(grid, np.zeros(grid.parts)) for name, grid in packing.grids.items()})
    usage = np.zeros_like(packing.usage)
    for name, cores in packing.core.items():
        np.add.at(usage, cores, needed[name])
    return replace(packing, usage=usage)
