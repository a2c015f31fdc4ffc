"""Running a stream without ends (:func:`mksgn.ir.streaming.continuous`) for some frames: what goes in, what comes out.

Frame n of a population is its n-th in its own time. All populations' frames n together make decision n, which looks at
the frames n to n + :func:`frames_to_decide` - 1 of the input, and at earlier ones where a kernel is padded. So F frames
make F - :func:`frames_to_decide` + 1 decisions, and no event of theirs depends on a frame that did not come.

A hop between two populations takes a time step. Where a frame enters every T steps, the decision about it waits for the
steps of later frames. :func:`spaced` lets frames enter further apart, with steps of rest in between, so that the
decision is there before the next frame. Spikes and decisions are the same.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

import numpy as np

from mksgn.errors import DataError, GraphError
from mksgn.ir.graph import Graph
from mksgn.ir.lattice import Lattice
from mksgn.ir.messages import check_messages
from mksgn.ir.schedule import schedule
from mksgn.ir.streamed_clips import is_endless, lattice_of
from mksgn.ir.synapses import Conv

STEPS_PER_FRAME_MAX = 1 << 12
"""Far more than any depth; the steps of a frame are looked at one by one."""


def check_endless(graph: Graph) -> None:
    """Raise :class:`GraphError` unless ``graph`` is a stream without ends."""
    if not is_endless(graph):
        raise GraphError("only a stream without ends runs frame after frame", got="a graph of clips",
                         fix="make one with mksgn.ir.streaming.continuous")


def steps_at_work(graph: Graph) -> int:
    """T: the steps of a frame at which the neurons of an endless graph work. They rest until the next frame comes."""
    check_endless(graph)
    return lattice_of(graph.input).length


def spaced(graph: Graph, steps_per_frame: int) -> Graph:
    """The same stream without ends, with a frame every ``steps_per_frame`` steps.

    A tap that waited for d frames then waits for d ``steps_per_frame`` steps. The spikes of every frame stay the same.

    Parameters
    ----------
    graph : Graph
        Endless.
    steps_per_frame : int
        At least T, the steps at which neurons work on a frame.

    Raises
    ------
    GraphError
        When the graph is not endless, or its frames would overlap or lie too far apart.
    """
    length = steps_at_work(graph)
    if not length <= steps_per_frame <= STEPS_PER_FRAME_MAX:
        raise GraphError("frames cannot come at this distance", where="steps per frame", got=str(steps_per_frame),
                         allowed=f"{length} (the steps of a frame's neurons) to {STEPS_PER_FRAME_MAX}")
    before = graph.time_steps
    assert before is not None
    return Graph(tuple(replace(p, lattice=Lattice(steps_per_frame, length, None, lattice_of(p).carried))
                       for p in graph.populations),
                 tuple(replace(s, frame_steps=s.frame_steps // before * steps_per_frame) if isinstance(s, Conv) else s
                       for s in graph.synapses), steps_per_frame, dict(graph.meta))


def prompt_steps(graph: Graph) -> int:
    """Fewest steps per frame of an endless graph with which all that a frame causes is done before the next enters.

    Its decision is a part of that: :func:`steps_to_answer` is then no larger.
    """
    def takes(steps: int) -> int:
        at = spaced(graph, steps)
        waited = schedule(at, hop=0).depth
        return max(depth - waited[name] for name, depth in schedule(at).depth.items()) + length

    length = steps_at_work(graph)
    # More steps per frame never make it take longer. So what it takes with frames close up is enough.
    return length + bisect_left(range(length, takes(length)), True, key=lambda steps: takes(steps) <= steps)


def frames_to_decide(graph: Graph) -> int:
    """Frames that must enter an endless graph before its first decision."""
    check_endless(graph)
    assert graph.time_steps is not None
    return schedule(graph, hop=0).latency // graph.time_steps + 1


def steps_to_answer(graph: Graph) -> int:
    """Steps of an endless graph from the first of a frame to the end of the decision that this frame completes."""
    assert graph.time_steps is not None
    return schedule(graph).latency - (frames_to_decide(graph) - 1) * graph.time_steps + steps_at_work(graph)


def checked_frames(graph: Graph, frames: np.ndarray) -> np.ndarray:
    """Frames as the messages of an endless graph, int (C, F, V, T).

    Parameters
    ----------
    graph : Graph
        Endless.
    frames : int ndarray (C, F, V), the same at every step of a frame, or (C, F, V, T)

    Raises
    ------
    GraphError
        When the graph is not endless.
    DataError
        When they have another shape, values that the input cannot send, or are too few for a decision.
    """
    least, frames = frames_to_decide(graph), np.asarray(frames)
    channels, _, joints = graph.input.shape
    steps = steps_at_work(graph)
    where = f"population {graph.input.name!r}"
    fits = frames.ndim in (3, 4) and (frames.shape[0], *frames.shape[2:]) in ((channels, joints),
                                                                              (channels, joints, steps))
    if not fits:
        raise DataError("these frames do not fit the net's input", where=where, got=str(frames.shape),
                        allowed=f"({channels}, F, {joints}), or the same with {steps} steps")
    if frames.shape[1] < least:
        raise DataError("too few frames for a decision", where=where, got=str(frames.shape[1]),
                        allowed=f"at least {least}")
    check_messages(np.moveaxis(frames, 1, 0), graph.input, "frame")
    return frames if frames.ndim == 4 else np.broadcast_to(frames[..., None], (*frames.shape, steps))
