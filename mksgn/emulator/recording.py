"""What a run keeps over its batches: what was recorded, counted and read out."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np

from mksgn.counts.batch_tally import BatchTally
from mksgn.emulator.network import Network
from mksgn.emulator.ranges import SCALE
from mksgn.ir import Graph
from mksgn.run.backend import RunResult

AnyNetwork = TypeVar("AnyNetwork", bound=Network)


class Recording:
    """Arrays for a run of N samples.

    Parameters
    ----------
    graph : Graph
    samples, steps : int
        N and T.
    record : 'none', 'spikes' or 'states'

    Attributes
    ----------
    tally : BatchTally
    """

    def __init__(self, graph: Graph, samples: int, steps: int, record: str) -> None:
        self.graph = graph
        self.tally = BatchTally(graph, samples, steps)
        self._arrays: dict[str, dict[str, np.ndarray]] = {"spikes": {}, "u": {}, "v": {}}
        for population in graph.populations[1:]:
            shape = (samples, *population.shape, steps)
            if record != "none":
                self._arrays["spikes"][population.name] = np.zeros(shape, np.int8)
            if record == "states":
                self._arrays["u"][population.name] = np.zeros(shape, np.int32)
                self._arrays["v"][population.name] = np.zeros(shape, np.int32)
        output = graph.output
        size = (samples, output.size) if output.role == "readout" else (samples, *output.shape, steps)
        self._output = np.zeros(size, np.int64)

    def keep(self, quantity: str, name: str, rows: slice, values: np.ndarray) -> None:
        """Keep 'spikes', 'u' or 'v' of a population, where it is recorded: (N, C, F, V, T) as rows ``rows``."""
        if name in self._arrays[quantity]:
            self._arrays[quantity][name][rows] = values
        if quantity == "spikes" and name == self.graph.output.name:
            self._output[rows] = values

    def read_out(self, rows: slice, final_v: np.ndarray) -> None:
        """Keep the readout: v after the last step, (N, F, V, C)."""
        scaled = final_v.transpose(0, 3, 1, 2).reshape(len(final_v), -1).astype(np.int64)
        self._output[rows] = scaled // SCALE  # rounded down, as the Lava backend reads it

    def result(self) -> RunResult:
        """Everything recorded and counted."""
        return RunResult(self._output, self.tally.result(), self._arrays["spikes"], self._arrays["u"],
                         self._arrays["v"])


class PopulationRun(Generic[AnyNetwork]):
    """One run in progress, population by population: what every way of running it keeps over its batches.

    Parameters
    ----------
    network : Network
    samples, steps : int
        Rows and time steps of everything recorded.
    record : 'none', 'spikes' or 'states'
    hop : int
        Steps a synapse takes: 0 where each population has its own time, 1 in wall time.
    direct : bool
        The input reaches its targets without a hop.
    resets : dict of population to set of int
        Steps before which its states are set to 0.
    """

    def __init__(self, network: AnyNetwork, samples: int, steps: int, record: str, hop: int = 0, direct: bool = False,
                 resets: dict[str, frozenset[int]] | None = None) -> None:
        self.network, self.graph = network, network.graph
        self.steps, self.record = steps, record
        self._hop, self._direct, self._resets = hop, direct, resets or {}
        self.recording = Recording(self.graph, samples, steps, record)

    def batch_size(self, wanted: int) -> int:
        """Samples to run at once: so many as ``wanted``."""
        return wanted

    def shift(self, synapse: str, source: str) -> int:
        """Steps that messages of ``source`` take to the neurons that read them through ``synapse``."""
        return self.network.shift(synapse, source, self._hop, self._direct)

    def interruptions(self, name: str) -> tuple[frozenset[int], frozenset[int]]:
        """Steps before which the neurons of a population are reset, and steps at which they rest."""
        return self.network.interruptions(name, self._resets.get(name, frozenset()), self.steps)

    def result(self) -> RunResult:
        """Everything recorded and counted."""
        return self.recording.result()
