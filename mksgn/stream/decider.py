"""What decides: a frame in, a decision out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mksgn.ir import Graph
from mksgn.stream.records import EventsRecord


@dataclass(frozen=True)
class Step:
    """Events that a computation really caused, and what they are modelled to take.

    Parameters
    ----------
    spikes, synops, macs : int
        Counted.
    energy_mj : float
        Modelled; :attr:`Decider.energy` says how.
    """

    spikes: int
    synops: int
    macs: int
    energy_mj: float

    def __add__(self, other: Step) -> Step:
        return Step(self.spikes + other.spikes, self.synops + other.synops, self.macs + other.macs,
                    self.energy_mj + other.energy_mj)

    def record(self) -> EventsRecord:
        """The counted ones."""
        return {"spikes": self.spikes, "synops": self.synops, "macs": self.macs}


NOTHING = Step(0, 0, 0, 0.0)
"""No event."""


@dataclass(frozen=True, eq=False)
class Decision:
    """What a network says of the frames so far.

    Parameters
    ----------
    best : int
        The class with the largest output; of equals the one with the lower index.
    scores : float64 ndarray (J,) or None
        Probabilities of the classes; None where the net does not say what makes a logit.
    behind : int
        Frames that came since the newest one that this decision has looked at.
    """

    best: int
    scores: np.ndarray | None
    behind: int

    @property
    def confidence(self) -> float | None:
        """The score of the class that is decided for."""
        return None if self.scores is None else float(self.scores[self.best])


@dataclass(frozen=True, eq=False)
class Outcome:
    """What comes of a frame.

    Parameters
    ----------
    decision : Decision or None
        None: nothing can be said yet.
    step : Step or None
        What was computed at this frame; None: nothing was.
    raster : dict of population to int64 ndarray (C, n)
        Spikes of each channel in the last n frames of the network, of the populations that are looked at.
    """

    decision: Decision | None
    step: Step | None = None
    raster: dict[str, np.ndarray] = field(default_factory=dict)


class Decider(Protocol):
    """A network that takes a frame at a time.

    Attributes
    ----------
    graph : Graph
    energy : str
        What its energies are.
    told : str
        How it works, in a few words.
    holds : bool
        Whether it takes frames in which the person who is watched is not seen, and holds that person for a while. Else
        such frames are kept from it.
    """

    graph: Graph
    energy: str
    told: str
    holds: bool

    def push(self, joints: np.ndarray, scores: np.ndarray, time: float) -> Outcome:
        """Take a frame.

        Parameters
        ----------
        joints : float32 ndarray (M, V, 3)
            NaN where a joint is missing, or a person is. Unless it :attr:`holds`, the first person is seen.
        scores : float32 ndarray (M, V)
        time : float
            Seconds, later than the frame before.
        """
        ...

    def skip(self, time: float) -> bool:
        """Let the frame of this time pass, which need not be computed; whether :meth:`push` would have computed."""
        ...

    def spans(self, frames: int, seconds: float) -> bool:
        """Whether a decision looks at so many frames, which took so long."""
        ...

    def restart(self) -> None:
        """Forget all frames."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...
