"""The ways to take frames: a clip's side by side or one after the other, and those of a stream without ends."""

from __future__ import annotations

from typing import Literal, get_args

Time = Literal["clip", "stream"]
TIMES: tuple[Time, ...] = get_args(Time)
"""clip: the frames of a clip lie side by side, each with neurons of its own. stream: they come one after the other."""

PlacedTime = Literal["clip", "stream", "endless"]
"""What can be placed and priced. endless: frames that never end, with a decision at each. What is said of a sample is
then said of a frame."""


def name_in(time: Time, backend: str) -> str:
    """What a backend is called in a time mode."""
    return f"streamed {backend}" if time == "stream" else backend
