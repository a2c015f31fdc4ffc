"""Samples as one stream in wall time, and what was recorded back in each population's own time.

:mod:`mksgn.lava.timing` says when each sample is sent, and when each population sees it.
"""

from __future__ import annotations

import numpy as np

from mksgn.errors import ConfigError, DataError
from mksgn.ir import Graph, Population
from mksgn.ir.messages import check_messages, check_samples

RECORDS = ("none", "spikes", "states")


def check_record(record: str) -> None:
    """Raise :class:`ConfigError` unless ``record`` is one of :data:`RECORDS`."""
    if record not in RECORDS:
        raise ConfigError("unknown kind of record", got=repr(record), allowed=", ".join(RECORDS))


def samples_as_stream(samples: np.ndarray, population: Population, steps: int) -> np.ndarray:
    """Samples (N, C, F, V) or (N, C, F, V, T) as one int32 stream (V, F, C, N T) in Lava's layout.

    Raises
    ------
    DataError
        When shape, type or range do not fit the input.
    """
    samples = check_samples(samples, population, steps)
    if len(samples) == 0:
        raise DataError("there are no samples to run", where=f"population {population.name!r}", got=str(samples.shape))
    if samples.ndim == 4:
        samples = np.broadcast_to(samples[..., None], (*samples.shape, steps))
    # (N, C, F, V, T) -> (V, F, C, N, T)
    stream = samples.transpose(3, 2, 1, 0, 4).astype(np.int32)
    return stream.reshape(*stream.shape[:3], -1)


def wall_stream(x: np.ndarray, population: Population) -> np.ndarray:
    """A stream (C, F, V, steps) as int32 (V, F, C, steps). Raises DataError as :func:`samples_as_stream`."""
    x = np.asarray(x)
    if x.ndim != 4 or x.shape[:3] != tuple(population.shape) or x.shape[3] < 1:
        raise DataError("the stream does not fit the net's input", where=f"population {population.name!r}",
                        got=str(x.shape), allowed=f"{tuple(population.shape)} and at least one step")
    check_messages(np.moveaxis(x, -1, 0), population, "step")
    return x.transpose(2, 1, 0, 3).astype(np.int32)


def frames_as_stream(frames: np.ndarray, per_frame: int) -> np.ndarray:
    """Messages of frames (C, F, V, T) as one int32 stream (V, 1, C, F ``per_frame``); nothing is sent beyond T."""
    channels, count, joints, steps = frames.shape
    stream = np.zeros((joints, 1, channels, count, per_frame), np.int32)
    stream[:, 0, :, :, :steps] = frames.transpose(2, 0, 1, 3)
    return stream.reshape(joints, 1, channels, -1)


class Recorder:
    """Places what arrives in wall time into arrays in each population's own time.

    Parameters
    ----------
    graph : Graph
    samples, steps : int
        N of the arrays, and wall steps from one sample to the next.
    depth : dict of population to int
        Wall steps to subtract; all 0 for a stream in wall time.
    record : 'none', 'spikes' or 'states'
        The output's spikes are kept in any case.
    kept : int, optional
        T of the arrays: the first steps of each sample; None: all of them.
    """

    def __init__(self, graph: Graph, samples: int, steps: int, depth: dict[str, int], record: str,
                 kept: int | None = None) -> None:
        self.samples, self.steps, self.depth, self.kept = samples, steps, depth, kept or steps
        self.arrays: dict[str, dict[str, np.ndarray]] = {"spikes": {}, "u": {}, "v": {}}
        for population in graph.populations[1:]:
            shape = (samples, *population.shape, self.kept)
            if record != "none" or (population is graph.output and population.role != "readout"):
                self.arrays["spikes"][population.name] = np.zeros(shape, np.int8)
            if record == "states":
                self.arrays["u"][population.name] = np.zeros(shape, np.int32)
                self.arrays["v"][population.name] = np.zeros(shape, np.int32)

    def place(self, quantity: str, name: str, first: int, values: np.ndarray, sample: int, count: int) -> None:
        """Keep what a run of ``count`` samples, of which the first is ``sample``, sent in wall time.

        ``values`` is (steps, V, F, C), its first element of wall step ``first`` (from 1).
        """
        own = first - 1 - self.depth[name] + np.arange(len(values))
        inside = (own >= 0) & (own < count * self.steps) & (own % self.steps < self.kept)
        n, step = np.divmod(own[inside], self.steps)
        self.arrays[quantity][name][sample + n, ..., step] = values[inside].transpose(0, 3, 2, 1)
