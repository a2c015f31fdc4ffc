"""The two ways to take a clip: all of its frames side by side, or one after the other."""

from __future__ import annotations

from typing import Literal, get_args

Time = Literal["clip", "stream"]
TIMES: tuple[Time, ...] = get_args(Time)
"""clip: the frames of a clip lie side by side, each with neurons of its own. stream: they come one after the other."""


def name_in(time: Time, backend: str) -> str:
    """What a backend is called in a time mode."""
    return f"streamed {backend}" if time == "stream" else backend
