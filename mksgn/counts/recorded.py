"""Counting afterwards, from recorded spikes and states: where a backend cannot count as it runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from mksgn.counts import Counts
from mksgn.ir import Attention, Graph, Population
from mksgn.ir.attention import Events, events
from mksgn.ir.graph import DECAY_UNITY
from mksgn.ir.streamed_clips import frame_spans
from mksgn.ir.streaming import fanout_by_frame


def sent_recorded(graph: Graph, counts: Counts, stream: np.ndarray, spikes: dict[str, np.ndarray]
                  ) -> dict[str, np.ndarray]:
    """Messages of each neuron in each sample, by population; enters their sums into ``counts``.

    Parameters as of :func:`count_recorded`.

    Returns
    -------
    dict of population to int64 ndarray (N, L, C, F, V)
        L frames of the population's lattice; 1 without one.
    """
    trains = _trains(graph, counts, stream, spikes)
    sent = {}
    for population in graph.populations:
        train = trains[population.name]
        frames = [train[..., span].sum(axis=4, dtype=np.int64) for span in frame_spans(population)]
        sent[population.name] = np.stack(frames, axis=1)
        counts.neurons[population.name] = population.size
        by_frame = sent[population.name].sum(axis=0)
        counts.sent[population.name] = by_frame.sum(axis=0)
        if population.lattice is not None:
            counts.sent_by_frame[population.name] = by_frame
    return sent


def _trains(graph: Graph, counts: Counts, stream: np.ndarray, spikes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What every population sent, 1 for each message: (N, C, F, V, T)."""
    messages = (stream != 0).reshape(*stream.shape[:3], counts.samples, counts.steps)
    return {graph.input.name: messages.transpose(3, 2, 1, 0, 4), **spikes}


def count_recorded(graph: Graph, counts: Counts, stream: np.ndarray, spikes: dict[str, np.ndarray],
                   u: dict[str, np.ndarray], v: dict[str, np.ndarray],
                   resets: Mapping[str, Collection[int]], late: Mapping[tuple[str, str], int] | None = None) -> None:
    """Fill ``counts`` from everything that was sent, and active updates from states, where they were recorded.

    Parameters
    ----------
    graph : Graph
    counts : Counts
        Its ``samples`` and ``steps`` are set.
    stream : int ndarray (V, F, C, N T)
        The input's messages.
    spikes : dict of population to int8 ndarray (N, C, F, V, T)
    u, v : dict of population to int32 ndarray (N, C, F, V, T)
        States after each step; empty where they were not recorded.
    resets : mapping of population to steps
        Before which, from 0, it was reset within a sample (or stream).
    late : mapping of (synapse, source) to steps, optional
        That messages take to the target, in wall time. None: every population has its own time.
    """
    sent = sent_recorded(graph, counts, stream, spikes)
    trains = _trains(graph, counts, stream, spikes)
    for population in graph.populations:
        name = population.name
        counts.sample_spikes[name] = sent[name].sum(axis=(1, 2, 3, 4))
        if name in v:
            counts.sample_active[name] = active_updates(population, spikes[name], u[name], v[name],
                                                        resets.get(name, ()))
    for synapse in graph.synapses:
        source = graph[synapse.sources[0]]
        met = sum(np.tensordot(sent[name], fanout_by_frame(graph, synapse, name), 4) for name in synapse.sources)
        counts.place(synapse.name, source.message_bits > 0, np.asarray(met, np.int64))
        if isinstance(synapse, Attention):
            counts.place_inside(synapse.name, _inside(graph, synapse, [
                _arriving(trains[name], late[synapse.name, name] if late else 0) for name in synapse.sources]))


def _inside(graph: Graph, synapse: Attention, trains: list[np.ndarray]) -> Events:
    """Events inside an attention, by sample, from the spikes of q, k and v that its target reads in each step."""
    spans = frame_spans(graph[synapse.target])
    steps = [step for span in spans for step in range(*span.indices(trains[0].shape[-1]))]
    found = [events(synapse, *(train[..., step] for train in trains)) for step in steps]
    return Events(*(np.sum(each, axis=0) for each in zip(*found)))


def _arriving(spikes: np.ndarray, late: int) -> np.ndarray:
    """Spikes (..., T) by the step in which they take effect."""
    arriving = np.zeros_like(spikes)
    arriving[..., late:] = spikes[..., :max(spikes.shape[-1] - late, 0)]
    return arriving


def active_updates(population: Population, spikes: np.ndarray, u: np.ndarray, v: np.ndarray,
                   resets: Collection[int]) -> np.ndarray:
    """Updates that changed something, by sample (:class:`mksgn.counts.Counts`); samples start at rest.

    Parameters
    ----------
    population : Population
    spikes, u, v : ndarray (N, C, F, V, T)
        After each step; v after its reset by a spike.
    resets : collection of int
        Steps before which u and v were set to 0.

    Returns
    -------
    int64 ndarray (N,)
    """
    assert population.neuron is not None
    active = np.zeros(len(spikes), np.int64)
    for step in range(spikes.shape[4]):
        rest = step == 0 or step in resets
        changed = spikes[..., step] != 0
        changed |= v[..., step] != (0 if rest else v[..., step - 1])
        if population.neuron.current_decay < DECAY_UNITY:
            changed |= u[..., step] != (0 if rest else u[..., step - 1])
        active += changed.sum(axis=(1, 2, 3), dtype=np.int64)
    return active
