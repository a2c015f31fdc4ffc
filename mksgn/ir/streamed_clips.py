"""Clips in a streamed graph: their messages put at the steps of their frames, and what was sent put back."""

from __future__ import annotations

import numpy as np

from mksgn.errors import DataError, GraphError
from mksgn.ir.graph import Graph, Population
from mksgn.ir.lattice import Lattice


def is_endless(graph: Graph) -> bool:
    """Whether :func:`mksgn.ir.streaming.continuous` made ``graph``."""
    return graph.input.lattice is not None and graph.input.lattice.frames is None


def clip_as_stream(graph: Graph, samples: np.ndarray) -> np.ndarray:
    """Samples of a clip's graph as the messages of a streamed one.

    Parameters
    ----------
    graph : Graph
        Streamed.
    samples : int ndarray (N, C, F, V), the same at every step of a frame, or (N, C, F, V, T)

    Returns
    -------
    int ndarray (N, C, 1, V, ``graph.time_steps``)

    Raises
    ------
    DataError
        When they have other frames or steps.
    GraphError
        When the graph is not streamed.
    """
    lattice = lattice_of(graph.input)
    if lattice.frames is None:
        raise GraphError("a stream without ends has no clips", fix="stream the clip's graph: streamed, not continuous")
    if samples.ndim == 4:
        samples = np.broadcast_to(samples[..., None], (*samples.shape, lattice.length))
    count, channels, frames, joints, steps = samples.shape
    if (frames, steps) != (lattice.frames, lattice.length):
        raise DataError("these samples are not those of the clip", got=f"{frames} frames of {steps} steps",
                        allowed=f"{lattice.frames} frames of {lattice.length} steps")
    assert graph.time_steps is not None
    made = np.zeros((count, channels, 1, joints, graph.time_steps), samples.dtype)
    for frame in range(frames):
        first = frame * lattice.interval
        made[:, :, 0, :, first:first + steps] = samples[:, :, frame]
    return made


def check_stream(graph: Graph, samples: np.ndarray) -> None:
    """Raise :class:`DataError` when messages of a streamed graph are not those of frames at their steps.

    Parameters
    ----------
    graph : Graph
    samples : int ndarray (N, C, F, V) or (N, C, F, V, steps)
    """
    if graph.input.lattice is None:
        return
    if is_endless(graph):
        raise DataError("a stream without ends has no samples", got=f"shape {samples.shape}",
                        fix="run it with mksgn.emulator.FrameByFrame, or by run_frames")
    if samples.ndim == 4:
        raise DataError("a streamed graph takes a frame at a time", got=f"shape {samples.shape}",
                        allowed=f"(N, C, 1, V, {graph.time_steps})", fix="use mksgn.ir.streamed_clips.clip_as_stream")
    rests = sorted(graph.input.lattice.rests(samples.shape[4]))
    if samples[..., rests].any():
        raise DataError("the input sends at steps at which it has no frame", where=f"population {graph.input.name!r}",
                        fix="use mksgn.ir.streamed_clips.clip_as_stream")


def refuse_streamed(graph: Graph, purpose: str) -> None:
    """Raise :class:`GraphError` for a streamed graph; ``purpose`` says what it is no good for, "placed on cores"."""
    streamed_one = next((population for population in graph.populations if population.lattice is not None), None)
    if streamed_one is not None:
        raise GraphError(f"a streamed graph cannot be {purpose} yet", where=f"population {streamed_one.name!r}",
                         fix="take the graph of the clip")


def carried_side_by_side(graph: Graph) -> Population | None:
    """The first population of a clip's graph that carries its states from frame to frame; None: there is none."""
    return next((population for population in graph.populations
                 if population.neuron is not None and population.neuron.carried), None)


def refuse_carried(graph: Graph, purpose: str) -> None:
    """Raise :class:`GraphError` for the graph of a clip that carries states; ``purpose`` says what it is no good for.

    A chip's neuron cannot take over the state of another one. Re-timed, the frames have one neuron, which keeps it.
    """
    population = carried_side_by_side(graph)
    if population is not None:
        raise GraphError(f"a clip whose neurons carry their states from frame to frame cannot be {purpose}",
                         where=f"population {population.name!r}", got="frames side by side",
                         allowed="frames as time steps", fix="choose --time stream, or --time endless")


def frame_beginnings(graph: Graph) -> dict[str, frozenset[int]]:
    """Steps of a sample before which each population is set to rest, in its own time; empty without lattices."""
    return {p.name: p.lattice.beginnings(graph.time_steps or 0) for p in graph.populations if p.lattice is not None}


def frame_spans(population: Population) -> list[slice]:
    """The steps of each frame that is counted for itself, in a population's own time; all steps without a lattice."""
    lattice = population.lattice
    if lattice is None:
        return [slice(None)]
    starts = range(0, lattice.frames_apart * lattice.interval, lattice.interval)
    return [slice(start, start + lattice.length) for start in starts]


def as_clip(population: Population, values: np.ndarray) -> np.ndarray:
    """What a streamed population sent, (N, C, 1, V, steps), as that of a clip: (N, C, F, V, T)."""
    if lattice_of(population).frames is None:
        raise GraphError("a stream without ends is no clip", where=population.name)
    return np.stack([values[:, :, 0, :, span] for span in frame_spans(population)], axis=2)


def lattice_of(population: Population) -> Lattice:
    """The lattice of a streamed population."""
    if population.lattice is None:
        raise GraphError("this population is not streamed", where=population.name)
    return population.lattice
