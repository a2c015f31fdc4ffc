"""A recording through a stream without ends, in one call: every decision, and what each frame cost."""

from __future__ import annotations

import numpy as np

from mksgn.emulator.framewise import FrameByFrame
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.ir.endless import checked_frames, frames_to_decide
from mksgn.run.backend import RunResult


def run_frames(graph: Graph, frames: np.ndarray, record: str = "none", threads: int | None = None) -> RunResult:
    """Let frames enter a stream without ends, one after the other, on the emulator.

    Parameters
    ----------
    graph : Graph
        Of :func:`mksgn.ir.streaming.continuous`.
    frames : int ndarray (C, F, V), the same at every step of a frame, or (C, F, V, T)
    record : 'none' or 'spikes'
    threads : int, optional
        As for :class:`FrameByFrame`.

    Returns
    -------
    RunResult
        Its samples are the decisions, F - :func:`mksgn.ir.endless.frames_to_decide` + 1 of them. Sample n of a
        population is the n-th frame in its own time, so ``counts`` are means per frame.

    Raises
    ------
    GraphError
        As :class:`FrameByFrame`; or when the graph is not endless.
    DataError
        When the frames do not fit, are too few, or make a readout leave its range.
    ConfigError
        When ``record`` is unknown.
    """
    if record not in ("none", "spikes"):
        raise ConfigError("unknown kind of record of a stream", got=repr(record), allowed="none, spikes")
    messages = checked_frames(graph, frames)
    decisions = messages.shape[1] - frames_to_decide(graph) + 1
    sending = [p for p in graph.populations if p.role == "hidden"]
    spikes = {p.name: np.zeros((decisions, *p.shape, messages.shape[3]), np.int8)
              for p in sending if record == "spikes" or p is graph.output}
    sent = {p.name: np.zeros(p.shape, np.int64) for p in graph.populations}
    sent[graph.input.name][:] = (messages[:, :decisions] != 0).sum(axis=(1, 3), dtype=np.int64)[:, None]
    readouts = []
    with FrameByFrame(graph, threads) as stream:
        tables = np.zeros((decisions, *stream.events.shape), np.int64)
        for now in range(messages.shape[1]):
            result = stream.push(messages[:, now:now + 1])
            stream.keep_events(tables, now)
            if graph.output.role == "readout" and result.output is not None:
                readouts.append(result.output)
            for population in sending:
                own = now - stream.lag(population.name)
                if 0 <= own < decisions:
                    fired = stream.spikes(population.name)
                    sent[population.name] += fired.sum(axis=3, dtype=np.int64)
                    if population.name in spikes:
                        spikes[population.name][own] = fired
        counts = stream.as_counts(tables, stream.steps)
    counts.sent, counts.sent_by_frame = sent, {name: values[None] for name, values in sent.items()}
    output = np.array(readouts) if readouts else spikes[graph.output.name].astype(np.int64)
    return RunResult(output, counts, spikes if record == "spikes" else {})
