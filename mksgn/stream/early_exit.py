"""Early exit: a decision that is sure enough is final, and what follows it is not computed."""

from __future__ import annotations

from dataclasses import dataclass

from mksgn.stream.decider import Decider, Decision


@dataclass
class EarlyExit:
    """Whether the decision is final.

    A final decision stands until the recording ends, the person changes or the sensor falls silent. A stream without
    recordings has no such ends: there it stands until so many frames have come since that the decider no longer looks
    at any frame from before, and then everything begins anew.

    Parameters
    ----------
    at : float or None
        The confidence at which a decision is final; None: never.
    after : int
        Fewest frames that it must have seen.
    hold : int
        Decisions in a row that must be the same, each of that confidence.
    """

    at: float | None = None
    after: int = 1
    hold: int = 1
    final: Decision | None = None
    _frames: int = 0
    _since: float = 0.0
    _last: Decision | None = None
    _held: int = 0

    def restart(self) -> None:
        """Everything begins anew with the next frame."""
        self.final, self._frames, self._last, self._held = None, 0, None, 0

    def is_over(self, decider: Decider, time: float, recording: str) -> bool:
        """Whether a final decision is too old for the frame of this time."""
        return (self.final is not None and not recording
                and not decider.spans(self._frames + 1, time - self._since))

    def passes(self) -> None:
        """A frame comes."""
        self._frames += 1

    def settle(self, decision: Decision, time: float) -> bool:
        """Whether this decision, at the frame of this time, is final now, and was not before."""
        sure = self.at is not None and decision.confidence is not None and decision.confidence >= self.at
        before, self._last = self._last, decision
        if before is None or decision.behind <= before.behind:  # else it is the one before, and counts once
            same = before is not None and decision.best == before.best
            self._held = self._held + 1 if sure and same else int(sure)
        if self._held < self.hold or self._frames < self.after:
            return False
        self.final, self._frames, self._held, self._since = decision, 0, 0, time
        return True
