"""When the neurons of a population compute, where frames come one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from mksgn.errors import GraphError


@dataclass(frozen=True)
class Lattice:
    """Active steps of a population, in its own time, counted from a sample's first step.

    Frame f of a sample occupies the steps ``f interval`` to ``f interval + length - 1``. At the first of them u and v
    are set to 0. At all other steps the neurons rest: u and v stay as they are, no bias is added, nothing is sent, and
    what arrives is lost.

    Parameters
    ----------
    interval : int
        Steps from one frame to the next.
    length : int
        Steps that a frame takes: T of the graph whose frames lie side by side.
    frames : int
        Frames of a sample.
    """

    interval: int
    length: int
    frames: int

    def __post_init__(self) -> None:
        if min(self.interval, self.length, self.frames) < 1 or (self.length > self.interval and self.frames > 1):
            raise GraphError("a lattice needs whole numbers of at least 1, and frames that do not overlap",
                             got=f"interval {self.interval}, length {self.length}, frames {self.frames}")

    @property
    def end(self) -> int:
        """Steps up to the end of the last frame."""
        return (self.frames - 1) * self.interval + self.length

    def frame(self, step: int) -> int | None:
        """The frame that ``step`` (from 0) of a sample belongs to; None: the neurons rest."""
        number, within = divmod(step, self.interval) if step >= 0 else (self.frames, 0)
        if self.frames == 1:
            return 0 if 0 <= step < self.length else None
        return number if number < self.frames and within < self.length else None

    def begins(self, step: int) -> bool:
        """Whether a frame begins at ``step``, before which u and v are set to 0."""
        frame = self.frame(step)
        return frame is not None and step == frame * self.interval

    def rests(self, steps: int) -> frozenset[int]:
        """The steps, of the first ``steps`` of a sample, at which the neurons rest."""
        return frozenset(step for step in range(steps) if self.frame(step) is None)

    def beginnings(self, steps: int) -> frozenset[int]:
        """The steps, of the first ``steps`` of a sample, at which a frame begins."""
        return frozenset(step for step in range(steps) if self.begins(step))
