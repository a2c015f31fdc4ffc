"""A net as a stream without ends, for the commands that place and price it: its graph, and what its frames do."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mksgn.counts import Counts
from mksgn.emulator import run_frames
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.ir.endless import frames_to_decide, steps_to_answer
from mksgn.ir.streaming import continuous
from mksgn.programs.samples import preprocess_of
from mksgn.stream.framewise import why_clips


def endless_graph(clip: Graph, net: Path) -> Graph:
    """The endless graph of a net that was trained for streams.

    Raises
    ------
    ConfigError
        When the net must be given clips, saying why; or does not say how skeletons become its input.
    """
    why = why_clips(clip, preprocess_of(clip, net))
    if why:
        raise ConfigError("this net must be given clips", where=str(net), got=why,
                          allowed="a net trained for streams (--coding causal --temporal-padding none)",
                          fix="give --time stream, which is about a clip, or train such a net")
    return continuous(clip)


def runs_endless(clip: Graph, net: Path) -> bool:
    """Whether a net was trained for streams."""
    return "preprocess" in clip.meta and not why_clips(clip, preprocess_of(clip, net))


def endless_line(graph: Graph) -> str:
    """One line on how an endless graph runs."""
    neurons = sum(population.size for population in graph.populations[1:])
    return (f"time endless: {neurons:,} neurons, {graph.time_steps} steps per frame, a decision at every frame; it "
            f"looks at {frames_to_decide(graph)} frames and is there {steps_to_answer(graph)} steps after the last of "
            "them began; all figures are of a frame")


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
