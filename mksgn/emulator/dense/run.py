"""One pass of samples through the populations with torch: any graph, any device, states and wall time included."""

from __future__ import annotations

import numpy as np
import torch

from mksgn.emulator.dense.exact import dtype_for
from mksgn.emulator.dense.network import DenseNetwork
from mksgn.emulator.dense.neuron import Trace
from mksgn.emulator.dense.operators import AttentionOperator, Operator
from mksgn.emulator.recording import PopulationRun
from mksgn.ir import Population
from mksgn.ir.streamed_clips import frame_spans


class DenseRun(PopulationRun[DenseNetwork]):
    """One run in progress, with torch."""

    def batch(self, x: np.ndarray, start: int) -> bool:
        """Run samples (N, C, F, V, T), or T = 1 for the same at every step, as rows ``start`` on; returns True.

        Raises
        ------
        DataError
            As :meth:`mksgn.emulator.dense.neuron.Membrane.run`.
        """
        network = self.network
        messages = torch.as_tensor(np.ascontiguousarray(x.transpose(4, 0, 2, 3, 1))).to(network.device)
        repeats = self.steps // x.shape[4]
        trains = {self.graph.input.name: messages.to(torch.float32)}
        rows = slice(start, start + x.shape[0])
        self.recording.tally.messages(self.graph.input.name, rows, repeats * self._sent(self.graph.input, messages))
        for population in self.graph.populations[1:]:
            name = population.name
            membrane = network.membranes[name]
            trace = membrane.run(self._drive(name, trains, network.operators(name), rows), self.steps,
                                 self.record == "states", *self.interruptions(name))
            self.recording.tally.counts.sample_active[name][rows] = trace.active.cpu().numpy()
            if trace.spikes is not None:
                self.recording.tally.messages(name, rows, self._sent(population, trace.spikes))
                trains[name] = trace.spikes
            self._keep(name, trace, rows)
            for source in [source for source in trains if network.last_use.get(source, name) == name]:
                del trains[source]
        return True

    def _drive(self, name: str, trains: dict[str, torch.Tensor], operators: list[Operator],
               rows: slice) -> torch.Tensor:
        """Summed synaptic input (T, N, F, V, C) of ``operators``, or (1, ...) when it is the same at all steps.

        The samples are ``rows`` of the run.
        """
        parts: list[tuple[int, torch.Tensor]] = []
        for op in operators:
            if isinstance(op, AttentionOperator):
                parts.append((0, self._attend(op, trains, rows)))
                continue
            # Sources whose spikes arrive together are summed first: they share their weights.
            groups: dict[int, torch.Tensor] = {}
            for source in op.synapse.sources:
                shift = self.shift(op.synapse.name, source)
                x = trains[source]
                groups[shift] = groups[shift] + x if shift in groups else x
            if op.wraps and len(groups) > 1:
                # What arrives in one step is wrapped as one sum, however long it waited.
                groups = {0: self._arriving(groups)}
            for shift, x in groups.items():
                for delay in op.delays:
                    if -self.steps < shift + delay < self.steps:
                        a = op.apply(x.flatten(0, 1), delay)
                        parts.append((shift + delay, a.reshape(*x.shape[:2], *a.shape[1:])))
        dtype = dtype_for(self.network.ranges[name].bound)
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
            if shift < 0:  # what the source sends later
                assert a.shape[0] == self.steps, "messages that are the same at every step have no frames"
                total[:shift] += a[-shift:]
            else:
                total[shift:] += a if a.shape[0] == 1 and self.steps > 1 else a[:self.steps - shift]
        return total

    def _attend(self, op: AttentionOperator, trains: dict[str, torch.Tensor], rows: slice) -> torch.Tensor:
        """Sums (T, N, F, V, C) of an attention, whose events are counted."""
        read = []
        for source in op.synapse.sources:
            x = trains[source].expand(self.steps, *trains[source].shape[1:])
            read.append(self._arriving({self.shift(op.synapse.name, source): x}))
        count = read[0].shape[1]
        sums, inside = op.attend(*(x.flatten(0, 1) for x in read))
        self.recording.tally.inside[op.synapse.name][rows] += inside.reshape(self.steps, count, -1).sum(0).cpu().numpy()
        return sums.reshape(self.steps, count, *sums.shape[1:])

    def _sent(self, population: Population, train: torch.Tensor) -> np.ndarray:
        """Messages (T, N, F, V, C) to how many each neuron sent in each frame of its lattice: int64 (N, L, F, V, C)."""
        sent = train != 0
        return torch.stack([sent[span].sum(dim=0) for span in frame_spans(population)], dim=1).cpu().numpy()

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
            if values is not None and (self.record != "none" or name == self.graph.output.name):
                self.recording.keep(quantity, name, rows, _host(values))
        if trace.spikes is None:
            assert trace.final_v is not None
            self.recording.read_out(rows, trace.final_v.cpu().numpy())


def _host(values_tnfvc: torch.Tensor) -> np.ndarray:
    """(T, N, F, V, C) on the device to (N, C, F, V, T) here."""
    return values_tnfvc.to("cpu").numpy().transpose(1, 4, 2, 3, 0)

