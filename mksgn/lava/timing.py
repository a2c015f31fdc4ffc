"""When a stream of samples pauses, is read and resets, in wall time.

Wall steps are numbered from 1, as Lava's ``time_step``. The input sends step t of sample n at wall
step n T + t + 1 (t from 0); a population at depth d sees it d steps later and is reset just before
its first step, at wall steps = 1 + d modulo T. Samples follow each other without a gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mksgn.errors import ConfigError
from mksgn.ir import Schedule

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
    live : bool
        Frames come while the network runs, every ``steps`` steps; what is counted adds up.
    """

    ends: tuple[int, ...]
    reads: tuple[int, ...]
    reset_interval: int | None
    reset_offset: int
    direct: bool = False
    steps: int = 1
    own_time: bool = True
    live: bool = False

    @property
    def segment(self) -> int:
        """Most steps between two pauses."""
        return max(np.diff((0, *self.ends)))


def sample_timing(samples: int, steps: int, schedule: Schedule, every_step: bool, read_after: int) -> Timing:
    """Timing of ``samples`` samples of ``steps`` steps, streamed back to back.

    ``every_step`` pauses after each step, as recording states needs. The readout is read after so many of its own steps
    of each sample as ``read_after`` says.
    """
    last = samples * steps + max(schedule.depth.values())
    reads = tuple(n * steps + read_after + schedule.latency for n in range(samples))
    if every_step:
        ends = tuple(range(1, last + 1))
    else:
        ends = tuple(sorted({*range((schedule.latency + read_after) % steps or steps, last, steps), last}))
    return Timing(ends, reads, steps, 1, steps=steps)


def live_timing(steps: int) -> Timing:
    """Timing of frames that come while the network runs, every ``steps`` steps; it pauses after each of them."""
    return Timing((steps,), (), None, 1, steps=steps, live=True)


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
