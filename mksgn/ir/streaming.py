r"""Re-timing: frames of a clip as time steps, so that a population needs one neuron per channel and joint.

In the graph of a clip every neuron stands for a channel, a joint *and a frame*. Nothing in it needs that. Here frame f
of a population q occupies steps of its own,

.. math:: t_q(f) = f\, P_q\, T, \qquad P_{input} = 1, \qquad P_{target} = P_q\, s_F,

of its own time, and tap m of a kernel along the frames reads what was sent ``P_q T (m d_F - p_F)`` steps later (before,
where that is negative). A population works only at its steps (:class:`~mksgn.ir.lattice.Lattice`): at the borders of a
clip no neuron exists, which zero padding means, and a strided population has no other frames. The integers, spikes and
readouts of a clip are the same, one by one; :func:`~mksgn.ir.streamed_clips.as_clip` puts them in their places.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mksgn.errors import GraphError
from mksgn.ir.bounds import SUM24, sum_bound
from mksgn.ir.graph import Graph, Population
from mksgn.ir.lattice import Lattice
from mksgn.ir.streamed_clips import lattice_of
from mksgn.ir.synapses import Attention, Conv, Dense, Synapse

Intervals = dict[str, int]
"""Input frames from one frame of a population to its next: P, by name."""
DENSE = "streamed_dense"
"""Entry of ``meta``: convolutions over frames that are ``Dense`` in the clip's graph, and so read every channel."""


def streamed(graph: Graph) -> Graph:
    """The graph of a clip, re-timed: every population holds one frame.

    Its ``time_steps`` are those from one clip to the next, which leave room for what is still on its way.

    Parameters
    ----------
    graph : Graph
        With T steps per sample.

    Raises
    ------
    GraphError
        When the graph runs without T; its biases differ from frame to frame; its readout has several frames; a
        ``Dense`` has functional delays, or makes joints or frames of several frames; an attention is across frames; a
        sum over several frames can leave 24 bits; or two populations that meet need different intervals.
    """
    if graph.time_steps is None:
        raise GraphError("a graph without steps per sample has no frames to stream", got="time_steps None")
    if any(population.lattice is not None for population in graph.populations):
        raise GraphError("this graph is streamed already", fix="stream the graph of the clip")
    if graph.output.role == "readout" and graph.output.shape[1] > 1:
        raise GraphError("a readout of several frames would be read after the last of them only",
                         where=f"population {graph.output.name!r}", got=f"{graph.output.shape[1]} frames", allowed="1",
                         fix="run this graph clip by clip")
    steps, intervals = graph.time_steps, frame_intervals(graph)
    populations = tuple(_population(p, intervals[p.name], steps) for p in graph.populations)
    for synapse in graph.synapses:
        several = (isinstance(synapse, Conv) and synapse.weight.shape[2] > 1) or (
            isinstance(synapse, Dense) and graph[synapse.sources[0]].shape[1] > 1)
        if several and sum_bound(graph, synapse) >= SUM24:
            raise GraphError("a sum that can leave 24 bits wraps as a whole, and its taps would wrap one by one",
                             where=f"synapse {synapse.name!r}", got=f"up to {sum_bound(graph, synapse)}",
                             allowed=f"below {SUM24}", fix="run this graph clip by clip")
    synapses = tuple(_synapse(s, graph[s.sources[0]], graph[s.target], intervals[s.sources[0]] * steps)
                     for s in graph.synapses)
    made = [after.name for before, after in zip(graph.synapses, synapses) if before.kind != after.kind]
    return Graph(populations, synapses, _cycle(graph, intervals), graph.meta | ({DENSE: made} if made else {}))


