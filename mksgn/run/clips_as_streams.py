"""Clips run with their frames one after the other, and their results as those of clips.

The graph of a clip is re-timed (:func:`mksgn.ir.streaming.streamed`), a clip enters frame by frame, and everything that
comes out is put where it stands in a clip: spikes, states, outputs and counts. So whoever compares, prints or writes a
run needs to know nothing of how it was timed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mksgn.counts import Counts
from mksgn.ir import Graph
from mksgn.ir.messages import check_samples
from mksgn.ir.streamed_clips import as_clip, clip_as_stream
from mksgn.run.backend import Backend, RunResult
from mksgn.run.time_modes import name_in


class ClipsAsStreams:
    """A backend for the graph of a clip, on top of one that runs the same graph streamed.

    Parameters
    ----------
    graph : Graph
        Of the clip.
    backend : Backend
        Runs ``streamed(graph)``. It is closed with this one.
    """

    def __init__(self, graph: Graph, backend: Backend) -> None:
        self.graph, self.backend = graph, backend
        self.name = name_in("stream", backend.name)

    @property
    def counts_alone(self) -> bool:
        """As :class:`mksgn.run.backend.Backend`."""
        return self.backend.counts_alone

    def __enter__(self) -> ClipsAsStreams:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End what the backend has started."""
        self.backend.close()

    def run(self, samples: np.ndarray, record: str = "none") -> RunResult:
        """Run samples of the clip's graph, (N, C, F, V) or (N, C, F, V, T), as streams; see :class:`Backend`.

        Raises
        ------
        DataError
            When samples have the wrong shape, type or range.
        BackendError
            When the backend fails.
        """
        stream, steps = self.backend.graph, self.graph.time_steps
        assert steps is not None, "a graph without steps cannot be streamed"
        messages = clip_as_stream(stream, check_samples(samples, self.graph.input, steps))
        ran = self.backend.run(messages, record)
        spikes, u, v = ({name: as_clip(stream[name], values) for name, values in recorded.items()}
                        for recorded in (ran.spikes, ran.u, ran.v))
        output = as_clip(stream.output, ran.output) if ran.output.ndim == 5 else ran.output
        return RunResult(output, self._counts(ran.counts), spikes, u, v)

    def _counts(self, counts: Counts) -> Counts:
        """Counts of streams as those of clips; only what is said neuron by neuron has another shape."""
        sent = {name: values[:, :, 0].transpose(1, 0, 2).copy() for name, values in counts.sent_by_frame.items()}
        return replace(counts, steps=self.graph.time_steps or 1, sent=sent, sent_by_frame={},
                       neurons={name: self.graph[name].size for name in counts.neurons})
