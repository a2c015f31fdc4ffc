"""The same network with fewer frames or channels: what would fit where the whole does not.

Only shapes matter here: weights are cropped, so that the result takes the memory of such a network; it
computes nothing meaningful.
"""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

import numpy as np

from mksgn.errors import GraphError
from mksgn.ir.graph import Graph, Population
from mksgn.ir.synapses import Conv, Dense, GraphConv, JointMix, Shape, Synapse


def with_frames(graph: Graph, frames: int) -> Graph | None:
    """``graph`` for an input of ``frames`` frames, no more than it has; None where its layers do not allow that.

    Pooling windows, which lie side by side over all frames, become shorter where fewer frames are left than one takes.
    """
    return _rebuild(graph, (graph.input.shape[0], frames, graph.input.shape[2]), 1.0)


def with_width(graph: Graph, share: float) -> Graph | None:
    """``graph`` with ``share`` of the channels of every hidden population; None where its layers do not allow that."""
    return _rebuild(graph, graph.input.shape, share)


def _rebuild(graph: Graph, input_shape: Shape, share: float) -> Graph | None:
    shapes = {graph.input.name: input_shape}
    populations = [replace(graph.input, shape=input_shape)]
    synapses: list[Synapse] = []
    try:
        for population in graph.populations[1:]:
            shape: Shape | None = None
            for synapse in graph.into(population.name):
                name = synapse.sources[0]
                smaller = _smaller(synapse, graph[name].shape, shapes[name], population, share)
                synapses.append(smaller)
                fixed = population.shape if shape is None else shape
                shape = smaller.output_shape(shapes[name], fixed)
            assert shape is not None
            shapes[population.name] = shape
            bias = population.bias
            if bias is not None:
                bias = bias[:shape[0]] if bias.ndim == 1 else bias[tuple(slice(n) for n in shape)]
            populations.append(replace(population, shape=shape, bias=bias))
        order = {synapse.name: number for number, synapse in enumerate(graph.synapses)}
        return Graph(tuple(populations), tuple(sorted(synapses, key=lambda s: order[s.name])), graph.time_steps)
    except (GraphError, ValueError):
        return None


@singledispatch
def _smaller(synapse: Synapse, before: Shape, source: Shape, target: Population, share: float) -> Synapse:
    """``synapse`` with its weights cropped.

    Parameters
    ----------
    synapse : Synapse
    before, source : (C, F, V)
        What it reads, and what it is to read.
    target : Population
        What it drives, whole.
    share : float
        Of the target's channels that are kept.
    """
    raise TypeError(f"no kind of synapse: {synapse!r}")


def _channels_kept(target: Population, share: float) -> int:
    return target.shape[0] if target.role == "readout" else max(1, round(target.shape[0] * share))


@_smaller.register
def _joint_mix(synapse: JointMix, before: Shape, source: Shape, target: Population, share: float) -> Synapse:
    return synapse


@_smaller.register
def _graph_conv(synapse: GraphConv, before: Shape, source: Shape, target: Population, share: float) -> Synapse:
    return replace(synapse, weight=np.asarray(synapse.weight)[:, :_channels_kept(target, share), :source[0]])


@_smaller.register
def _dense(synapse: Dense, before: Shape, source: Shape, target: Population, share: float) -> Synapse:
    weight = np.asarray(synapse.weight)
    kept = weight.reshape(-1, *before)[:, :source[0], :source[1], :source[2]]
    delay = synapse.delay
    if delay is not None and delay.ndim == 1:
        delay = delay.reshape(before)[tuple(slice(n) for n in source)].ravel()
    elif delay is not None:
        delay = delay.reshape(-1, *before)[:, :source[0], :source[1], :source[2]].reshape(len(weight), -1)
    return replace(synapse, weight=kept.reshape(len(weight), -1), delay=delay)


@_smaller.register
def _conv(synapse: Conv, before: Shape, source: Shape, target: Population, share: float) -> Synapse:
    weight = np.asarray(synapse.weight)
    frames = weight.shape[2]
    if frames * target.shape[1] == before[1]:  # a pool
        frames = min(frames, source[1])
    if synapse.groups == 1:
        return replace(synapse, weight=weight[:_channels_kept(target, share), :source[0], :frames])
    if synapse.groups != before[0]:
        if share != 1:
            raise ValueError("grouped channels cannot be cropped")
        return replace(synapse, weight=weight[:, :, :frames])
    each = weight.shape[0] // synapse.groups
    return replace(synapse, weight=weight[:source[0] * each, :, :frames], groups=source[0])