def continuous(graph: Graph) -> Graph:
    """The graph of a clip as a stream that never ends: every population works at every frame, and so does the readout.

    A decision at frame f is that of the clip whose last frame is f. Its frames are read at the strides of the clip's
    graph, but a strided population works at all of them, in turn. No neuron knows where a clip ends: where the clip's
    graph pads its frames with zeros, a continuous one reads frames instead, and decides as within a longer clip. A
    network without temporal padding decides the same, from the first frame on at which it has read all that it reads.

    Its ``time_steps`` are those of one frame. :class:`mksgn.emulator.FrameByFrame` runs it.

    Parameters
    ----------
    graph : Graph
        Of a clip, with T steps per sample.

    Raises
    ------
    GraphError
        As :func:`streamed`; or when a population makes several frames of one, or one behind a stride carries its
        states: it would work on frames of several clips in turn.
    """
    for synapse in graph.synapses:
        made = graph[synapse.target].shape[1]
        for source in synapse.sources:
            if graph[source].shape[1] == 1 < made:
                raise GraphError("a population that makes several frames of one has no place in a stream without ends",
                                 where=f"{source} -> {synapse.target}", got=f"{made} frames of 1",
                                 fix="run this graph clip by clip")
    stream, steps = streamed(graph), graph.time_steps
    assert steps is not None
    for population in stream.populations:
        lattice = lattice_of(population)
        if lattice.carried and lattice.interval > steps:
            raise GraphError("states that are carried behind a stride have no place in a stream without ends",
                             where=f"population {population.name!r}", got=f"a frame every {lattice.interval} steps",
                             allowed=f"{steps}", fix="carry no states behind strides, or run this graph clip by clip")
    populations = tuple(replace(p, lattice=Lattice(steps, steps, None, lattice_of(p).carried))
                        for p in stream.populations)
    return Graph(populations, stream.synapses, steps, dict(stream.meta))


def pads_frames(graph: Graph) -> bool:
    """Whether a kernel along the frames reads zeros beyond the ends of a clip."""
    return any(isinstance(synapse, Conv) and synapse.padding[0] > 0 for synapse in graph.synapses)


