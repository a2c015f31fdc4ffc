"""Running a stream without ends (:func:`mksgn.ir.streaming.continuous`) for some frames: what goes in, what comes out.

Frame n of a population is its n-th in its own time. All populations' frames n together make decision n, which looks at
the frames n to n + :func:`frames_to_decide` - 1 of the input, and at earlier ones where a kernel is padded. So F frames
make F - :func:`frames_to_decide` + 1 decisions, and no event of theirs depends on a frame that did not come.
"""

from __future__ import annotations

import numpy as np

from mksgn.errors import DataError, GraphError
from mksgn.ir.graph import Graph
from mksgn.ir.messages import check_messages
from mksgn.ir.schedule import schedule
from mksgn.ir.streaming import is_endless


def check_endless(graph: Graph) -> None:
    """Raise :class:`GraphError` unless ``graph`` is a stream without ends."""
    if not is_endless(graph):
        raise GraphError("only a stream without ends runs frame after frame", got="a graph of clips",
                         fix="make one with mksgn.ir.streaming.continuous")


def frames_to_decide(graph: Graph) -> int:
    """Frames that must enter an endless graph before its first decision."""
    check_endless(graph)
    assert graph.time_steps is not None
    return schedule(graph, hop=0).latency // graph.time_steps + 1


def steps_to_answer(graph: Graph) -> int:
    """Steps of an endless graph from the first of a frame to the end of the decision that this frame completes."""
    assert graph.time_steps is not None
    return schedule(graph).latency - (frames_to_decide(graph) - 1) * graph.time_steps + graph.time_steps


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
    steps = graph.time_steps
    assert steps is not None
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
