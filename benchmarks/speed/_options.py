"""The options of `python benchmarks/speed`, and the sections that they choose from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mksgn.data.sources import SYNTHETIC

ROOT = Path(__file__).resolve().parents[2]
PAIR = ROOT / "models" / "nw-ucla" / "mksgn.net"
"""The net that we ship for accuracy."""
Section = Literal["bound", "training", "company", "neuron", "kernels", "emulator", "lava", "full", "scaling"]
SECTIONS: tuple[Section, ...] = (
    "bound", "training", "company", "neuron", "kernels", "emulator", "lava", "full", "scaling")
SLOW: tuple[Section, ...] = ("company", "lava", "full", "scaling")
"""Measured with --quick only when --only names them."""


@dataclass(frozen=True)
class Options:
    """Measure training, emulator and Lava beside the stock stack, each pair in one run."""

    net: Path = ROOT / "models" / "nw-ucla-joint" / "mksgn.net"
    """The net that emulator and Lava run."""
    data: str = SYNTHETIC
    """Its samples; synthetic skeletons fit the shipped net's body."""
    only: tuple[Section, ...] | None = None
    """Sections to measure; default: all, or the five of --quick."""
    quick: bool = False
    """Fewer rounds and smaller batches; without --only: bound, training, neuron, kernels, emulator,
    under 3 minutes."""
    threads: int = 0
    """CPU threads of torch and numba; 0: what torch takes by itself."""
    keep: Path | None = None
    """Rows of an earlier --json of this machine, for the sections that are not measured now."""
    json: Path | None = None
    """Write the rows here."""
    results: Path | None = None
    """Write speed.md and the scaling curves (speed_scaling.svg) into this folder."""

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections to measure, in the order in which they are measured."""
        asked = self.only or tuple(name for name in SECTIONS if not self.quick or name not in SLOW)
        return tuple(name for name in SECTIONS if name in asked)

    @property
    def rounds(self) -> int:
        """Turns of each pair."""
        return 2 if self.quick else 5

    @property
    def command(self) -> str:
        """The command line that measures the same, without the machine's paths."""
        words = ["python benchmarks/speed", f"--data {Path(self.data).name}", *(["--quick"] if self.quick else [])]
        if self.only:
            words.append("--only " + " ".join(self.only))
        return " ".join(words)
