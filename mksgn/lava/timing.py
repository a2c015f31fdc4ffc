"""Samples as one stream in wall time, and results back in each population's own time.

Wall steps are numbered from 1, as Lava's ``time_step``. The input sends step t of sample n at wall
step n T + t + 1 (t from 0); a population at depth d sees it d steps later and is reset just before
its first step, at wall steps = 1 + d modulo T. Samples follow each other without a gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mksgn.errors import ConfigError, DataError
from mksgn.ir import Graph, Population, Schedule
from mksgn.ir.messages import check_messages, check_samples

RECORDS = ("none", "spikes", "states")
SEGMENT = 16
"""Steps of a free-running stream between two reports to the caller."""


@dataclass(frozen=True)
class Timing:
    """When a stream stops for reports, reads and resets.

    Parameters
    ----------
    ends : tuple of int
        Wall steps after which the network pauses; the last one ends the run.
    reads : tuple of int
        Those after which the readout's v is read.
    reset_interval : int or None
        None: nothing is reset.
    reset_offset : int
        The input's; a population at depth d has ``reset_offset + d``.
    direct : bool
        The input's message of a step reaches its targets in that step, without a hop.
    steps : int
        Of one sample; of the whole stream where that is all there is.
    own_time : bool
        Each population counts steps from its own depth on; False: a stream in wall time.
    """

    ends: tuple[int, ...]
    reads: tuple[int, ...]
    reset_interval: int | None
    reset_offset: int
    direct: bool = False
    steps: int = 1
    own_time: bool = True

    @property
    def segment(self) -> int:
        """Most steps between two pauses."""
        return max(np.diff((0, *self.ends)))


def sample_timing(samples: int, steps: int, schedule: Schedule, every_step: bool) -> Timing:
    """Timing of ``samples`` samples of ``steps`` steps, streamed back to back.

    ``every_step`` pauses after each step, as recording states needs.
    """
    last = samples * steps + max(schedule.depth.values())
    reads = tuple((n + 1) * steps + schedule.latency for n in range(samples))
    if every_step:
        ends = tuple(range(1, last + 1))
    else:
        ends = tuple(sorted({*range(schedule.latency % steps or steps, last, steps), *reads, last}))
    return Timing(ends, reads, steps, 1, steps=steps)


def stream_timing(steps: int, reset_interval: int | None, reset_offset: int, every_step: bool,
                  direct: bool = False) -> Timing:
    """Timing of one stream in wall time.

    Raises
    ------
    ConfigError
        When the interval is below 1, or an offset is given that has no effect.
    """
    if reset_interval is not None and reset_interval < 1:
        raise ConfigError("the reset interval must be at least 1 step", where="reset_interval", got=str(reset_interval))
    if reset_interval is None and reset_offset:
        raise ConfigError("a reset offset has no effect without a reset interval", where="reset_offset",
                          got=str(reset_offset))
    pauses = range(1, steps + 1) if every_step else (*range(SEGMENT, steps, SEGMENT), steps)
    return Timing(tuple(pauses), (steps,), reset_interval, reset_offset, direct, steps, own_time=False)


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


class Recorder:
    """Places what arrives in wall time into arrays in each population's own time.

    Parameters
    ----------
    graph : Graph
    samples, steps : int
        N and T of the arrays.
    depth : dict of population to int
        Wall steps to subtract; all 0 for a stream in wall time.
    record : 'none', 'spikes' or 'states'
        The output's spikes are kept in any case.
    """

    def __init__(self, graph: Graph, samples: int, steps: int, depth: dict[str, int], record: str) -> None:
        self.samples, self.steps, self.depth = samples, steps, depth
        self.arrays: dict[str, dict[str, np.ndarray]] = {"spikes": {}, "u": {}, "v": {}}
        for population in graph.populations[1:]:
            shape = (samples, *population.shape, steps)
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
        inside = (own >= 0) & (own < count * self.steps)
        n, step = np.divmod(own[inside], self.steps)
        self.arrays[quantity][name][sample + n, ..., step] = values[inside].transpose(0, 3, 2, 1)
