"""What a run keeps over its batches: what was recorded, counted and read out."""

from __future__ import annotations

import numpy as np

from mksgn.counts.batch_tally import BatchTally
from mksgn.emulator.ranges import SCALE
from mksgn.ir import Graph
from mksgn.run.backend import RunResult


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
