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
    """

    at: float | None = None
    after: int = 1
    final: Decision | None = None
    _frames: int = 0
    _since: float = 0.0

    def restart(self) -> None:
        """Everything begins anew with the next frame."""
        self.final, self._frames = None, 0

    def is_over(self, decider: Decider, time: float, recording: str) -> bool:
        """Whether a final decision is too old for the frame of this time."""
        return (self.final is not None and not recording
                and not decider.spans(self._frames + 1, time - self._since))

    def passes(self) -> None:
        """A frame comes."""
        self._frames += 1

    def settle(self, decision: Decision, time: float) -> bool:
        """Whether this decision, at the frame of this time, is final now, and was not before."""
        confidence = decision.confidence
        if self.at is None or confidence is None or confidence < self.at or self._frames < self.after:
            return False
        self.final, self._frames, self._since = decision, 0, time
        return True
