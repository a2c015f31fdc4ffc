"""The ways to take frames: a clip's side by side or one after the other, and those of a stream without ends."""

from __future__ import annotations

from typing import Literal, get_args

from mksgn.errors import ConfigError

Time = Literal["clip", "stream"]
TIMES: tuple[Time, ...] = get_args(Time)
"""clip: the frames of a clip lie side by side, each with neurons of its own. stream: they come one after the other."""

PlacedTime = Literal["clip", "stream", "endless"]
"""What can be placed and priced. endless: frames that never end, with a decision at each. What is said of a sample is
then said of a frame."""

ENOUGH = "enough"
"""As many steps per frame as a decision takes."""
STEPS_PER_FRAME_HELP = (
    "With --time endless: time steps from one frame to the next: a number, or 'enough', the fewest with which a "
    "decision is there before the next frame. More steps make the delays between frames longer, which takes cores. "
    "Default: the T steps of a frame, with which a decision waits for the steps of later frames.")


def check_steps_per_frame(given: str | None, time: PlacedTime) -> None:
    """Raise :class:`ConfigError` unless ``given``, as typed after --steps-per-frame, can mean something."""
    if given is None:
        return
    if time != "endless":
        raise ConfigError(f"an option has no effect with --time {time}", where="--steps-per-frame", got=given,
                          fix="give --time endless, or leave it out")
    if given != ENOUGH and not given.isdecimal():
        raise ConfigError("this is no number of steps", where="--steps-per-frame", got=given,
                          allowed=f"a whole number, or {ENOUGH}")


def name_in(time: Time, backend: str) -> str:
    """What a backend is called in a time mode."""
    return f"streamed {backend}" if time == "stream" else backend
