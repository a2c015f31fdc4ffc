"""From a graph to the program that the compiled loop runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mksgn.emulator.layout import Layout, Links, layout, room
from mksgn.emulator.program import (
    ENTRY,
    JOINED,
    POPULATION,
    ROWS,
    Code,
    Joined,
    Program,
    Reading,
    filled,
    rows_of,
)
from mksgn.emulator.ranges import Ranges
from mksgn.emulator.rows import LANES
from mksgn.ir import Attention, Graph, Population, Synapse
from mksgn.ir.bounds import INPUT_LIMIT, wraps24
from mksgn.ir.graph import STATE_SHIFT
from mksgn.ir.streaming import fanout_by_frame

LARGEST = 1 << 28
"""Weights or links that one synapse may have here."""
_INT16_MAX = (1 << 15) - 1
_INT32_MAX = (1 << 31) - 1
_CHANNELS = 1 << 16
"""Lists name channels in 16 bits."""


def assemble(graph: Graph, ranges: Mapping[str, Ranges]) -> Program | None:
    """The program of a graph on a CPU, or None where the graph needs what the compiled loop does not do.

    That is: attention, sums that can leave 24 bits, fan-outs beyond 15 bits, lists of channels beyond 16 bits, and more
    than :data:`LARGEST` weights or links.
    """
    if any(isinstance(synapse, Attention) for synapse in graph.synapses):
        return None
    if any(own.bound >= INPUT_LIMIT for own in ranges.values()):
        return None
    for synapse in graph.synapses:
        source, target = graph[synapse.sources[0]].shape, graph[synapse.target].shape
        if wraps24(graph, synapse) or sum(room(part, source, target) for _, part in synapse.by_delay()) > LARGEST:
            return None
    return _Assembly(graph, ranges).program()


class _Assembly:
    """The arrays of a program as they grow."""

    def __init__(self, graph: Graph, ranges: Mapping[str, Ranges]) -> None:
        self.graph, self.ranges = graph, ranges
        self.lines: list[Population | Joined] = []
        self.index: dict[str | Joined, int] = {}
        for population in graph.populations:
            for synapse in graph.into(population.name):
                if self._joins(synapse) and synapse.sources not in self.index:
                    self.index[synapse.sources] = len(self.lines)
                    self.lines.append(synapse.sources)
            self.index[population.name] = len(self.lines)
            self.lines.append(population)
        self.flat: dict[str, list[np.ndarray]] = {name: [] for name in Code._fields[2:]}  # after the two tables
        self.length = dict.fromkeys(self.flat, 0)
        self.entries: list[tuple[int, ...]] = []
        self.readings: dict[str, list[Reading]] = {}
        self.tables: dict[tuple[bytes, ...], int] = {}
        self.fans: dict[bytes, int] = {}
        self.links = 1
        self.fits = True

    def program(self) -> Program | None:
        """The program; None where an array is too large."""
        lines = []
        neurons = 0
        for each in self.lines:
            frames, joints, width = rows_of(self.graph[each[0]].shape if isinstance(each, tuple) else each.shape)
            line = dict.fromkeys(POPULATION, 0)
            if isinstance(each, tuple):
                width *= len(each)
                line |= {"first_entry": len(self.entries), "entries": len(each)}
                self.entries += [_entry(kind=JOINED, source=self.index[name]) for name in each]
            else:
                line |= {"neurons": neurons} | self._fan(each)
                neurons += frames * joints * width * (1 if each.lattice is None else each.lattice.frames_apart)
                if each.neuron is not None:
                    line |= self._neurons(each)
            lines.append(line | {"frames": frames, "joints": joints, "width": width})
        for number, line in enumerate(lines):
            line["listed"] = int(number > 0 and any(entry[:2] == (ROWS, number) for entry in self.entries))
            self.fits &= not line["listed"] or line["width"] <= _CHANNELS
        if max(self.length.values()) > _INT32_MAX - LANES[0] or not self.fits:
            return None
        flat = {name: np.concatenate([*parts, np.zeros(LANES[0], _type(name))]) for name, parts in self.flat.items()}
        if (flat["weights"].astype(np.int8) == flat["weights"]).all():
            flat["weights"] = flat["weights"].astype(np.int8)
        table = np.array([[line[name] for name in POPULATION] for line in lines], np.int64)
        frame = max(line["joints"] * line["width"] for line, each in zip(lines, self.lines)
                    if isinstance(each, Population))
        return Program(tuple(self.lines), Code(table, np.array(self.entries, np.int64), **flat), self.readings, neurons,
                       self.links, frame, max(line["fans"] for line in lines))

    def _joins(self, synapse: Synapse) -> bool:
        """Whether the spikes of its sources are listed together."""
        return len(synapse.sources) > 1 and synapse.mixes_channels and self.graph.input.name not in synapse.sources

    def _put(self, name: str, values: np.ndarray) -> int:
        """Append to a flat array; returns where the values begin."""
        self.flat[name].append(np.ascontiguousarray(values, _type(name)).ravel())
        self.length[name] += values.size
        return self.length[name] - values.size

    def _neurons(self, population: Population) -> dict[str, int]:
        """Enter the incoming synapses and the neurons of a population."""
        neuron, ranges = population.neuron, self.ranges[population.name]
        assert neuron is not None
        frames, joints, width = rows_of(population.shape)
        synapses = _merged(self.graph.into(population.name))
        # Even weights are halved: the sums need a bit less.
        halved = not any(bool((synapse.weight % 2).any()) for synapse in synapses)
        first = len(self.entries)
        for synapse in synapses:
            self._synapse(synapse, halved)
        own = self.entries[first:]
        each_frame = population.bias is not None and population.bias.ndim == 3
        bias = np.zeros((frames if each_frame else 1, joints, width), np.int32)
        if population.bias is not None:
            bias[..., :population.shape[0]] = population.bias.transpose(1, 2, 0) if each_frame else population.bias
        bias <<= STATE_SHIFT
        threshold, unit = neuron.vth << STATE_SHIFT, 1 << (STATE_SHIFT + halved)
        wide = ranges.bound >> halved > _INT16_MAX
        once = -1
        if not (wide or ranges.wraps or ranges.readout or ranges.keep_u):
            never = -_INT16_MAX - 1  # no sum is that small
            once = self._put("fires", np.clip((threshold - bias) // unit, never, _INT16_MAX))
            rests = np.where(bias % unit == 0, -bias // unit, never)
            self._put("rests", np.where(np.abs(rests) > _INT16_MAX, never, rests))
        return {"wide": wide, "shift": STATE_SHIFT + halved, "first_entry": first, "entries": len(own), "once": once,
                "constant": all(entry[1] == 0 and not entry[-1] for entry in own), "bias": self._put("bias", bias),
                "bias_step": joints * width if each_frame else 0, "threshold": threshold, "keep_u": ranges.keep_u,
                "keep_v": ranges.keep_v, "wraps": ranges.wraps, "readout": ranges.readout,
                "carried": neuron.carried or (population.lattice is not None and population.lattice.carried)}

    def _synapse(self, synapse: Synapse, halved: bool) -> None:
        """Enter a synapse."""
        source, target = self.graph[synapse.sources[0]].shape, self.graph[synapse.target].shape
        for delay, part in synapse.by_delay():
            part = replace(part, weight=part.weight.astype(np.int32) >> halved)
            self._layout(synapse, layout(part, source, target), delay)

    def _layout(self, synapse: Synapse, laid: Layout, delay: int) -> None:
        weights = self._put("weights" if laid.kind == ROWS else "products", laid.weights)
        line = {"kind": laid.kind, "weights": weights, "links": self._table(laid.links), "shared": laid.shared,
                "parts": laid.parts, "part_width": laid.part_width, "channels": self._put("channels", laid.channels),
                "channel_count": len(laid.channels), "delay": delay}
        for name in [synapse.sources] if self._joins(synapse) else synapse.sources:
            self.entries.append(_entry(**line, source=self.index[name]))
        self.links = max(self.links, int(np.diff(laid.links.first).max(initial=0)) * max(len(laid.channels), 1))

    def _table(self, links: Links) -> int:
        """Enter a table of links, or find the same one; returns where it begins in ``first``."""
        key = tuple(part.tobytes() for part in links)
        if key not in self.tables:
            at = self._put("rows", links.rows)
            self._put("what", links.what)
            self.tables[key] = self._put("first", links.first + at)
        return self.tables[key]

    def _fan(self, population: Population) -> dict[str, int]:
        """Enter who reads a population, and the weights that its messages meet."""
        rows: dict[bytes, int] = {}
        frames: list[int] = []
        found = self.readings[population.name] = []
        for synapse in self.graph.synapses:
            count = synapse.sources.count(population.name)
            if not count:
                continue
            met = count * fanout_by_frame(self.graph, synapse, population.name)
            if (met == met.flat[0]).all():
                found.append(Reading(synapse.name, -1, int(met.flat[0])))
                continue
            fan = filled(met.transpose(0, 2, 3, 1).reshape(-1, population.shape[2], population.shape[0]))
            self.fits &= int(fan.max()) <= _INT16_MAX and int(fan.max()) * fan[0].size <= _INT32_MAX
            if fan.tobytes() not in rows:
                rows[fan.tobytes()] = len(rows)
                # Most frames are alike, but for those at the borders.
                for frame in fan:
                    if frame.tobytes() not in self.fans:
                        self.fans[frame.tobytes()] = self._put("fan", frame)
                    frames.append(self.fans[frame.tobytes()])
            found.append(Reading(synapse.name, rows[fan.tobytes()]))
        line = {"fan": self._put("fan_frames", np.array(frames, np.int64)), "fans": len(rows)}
        if population.lattice is not None:
            line |= {"interval": population.lattice.interval, "length": population.lattice.length,
                     "lattice_frames": population.lattice.frames_apart}
        return line


def _entry(**values: int) -> tuple[int, ...]:
    return tuple(int(values.get(column, 0)) for column in ENTRY)


def _type(name: str) -> type:
    """Of the elements of an array of :class:`Code`."""
    return np.int16 if name in ("weights", "products", "fires", "rests", "fan") else np.int32


def _merged(synapses: tuple[Synapse, ...]) -> list[Synapse]:
    """Parallel synapses as one with the sum of their weights."""
    found: dict[tuple[object, ...], Synapse] = {}
    for synapse in synapses:
        key: tuple[object, ...] = (synapse.kind, synapse.sources, synapse.weight.shape, *synapse.geometry.values(),
                                   *(array.tobytes() for array in synapse.wiring.values()))
        both = synapse.weight if key not in found else found[key].weight.astype(np.int32) + synapse.weight
        if np.abs(both).max() > _INT16_MAX:
            key, both = (*key, synapse.name), synapse.weight
        found[key] = replace(synapse, weight=both)
    return list(found.values())
