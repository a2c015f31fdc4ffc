"""The three kinds of figures of docs/energy.md: every figure that is printed, written or drawn is one of them."""

from __future__ import annotations

from typing import Literal

Tag = Literal["counted", "modelled", "measured"]

TAGS: dict[Tag, str] = {
    "counted": "events and answers of this run, exact; the run is a simulation on a CPU or GPU",
    "modelled": "computed by a formula, a cost model or the mapper",
    "measured": "read from a chip's own probes of power and time",
}
"""The meaning of each tag."""
