"""When the neurons of a population compute, where frames come one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from mksgn.errors import GraphError


@dataclass(frozen=True)
class Lattice:
    """Active steps of a population, in its own time, counted from a sample's first step.

    Frame f of a sample occupies the steps ``f interval`` to ``f interval + length - 1``. At the first of them u and v
    are set to 0, unless they are carried. At all other steps the neurons rest: u and v stay as they are, no bias is
    added, nothing is sent, and what arrives is lost.

    Parameters
    ----------
    interval : int
        Steps from one frame to the next.
    length : int
        Steps that a frame takes: T of the graph whose frames lie side by side.
    frames : int or None
        Frames of a sample; None: they never end.
    carried : bool
        u and v are set to 0 at the first frame only: each further one goes on from what the one before left.
    """

    interval: int
    length: int
    frames: int | None
    carried: bool = False

    def __post_init__(self) -> None:
        frames = 2 if self.frames is None else self.frames
        if min(self.interval, self.length, frames) < 1 or (self.length > self.interval and frames > 1):
            raise GraphError("a lattice needs whole numbers of at least 1, and frames that do not overlap",
                             got=f"interval {self.interval}, length {self.length}, frames {self.frames}")

    @property
    def sample_frames(self) -> int:
        """Frames of a sample.

        Raises
        ------
        GraphError
            When they never end.
        """
        if self.frames is None:
            raise GraphError("a stream without ends has no samples", got="a lattice whose frames never end",
                             allowed="the streamed graph of clips, or mksgn.emulator.FrameByFrame")
        return self.frames

    @property
    def frames_apart(self) -> int:
        """Frames that are counted each for itself: those of a sample; 1 where they never end, being all alike."""
        return self.frames or 1

    @property
    def end(self) -> int:
        """Steps up to the end of the last frame; frames that never end raise :class:`GraphError`."""
        return (self.sample_frames - 1) * self.interval + self.length

    @property
    def steps_at_work(self) -> int:
        """Steps at which the neurons work, of a sample; of one frame where frames never end."""
        return self.frames_apart * self.length

    def frame(self, step: int) -> int | None:
        """The frame that ``step`` (from 0) of a sample belongs to; None: the neurons rest."""
        if step < 0:
            return None
        number, within = divmod(step, self.interval) if self.frames != 1 else (0, step)
        return number if (self.frames is None or number < self.frames) and within < self.length else None

    def begins(self, step: int) -> bool:
        """Whether u and v are set to 0 before ``step``, because a frame begins."""
        frame = self.frame(step)
        return frame is not None and step == frame * self.interval and not (self.carried and frame)

    def has_rests(self, steps: int) -> bool:
        """Whether the neurons rest at any of the first ``steps`` of a sample, which holds all of its frames."""
        return self.end < steps or (self.sample_frames > 1 and self.length < self.interval)

    def rests(self, steps: int) -> frozenset[int]:
        """The steps, of the first ``steps`` of a sample, at which the neurons rest."""
        return frozenset(step for step in range(steps) if self.frame(step) is None)

    def beginnings(self, steps: int) -> frozenset[int]:
        """The steps, of the first ``steps`` of a sample, before which u and v are set to 0."""
        return frozenset(step for step in range(steps) if self.begins(step))
