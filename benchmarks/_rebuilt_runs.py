"""Published runs rebuilt as work of cores, from the published shapes and from assumptions that are written down here.

An assumption lies between two values, and its middle is their geometric mean: the same rule for all. None of them was
changed to fit a measurement; the figures of a run stand in :mod:`_published_runs` and are not read here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from _dense_work import DenseLayer, Source, cores_by_halving, dense_work
from _pilotnet import activities, compilers_placement, count, load, on_chip

from mksgn.energy.work import CoreWork
from mksgn.mapping import board

CHIP = board("oheo-gulch")
LOW, MIDDLE, HIGH = range(3)
Rebuilt = list[CoreWork]
"""Parts of a sample, one after the other; the steps of a part are alike."""


@dataclass(frozen=True)
class Assumption:
    """What is not published of a run, between two values, and why."""

    run: str
    what: str
    low: float
    high: float
    why: str

    def value(self, end: int) -> float:
        """Low, middle or high."""
        return (self.low, (self.low * self.high) ** 0.5, self.high)[end]


RATE = Assumption("scaling", "spikes per neuron and step", 0.001, 0.02, "1 to 20 spikes a second in steps of a "
                  "millisecond; the layer is dense, as sparse ones were stored then")
STEPS = Assumption("delays", "steps of a sample", 700, 1400, "recordings of up to 1.4 s in steps of 2 or 1 ms")
HIDDEN = Assumption("delays", "neurons of a hidden layer", 256, 1024, "the sizes of the group's earlier networks; 700 "
                    "inputs, two hidden layers or a recurrent one, 20 outputs")
INPUTS = Assumption("delays", "spikes of the input per sample", 5000, 12000, "of recordings in this data set")
HIDDEN_SPIKES = Assumption("delays", "spikes of a hidden neuron per sample", 5, 20, "their training pulls rates to a "
                           "target of this order")
CHIPS = Assumption("autoencoder", "chips that step", 1, 16, "74 cores fit on one chip; the system has 16")
WAIT = Assumption("CLP-SNN", "steps of a sample", 11, 22, "a winner is given 11 steps; learning takes as many at most")
FEATURES = Assumption("CLP-SNN", "inputs that send", 640, 1280, "negative features are clipped, and some round to 0")
ASSUMPTIONS = (RATE, STEPS, HIDDEN, INPUTS, HIDDEN_SPIKES, CHIPS, WAIT, FEATURES)
STATED = (
    ("all but PilotNet", "8-bit weights in dense rows, a layer cut into halves until its rows fit (where the number of "
     "cores is not published), every neuron updated in every step, cores numbered layer by layer"),
    ("autoencoder", "published: 256-128-64-32-64-128-256, 74 cores, 3.0e5 operations. Assumed: a layer for normalising,"
     " one for the score; 16 neurons a core; operations in proportion to weights; the sample passes layer by layer, "
     "one step each"),
    ("CLP-SNN", "published: 1,280 inputs, 300 prototypes. All inputs send in one step; learning takes no time and no "
     "energy of its own"),
    ("delays", "a delay takes no time and no energy"),
    ("scaling", "its power is published as a line, 0.46 W and 1.6 to 2 mW a core: 1.8 is taken. Its dynamic energy is "
     "what our static power leaves of that"),
)
"""What else is taken for granted: of which runs, and what."""
_OPERATIONS = 3.0e5
_AUTOENCODER = (256, 128, 64, 32, 64, 128, 256, 257)
_PER_CORE = 16


def pilotnet() -> Rebuilt:
    """One sample on the placement of Lava's compiler, from spikes that equal the recorded ones."""
    graph, frame = load()
    counts = count(graph, frame)
    activity = activities(graph, counts)
    return [on_chip(compilers_placement(graph, CHIP, activity).work(activity, counts.active))]


def scaling(neurons: int, cores: int, end: int) -> Rebuilt:
    """One step of a recurrent layer."""
    spikes = RATE.value(end) * neurons
    return [dense_work([DenseLayer(neurons, cores, (Source(neurons, spikes, 0),), spikes)], 1, CHIP)]


def keywords(recurrent: bool, end: int) -> Rebuilt:
    """A spoken word: 700 inputs, hidden neurons, 20 outputs."""
    steps, hidden = STEPS.value(end), round(HIDDEN.value(end))
    spikes = HIDDEN_SPIKES.value(end) * hidden / steps
    given = Source(700, INPUTS.value(end) / steps)
    if recurrent:
        layers = [_layer(hidden, (given, Source(hidden, spikes, 0)), spikes)]
    else:
        layers = [_layer(hidden, (given,), spikes), _layer(hidden, (Source(hidden, spikes, 0),), spikes)]
    layers.append(_layer(20, (Source(hidden, spikes, len(layers) - 1),), 0.0))
    return [dense_work(layers, steps, CHIP)]


def autoencoder(end: int) -> Rebuilt:
    """A sample on its way through the layers: in each step one of them has operations."""
    weights = [a * b for a, b in pairwise(_AUTOENCODER[:-1])]
    work = []
    for active in range(len(_AUTOENCODER) + 1):
        layers = []
        for number, neurons in enumerate(_AUTOENCODER):
            sources: tuple[Source, ...] = ()
            if number == active and 0 < number <= len(weights):
                messages = _OPERATIONS * weights[number - 1] / sum(weights) / neurons
                sources = (Source(_AUTOENCODER[number - 1], messages, number - 1),)
            layers.append(DenseLayer(neurons, neurons // _PER_CORE, sources))
        work.append(dense_work(layers, 1, CHIP, round(CHIPS.value(end))))
    return work


def prototypes(end: int) -> Rebuilt:
    """A sample of CLP-SNN: all inputs in one step, then the steps in which a winner is found."""
    layer = _layer(300, (Source(1280, FEATURES.value(end)),), 1.0)
    quiet = DenseLayer(layer.neurons, layer.cores)
    return [dense_work([layer], 1, CHIP), dense_work([quiet], WAIT.value(end) - 1, CHIP)]


def _layer(neurons: int, sources: tuple[Source, ...], spikes: float) -> DenseLayer:
    rows = sum(source.neurons for source in sources)
    return DenseLayer(neurons, cores_by_halving(neurons, rows, CHIP), sources, spikes)


REBUILT: dict[str, Callable[[int], Rebuilt]] = {
    "200 LIF": lambda end: scaling(200, 5, end),
    "1,200 LIF": lambda end: scaling(1200, 69, end),
    "keywords, feed-forward, delays": lambda end: keywords(False, end),
    "keywords, feed-forward": lambda end: keywords(False, end),
    "keywords, recurrent, delays": lambda end: keywords(True, end),
    "keywords, recurrent": lambda end: keywords(True, end),
    "autoencoder": autoencoder,
    "CLP-SNN": prototypes,
}
"""Runs by name, at the low end, in the middle and at the high end of what is assumed of them."""


def rebuild() -> dict[str, tuple[Rebuilt, Rebuilt, Rebuilt]]:
    """All runs at the three ends; PilotNet's events are known."""
    known = pilotnet()
    found = {name: (known, known, known) for name in ("PilotNet LIF", "PilotNet LIF, another board")}
    return found | {name: (make(LOW), make(MIDDLE), make(HIGH)) for name, make in REBUILT.items()}
