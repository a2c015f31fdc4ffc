"""A net as a stream without ends, for the commands that place and price it: its graph, and what its frames do."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mksgn.counts import Counts
from mksgn.emulator import run_frames
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.ir.endless import frames_to_decide, prompt_steps, spaced, steps_at_work, steps_to_answer
from mksgn.ir.streaming import continuous
from mksgn.programs.samples import preprocess_of
from mksgn.run.time_modes import ENOUGH
from mksgn.stream.framewise import why_clips


def endless_graph(clip: Graph, net: Path, steps_per_frame: str | None = None) -> Graph:
    """The endless graph of a net that was trained for streams.

    Parameters
    ----------
    clip : Graph
    net : Path
        Its file.
    steps_per_frame : str, optional
        As typed: a number, or 'enough'. None: the T steps of a frame.

    Raises
    ------
    ConfigError
        When the net must be given clips, saying why; or does not say how skeletons become its input.
    GraphError
        When frames cannot come at this distance.
    """
    why = why_clips(clip, preprocess_of(clip, net))
    if why:
        raise ConfigError("this net must be given clips", where=str(net), got=why,
                          allowed="a net trained for streams (--coding causal --temporal-padding none)",
                          fix="give --time stream, which is about a clip, or train such a net")
    stream = continuous(clip)
    if steps_per_frame is None:
        return stream
    return spaced(stream, prompt_steps(stream) if steps_per_frame == ENOUGH else int(steps_per_frame))


def runs_endless(clip: Graph, net: Path) -> bool:
    """Whether a net was trained for streams."""
    return "preprocess" in clip.meta and not why_clips(clip, preprocess_of(clip, net))


def endless_line(graph: Graph) -> str:
    """One line on how an endless graph runs."""
    neurons = sum(population.size for population in graph.populations[1:])
    steps, work, answer = graph.time_steps, steps_at_work(graph), steps_to_answer(graph)
    assert steps is not None
    rest = "" if steps == work else f" (neurons rest in {steps - work} of them)"
    late = (answer - 1) // steps
    waits = "before the next frame" if not late else (
        f"{late} frame{'s' * (late > 1)} later; --steps-per-frame {prompt_steps(graph)} brings it before the next one")
    return (f"time endless: {neurons:,} neurons, {steps} steps per frame{rest}, a decision at every frame; it looks at "
            f"{frames_to_decide(graph)} frames and is there {answer} steps after the last of them began, {waits}; all "
            "figures are of a frame")


def played(clips: np.ndarray) -> np.ndarray:
    """Clips (N, C, F, V) one after the other, without a pause: (C, frames, V).

    The frames with which a short recording was filled up, before anybody was seen, are left out.
    """
    return np.concatenate([clip[:, int(clip.any(axis=(0, 2)).argmax()):] for clip in clips], axis=1)


def count_frames(graph: Graph, clips: np.ndarray) -> Counts:
    """Events of :func:`played` clips, a sample being a frame.

    Decisions whose frames are of two clips are among them: a stream does not know where a recording ends.
    """
    return run_frames(graph, played(clips)).counts