def frame_intervals(graph: Graph) -> Intervals:
    """Input frames from one frame of each population to its next.

    A population of one frame takes the interval that its readers need.

    Raises
    ------
    GraphError
        Naming two populations that disagree.
    """
    found: Intervals = {}
    for population in graph.populations:
        several = population.shape[1] > 1
        wanted: list[tuple[str, int]] = []
        free: list[tuple[str, int]] = []
        for synapse in graph.into(population.name):
            stride = synapse.stride[0] if isinstance(synapse, Conv) else 1
            for source in synapse.sources:
                if graph[source].shape[1] == 1:
                    free.append((source, stride))
                else:
                    wanted.append((source, found[source] * stride))
        if not several:
            continue
        if population.role == "input":
            found[population.name] = 1
            continue
        _check_agreement(population, wanted)
        own = wanted[0][1] if wanted else 1
        for source, stride in free:
            if own % stride or found.setdefault(source, own // stride) != own // stride:
                raise GraphError("two populations of one frame and of several cannot be timed alike",
                                 where=f"{source} -> {population.name}", got=f"intervals {found.get(source)} and "
                                 f"{own} / {stride}", fix="run this graph clip by clip")
        found[population.name] = own
    return {p.name: found.get(p.name, 1) for p in graph.populations}


def _check_agreement(population: Population, wanted: list[tuple[str, int]]) -> None:
    for source, interval in wanted:
        if interval != wanted[0][1]:
            raise GraphError("two populations that meet have frames at different intervals",
                             where=f"population {population.name!r}, which reads {wanted[0][0]!r} and {source!r}",
                             got=f"{wanted[0][1]} and {interval} input frames",
                             fix="give all branches the same strides, or run this graph clip by clip")


def _population(population: Population, interval: int, steps: int) -> Population:
    channels, frames, joints = population.shape
    bias = population.bias
    if bias is not None and bias.ndim == 3:
        if (bias != bias[:, :1]).any():
            raise GraphError("biases that differ from frame to frame cannot be streamed",
                             where=f"population {population.name!r}", fix="give every frame the same bias")
        bias = bias[:, :1]
    neuron = population.neuron
    carried = neuron is not None and neuron.carried
    if neuron is not None:
        neuron = replace(neuron, carried=False)
    return replace(population, shape=(channels, 1, joints), bias=bias, neuron=neuron,
                   lattice=Lattice(interval * steps, steps, frames, carried))


def _synapse(synapse: Synapse, source: Population, target: Population, frame_steps: int) -> Synapse:
    if isinstance(synapse, Conv):
        plain = synapse.weight.shape[2] == 1 and synapse.padding[0] == 0
        return replace(synapse, stride=(1, synapse.stride[1]), frame_steps=0 if plain else frame_steps)
    if isinstance(synapse, Attention) and synapse.across_frames and source.shape[1] > 1:
        raise GraphError("an attention across all frames needs them at once, and a stream has them one after the other",
                         where=f"synapse {synapse.name!r}", got=f"{source.shape[1]} frames", allowed="1",
                         fix="run this graph clip by clip")
    if isinstance(synapse, Dense):
        where = f"synapse {synapse.name!r}"
        if synapse.delayed:
            raise GraphError("functional delays and frames as time steps cannot be told apart", where=where,
                             fix="run this graph clip by clip")
        if target.shape[1] > 1 or (source.shape[1] > 1 and target.shape[2] > 1):
            raise GraphError("a dense synapse can make one frame, and of several frames one neuron per channel",
                             where=where, got=f"a target of {target.shape[1]} frames and {target.shape[2]} joints",
                             allowed="1 and 1" if source.shape[1] > 1 else "1 frame", fix="run this graph clip by clip")
        if source.shape[1] > 1:
            kernel = synapse.weight.reshape(len(synapse.weight), *source.shape)
            return Conv(synapse.name, synapse.sources, synapse.target, kernel, frame_steps=frame_steps)
    return synapse


def fanout_by_frame(graph: Graph, synapse: Synapse, source: str) -> np.ndarray:
    """Non-zero weights that a message meets at neurons that work when it arrives, by the frame in which it was sent.

    A frame's messages all count as those of its first step. That is exact where all of them meet neurons at work, or
    none does: in streamed graphs, and with gates (:mod:`mksgn.ir.gates`). A relay's one frame is its whole sample, and
    what it sends near the ends of that can meet neurons of the sample before or after: counts of such graphs are a few
    per cent off (:mod:`mksgn.ir.relays`). Nothing is priced by them.

    Parameters
    ----------
    graph : Graph
        Streamed or not.
    synapse : Synapse
    source : str
        One of its sources.

    Returns
    -------
    int64 ndarray (L, C, F, V)
        L frames of the source's lattice; 1 where it has none, or no end. The shape of the others is the source's.
    """
    sender, target = graph[source], graph[synapse.target]
    if sender.lattice is None or target.lattice is None:  # all populations of a graph have one, or none has
        return synapse.fanout(sender.shape, target.shape)[None]
    frames = sender.lattice.frames_apart
    found = np.zeros((frames, *sender.shape), np.int64)
    for delay, part in synapse.by_delay():
        met = part.fanout(sender.shape, target.shape)
        for frame in range(frames):
            arrives = frame * sender.lattice.interval + delay
            if sender.lattice.frames is None or target.lattice.frame(arrives) is not None:
                found[frame] += met
    return found


def dense_macs(graph: Graph, synapse: Synapse) -> int:
    """Multiply-accumulates of the dense operation of a synapse, for one source and one step of every frame.

    The same for the graph of a clip and the streamed one.
    """
    source, target = graph[synapse.sources[0]], graph[synapse.target]
    if synapse.name in graph.meta.get(DENSE, ()):
        return synapse.weight.size
    frames = 1 if target.lattice is None else target.lattice.frames_apart
    return synapse.dense_macs(source.shape, target.shape) * frames


def _cycle(graph: Graph, intervals: Intervals) -> int:
    """Steps from one clip to the next, after which no message of the one can meet a neuron that works on the other.

    A multiple of every interval: neurons that reset at each interval then begin each clip on time.
    """
    assert graph.time_steps is not None
    frames = 1
    for population in graph.populations:
        frames = max(frames, (population.shape[1] - 1) * intervals[population.name] + 1)
    for synapse in graph.synapses:
        if not isinstance(synapse, Conv):
            continue
        made = graph[synapse.target].shape[1]
        for source in synapse.sources:
            read = graph[source].shape[1]
            last = (made - 1) * synapse.stride[0] + (synapse.weight.shape[2] - 1) * synapse.dilation[0]
            beyond = max(read - 1 + synapse.padding[0], last - synapse.padding[0])
            frames = max(frames, intervals[source] * beyond + 1)
    several = math.lcm(*(intervals[p.name] for p in graph.populations if p.shape[1] > 1))
    return -(-frames // several) * several * graph.time_steps
