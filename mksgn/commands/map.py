"""Place a spiking graph network (.net) on the neurocores of a Loihi board: cores, chips, memory, load, traffic.

    mksgn map --net mksgn.net                              # on Kapoho Point, 8 Loihi 2 chips
    mksgn map --net mksgn.net --data nw_ucla.npz           # balanced by what its neurons really send
    mksgn map --net mksgn.net --board loihi-1 --objective cores
    mksgn map --net mksgn.net --board mine.toml            # limits of your own
    mksgn map --net pilotnet.net --steps 16                # a stock net has no number of steps
    mksgn map --net mksgn.net --objective lava             # split as Lava's compiler did
    mksgn map --net mksgn.net --time stream                # frames one after the other; and both ways
    mksgn map --net mksgn.net --time endless               # a stream without ends; all figures are of a frame
    mksgn map --net mksgn.net --time endless --steps-per-frame enough    # a decision before the next frame

A board of your own is a TOML file: [my-board], base = "kapoho-point", and the fields that differ
(mksgn/mapping/boards.toml lists them all, with a source for each; what is not public is marked as assumed).

Activity, in messages per neuron and sample, decides how busy a core is. It comes from a run of the emulator
(--data), from a file (--activity act.npz: an array (C, F, V) for each population), or is taken as uniform.

What is printed begins with whether the net fits. --all adds a row for each population; --json has everything.

Exit codes: 0; 1 when the net does not fit on this board (what would help is printed); 2 for anything else that can be
mended, and for a net that no known board holds. Everything here is modelled: nothing was measured on a chip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mksgn.errors import ConfigError
from mksgn.mapping.delays import ACCUMULATORS, DELAYS_HELP, Delays
from mksgn.mapping.packing import OBJECTIVE_HELP, Objective
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse
from mksgn.programs.outputs import check_writable
from mksgn.run.time_modes import STEPS_PER_FRAME_HELP, PlacedTime, check_steps_per_frame


def main(arguments: Sequence[str] | None = None, command: str = "mksgn map") -> int:
    """Read the options and do it; the exit code. ``command``: what was typed before the options."""
    with exit_on_error():
        options = parse(Options, __doc__, arguments, command)
        options.validate()
        from mksgn.commands.place_net import place_net  # only now: --help and a misspelt option answer at once

        return place_net(options)


@dataclass(frozen=True)
class Options:
    """Place a .net file on a Loihi board."""

    net: Annotated[Path, tyro.conf.arg(aliases=["-n"])]
    """The .net file, or a shipped network (nw-ucla, nw-ucla-joint, nw-ucla-stream). A bare name that is not
    here is looked for in runs (the newest) and models."""
    board: str = "kapoho-point"
    """oheo-gulch, kapoho-point, hala-point (Loihi 2), oheo-gulch-2022 and oheo-gulch-2024 (the same chip as Lava's
    compiler took it then), loihi-1, kapoho-bay, nahuku, pohoiki-springs (Loihi 1), or a .toml file."""
    objective: Annotated[Objective, tyro.conf.arg(help=OBJECTIVE_HELP)] = "time"
    activity: Path | None = None
    """Messages per neuron and sample (.npz), an array (C, F, V) under each population's name."""
    data: str | None = None
    """Run the emulator on these skeletons and count: a path as mksgn run takes it, or 'synthetic'."""
    samples: int | None = None
    """With --data: samples to run, spread over classes and the test split; 0: all. Default 32."""
    steps: int | None = None
    """Steps per sample, for a net without a number of its own."""
    time: PlacedTime = "clip"
    """clip: all frames at once, a neuron for each; stream: one after the other, a neuron for all frames; endless: the
    same without an end, for a net that was trained for streams."""
    steps_per_frame: Annotated[str | None, tyro.conf.arg(metavar="N|enough", help=STEPS_PER_FRAME_HELP)] = None
    delay_price: str | None = None
    """Not with --time clip: what a delay takes of a core: free; accumulators (default): one of 16 bits, or 24 where
    sums need them, for each step that a message may wait; or their bits."""
    delays: Annotated[str | None, tyro.conf.arg(help=f"Not with --time clip: how delays are made: {DELAYS_HELP}")] = \
        None
    all: bool = False
    """Print a row for every population and, however many they are, for every chip."""
    json: Path | None = None
    """Write everything here, core by core."""

    def validate(self) -> None:
        """Refuse options that have no effect, before anything is read."""
        if self.activity is not None and self.data is not None:
            raise ConfigError("activity would come from two places", where="--activity and --data",
                              fix="leave one of them out")
        if self.samples is not None and self.data is None:
            raise ConfigError("an option has no effect without --data", where="--samples", got=str(self.samples),
                              fix="name skeletons with --data, or leave it out")
        for option, given in (("--delay-price", self.delay_price), ("--delays", self.delays)):
            if given is not None and self.time == "clip":
                raise ConfigError("an option has no effect with --time clip", where=option, got=given,
                                  fix="give --time stream, or leave it out")
        check_steps_per_frame(self.steps_per_frame, self.time)
        self.priced_delays()
        if self.samples is not None and self.samples < 0:
            raise ConfigError("the number of samples is negative", where="--samples", got=str(self.samples),
                              allowed="0 for all, or more")
        if self.json is not None:
            check_writable(self.json, "--json")

    def priced_delays(self) -> Delays | None:
        """What --delay-price and --delays say; None for a clip."""
        return None if self.time == "clip" else Delays.parse(self.delay_price or ACCUMULATORS, self.delays or "any")
