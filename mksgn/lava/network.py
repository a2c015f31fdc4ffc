"""A built Lava network, and what is read from it. Used by the host process only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from lava.magma.core.run_configs import AbstractLoihiRunCfg

from mksgn.counts.step_tally import entries
from mksgn.ir import Graph
from mksgn.lava.process_plan import ProcessPlan


@dataclass
class LavaNetwork:
    """The Processes of a plan, connected.

    Parameters
    ----------
    graph : Graph
    plan : ProcessPlan
    processes : dict of node name to Process
    run_config : AbstractLoihiRunCfg
    """

    graph: Graph
    plan: ProcessPlan
    processes: dict[str, Any]
    run_config: AbstractLoihiRunCfg

    @property
    def root(self) -> Any:
        """The source: Lava finds the other Processes by their connections, and only one without parts can be run."""
        return next(self.processes[node.name] for node in self.plan.nodes if node.kind == "source")

    @property
    def output(self) -> Any:
        """The Process that holds the output's v."""
        return next(self.processes[node.name] for node in self.plan.nodes
                    if node.kind in ("neuron", "block") and node.population == self.graph.output.name)

    def result(self) -> np.ndarray:
        """v of the output, int32 (V, F, C)."""
        return _get(self.output.v)

    def counted(self) -> dict[str, dict[str, np.ndarray]]:
        """What the blocks counted: 'spikes', 'active' and 'met' -> name -> int64 (samples,).

        Empty where no block counts: in the other layouts, and with blocks made of stock Processes.
        """
        quantities: dict[str, dict[str, np.ndarray]] = {}
        for node in self.plan.nodes:
            if node.kind == "block":
                assert node.part is not None
                process = self.processes[node.name]
                if not hasattr(process.model_class, "counted"):
                    return {}
                counted = process.counted.get()
                for (quantity, name), values in zip(entries(node.part), counted.astype(np.int64).T):
                    # A block's input is counted by the block that sends it, too: the same numbers.
                    quantities.setdefault(quantity, {})[name] = np.ascontiguousarray(values)
        return quantities

    def sums(self) -> np.ndarray:
        """What all blocks counted so far: spikes of neurons, active updates, synaptic operations, MACs; int64 (4,)."""
        blocks = [self.processes[node.name] for node in self.plan.nodes if node.kind == "block"]
        return np.sum([process.sums.get() for process in blocks], axis=0).astype(np.int64)

    def recorded(self, steps: int) -> dict[str, dict[str, np.ndarray]]:
        """What the sinks received in the last ``steps`` steps: quantity -> population -> (steps, V, F, C)."""
        quantities: dict[str, dict[str, np.ndarray]] = {}
        for node in self.plan.nodes:
            if node.kind != "sink":
                continue
            # np.stack copies: Lava reuses its buffers.
            values = np.stack([self.processes[node.name].receive() for _ in range(steps)])
            if not node.port:
                quantities.setdefault("spikes", {})[node.population] = values.astype(np.int8)
                continue
            assert node.part is not None
            quantity = {"bits": "spikes", "u_all": "u", "v_all": "v"}[node.port]
            flat = values.reshape(steps, -1)
            if node.port == "bits":
                flat = np.unpackbits(flat.astype(np.uint8), axis=1)
            store, first = quantities.setdefault(quantity, {}), 0
            kind = np.int8 if quantity == "spikes" else np.int32
            for population in node.part.populations[1:]:
                channels, frames, joints = population.shape
                part = flat[:, first:first + population.size].reshape(steps, frames, joints, channels)
                store[population.name] = part.transpose(0, 2, 1, 3).astype(kind)
                first += population.size
        return quantities

    def states(self, populations: Collection[str]) -> dict[str, dict[str, np.ndarray]]:
        """u and v of neuron Processes, one message per value: quantity -> population -> (1, V, F, C)."""
        neurons = [node for node in self.plan.nodes if node.kind == "neuron" and node.population in populations]
        return {quantity: {node.population: _get(getattr(self.processes[node.name], quantity))[None]
                           for node in neurons} for quantity in ("u", "v")}


def _get(variable: Any) -> np.ndarray:
    return np.asarray(variable.get()).astype(np.int32)
