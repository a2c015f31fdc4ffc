"""One pass of samples through the populations, in topological order."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from mksgn.backend import RunResult
from mksgn.emulator.counting import Readers, Tally
from mksgn.emulator.exact import dtype_for
from mksgn.emulator.neuron import Membrane, Trace
from mksgn.emulator.operators import Operator
from mksgn.emulator.variants import COUNT_MAX
from mksgn.ir import Graph, Schedule


@dataclass(frozen=True)
class Inputs:
    """What a plain population reads.

    Parameters
    ----------
    terms : list of (sources, float32 weights (C,))
        At most two spike trains through one-to-one weights, which go into the neurons' own loop. Parallel synapses are
        one term with the sum of their weights.
    others : list of Operator
        All other synapses.
    """

    terms: list[tuple[tuple[str, ...], np.ndarray]]
    others: list[Operator]

    @classmethod
    def of(cls, graph: Graph, operators: list[Operator]) -> Inputs:
        """The inputs of the population that ``operators`` lead to."""
        terms: dict[tuple[str, ...], np.ndarray] = {}
        others = []
        for op in operators:
            weight, sources = op.one_to_one, op.synapse.sources
            spikes = graph.input.name not in sources and len(sources) <= COUNT_MAX
            if weight is None or not spikes or (len(terms) == 2 and sources not in terms):
                others.append(op)
            else:
                terms[sources] = terms[sources] + weight if sources in terms else weight
        return cls(list(terms.items()), others)


@dataclass
class Network:
    """A graph ready to run on a device.

    Parameters
    ----------
    graph : Graph
    schedule : Schedule
    device : torch.device
    operators : dict of population to list of Operator
        Its incoming synapses.
    membranes : dict of population to Membrane
    inputs : dict of population to Inputs
        The same synapses as its neurons' own loop takes them.
    readers : dict of population to Readers
    last_use : dict of population to population
        After which population a spike train is needed no more.
    """

    graph: Graph
    schedule: Schedule
    device: torch.device
    operators: dict[str, list[Operator]] = field(default_factory=dict)
    membranes: dict[str, Membrane] = field(default_factory=dict)
    inputs: dict[str, Inputs] = field(default_factory=dict)
    readers: dict[str, Readers] = field(default_factory=dict)
    last_use: dict[str, str] = field(default_factory=dict)


class Run:
    """One run in progress: what is recorded and counted over its batches.

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

    def __init__(self, network: Network, samples: int, steps: int, record: str, hop: int = 0, direct: bool = False,
                 resets: dict[str, frozenset[int]] | None = None):
        self.network, self.graph = network, network.graph
        self.samples, self.steps, self.record = samples, steps, record
        self.hop, self.direct, self.resets = hop, direct, resets or {}
        self.tally = Tally(self.graph, network.readers, samples, steps)
        self._sums: dict[tuple[str, ...], torch.Tensor] = {}
        self.arrays: dict[str, dict[str, np.ndarray]] = {"spikes": {}, "u": {}, "v": {}}
        for population in self.graph.populations[1:]:
            shape = (samples, *population.shape, steps)
            if record != "none":
                self.arrays["spikes"][population.name] = np.zeros(shape, np.int8)
            if record == "states":
                self.arrays["u"][population.name] = np.zeros(shape, np.int32)
                self.arrays["v"][population.name] = np.zeros(shape, np.int32)
        output = self.graph.output
        size = (samples, output.size) if output.role == "readout" else (samples, *output.shape, steps)
        self.output = np.zeros(size, np.int64)

    def batch(self, x: np.ndarray, start: int) -> None:
        """Run samples (N, C, F, V, T), or T = 1 for the same at every step, as rows ``start`` on."""
        network = self.network
        messages = torch.as_tensor(np.ascontiguousarray(x.transpose(4, 0, 2, 3, 1))).to(network.device)
        repeats = self.steps // x.shape[4]
        trains = {self.graph.input.name: messages.to(torch.float32)}
        rows = slice(start, start + x.shape[0])
        self.tally.messages(self.graph.input.name, rows, messages, repeats)
        for population in self.graph.populations[1:]:
            name = population.name
            membrane = network.membranes[name]
            counted = network.readers[name].fits(self.steps)
            if membrane.plain and counted and not self.hop and self.record != "states":
                trace = self._fire(name, trains, rows)
            else:
                trace = membrane.run(self._drive(name, trains, network.operators[name]), self.steps,
                                     self.record == "states", self.resets.get(name, frozenset()))
                self.tally.counts.sample_active[name][rows] = trace.active.cpu().numpy()
                if trace.spikes is not None:
                    self.tally.messages(name, rows, trace.spikes)
            if trace.spikes is not None:
                trains[name] = trace.spikes
            self._keep(name, trace, rows)
            for source in [source for source in trains if network.last_use.get(source, name) == name]:
                del trains[source]
            self._sums = {sources: x for sources, x in self._sums.items() if all(s in trains for s in sources)}

    def _fire(self, name: str, trains: dict[str, torch.Tensor], rows: slice) -> Trace:
        """A plain population, each in its own time: one-to-one inputs go into the neurons' own loop."""
        samples = rows.stop - rows.start
        channels, frames, joints = self.graph[name].shape
        inputs = self.network.inputs[name]
        rest = inputs.others
        shape = (self.steps, samples, frames, joints, channels)
        terms = [(self._summed(trains, sources).to(torch.int8).expand(shape).contiguous(), weight)
                 for sources, weight in inputs.terms]
        drive: torch.Tensor | None = None
        if any(op.delays != (0,) or op.wraps for op in rest):
            drive = self._drive(name, trains, rest)
        else:
            for op in rest:
                x = self._summed(trains, op.synapse.sources)
                a = op.apply(x.flatten(0, 1))
                a = a.reshape(*x.shape[:2], *a.shape[1:])
                if drive is not None and drive.shape == a.shape and drive.dtype == a.dtype:
                    drive += a  # new from its operator: no third tensor
                else:
                    drive = a if drive is None else drive + a
        fan = self.network.readers[name].fan
        sent = self.tally.fired(name, self.steps * samples)
        spikes, counted = self.network.membranes[name].fire(drive, terms, fan, sent, self.steps, samples)
        counts = self.tally.counts
        counts.sample_spikes[name][rows] = counted[:, 0]
        counts.sample_active[name][rows] = counted[:, 1]
        self.tally.weights_met(name, rows, counted[:, 2:])
        return Trace(spikes, None, None, None, torch.from_numpy(counted[:, 1]))

    def _summed(self, trains: dict[str, torch.Tensor], sources: tuple[str, ...]) -> torch.Tensor:
        """Messages of several populations that share weights, added once for all who read them."""
        if len(sources) == 1:
            return trains[sources[0]]
        if sources not in self._sums:
            # int8 holds the sum of COUNT_MAX spikes; more need a wider type.
            wide = len(sources) > COUNT_MAX
            parts = [trains[source].to(torch.float32) if wide else trains[source] for source in sources]
            total = parts[0] + parts[1]
            for part in parts[2:]:
                total += part
            self._sums[sources] = total
        return self._sums[sources]

    def _drive(self, name: str, trains: dict[str, torch.Tensor], operators: list[Operator]) -> torch.Tensor:
        """Summed synaptic input (T, N, F, V, C) of ``operators``, or (1, ...) when it is the same at all steps."""
        parts: list[tuple[int, torch.Tensor]] = []
        for op in operators:
            # Sources whose spikes arrive together are summed first: they share their weights.
            groups: dict[int, torch.Tensor] = {}
            for source in op.synapse.sources:
                hops = 1 + self.network.schedule.wait[op.synapse.name, source]
                shift = self.hop * (hops - (self.direct and source == self.graph.input.name))
                # int8 holds the sum of so many spikes; more need a wider type.
                x = trains[source] if len(op.synapse.sources) <= COUNT_MAX else trains[source].to(torch.float32)
                groups[shift] = groups[shift] + x if shift in groups else x
            if op.wraps and len(groups) > 1:
                # What arrives in one step is wrapped as one sum, however long it waited.
                groups = {0: self._arriving(groups)}
            for shift, x in groups.items():
                for delay in op.delays:
                    if shift + delay < self.steps:
                        a = op.apply(x.flatten(0, 1), delay)
                        parts.append((shift + delay, a.reshape(*x.shape[:2], *a.shape[1:])))
        dtype = dtype_for(self.network.membranes[name].bound)
        full = [index for index, (shift, a) in enumerate(parts) if shift == 0 and a.shape[0] == self.steps]
        if full:
            total = parts.pop(full[0])[1].to(dtype)
        elif len(parts) == 1 and parts[0][0] == 0:
            return parts[0][1].to(dtype)
        else:
            channels, frames, joints = self.graph[name].shape
            batch = next(iter(trains.values())).shape[1]
            total = torch.zeros((self.steps, batch, frames, joints, channels), dtype=dtype, device=self.network.device)
        for shift, a in parts:
            total[shift:] += a if a.shape[0] == 1 and self.steps > 1 else a[:self.steps - shift]
        return total

    def _arriving(self, groups: dict[int, torch.Tensor]) -> torch.Tensor:
        """Sum of messages (T, N, F, V, C) that arrive so many steps late."""
        first = next(iter(groups.values()))
        total = first.new_zeros((self.steps, *first.shape[1:]))
        for shift, x in groups.items():
            total[shift:] += x[:max(self.steps - shift, 0)]
        return total

    def _keep(self, name: str, trace: Trace, rows: slice) -> None:
        for quantity in ("spikes", "u", "v"):
            values = getattr(trace, quantity)
            if values is not None and name in self.arrays[quantity]:
                self.arrays[quantity][name][rows] = _host(values)
        if name == self.graph.output.name:
            if trace.spikes is None:
                assert trace.final_v is not None
                scaled = trace.final_v.permute(0, 3, 1, 2).flatten(1).to(torch.int64).cpu().numpy()
                self.output[rows] = scaled // 64  # rounded down, as the Lava backend reads it
            else:
                self.output[rows] = _host(trace.spikes)

    def result(self) -> RunResult:
        """Everything recorded and counted."""
        return RunResult(self.output, self.tally.result(), self.arrays["spikes"], self.arrays["u"], self.arrays["v"])


def _host(values_tnfvc: torch.Tensor) -> np.ndarray:
    """(T, N, F, V, C) on the device to (N, C, F, V, T) here."""
    return values_tnfvc.to("cpu").numpy().transpose(1, 4, 2, 3, 0)
