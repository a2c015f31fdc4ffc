"""Count what a spiking network really does, hold it against the paper's formula, and model what a chip would take.

    mksgn energy --net models/nw-ucla-joint/mksgn.net --data nw_ucla.npz --report report.html
    mksgn energy --net mksgn.net --backend lava --samples 40   # events counted in the Lava Processes
    mksgn energy --net mksgn.net --board hala-point --cost loihi1 my-prices.toml --json energy.json
    mksgn energy --net mksgn.net --objective cores             # placed on the fewest cores
    mksgn energy --net mksgn.net --backend loihi2              # measured on the chip as well
    mksgn energy --net mksgn.net --time endless                # a frame of a stream without ends

Counted, exactly: spikes, synaptic operations (each non-zero weight that a spike really meets), MACs of the graded
input, neuron updates that changed something and those that did not, per sample, layer and synapse. Beside them the
paper's model (Eq. 33-37): rate x T x FLOPs. Then modelled: the network is placed on the cores of a board
(mksgn map), and cost models with cited constants (docs/energy.md) price the events of each core.
--objective chooses between the fewest cores and the least busy ones. It changes chips and time, and with them the
static energy.

Nothing but --backend loihi2 measures power, and it has never run on silicon (docs/loihi2.md).
Every figure is labelled counted, modelled or measured; docs/energy.md says what each means.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from mksgn.errors import ConfigError
from mksgn.mapping.packing import OBJECTIVE_HELP, Objective
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse
from mksgn.programs.outputs import check_writable
from mksgn.programs.reading import READ_AS_IT_IS, SPLIT_BY_IDS, Reading, Splitting
from mksgn.run.time_modes import STEPS_PER_FRAME_HELP, check_steps_per_frame


def main(arguments: Sequence[str] | None = None, command: str = "mksgn energy") -> int:
    """Read the options and do it; the exit code. ``command``: what was typed before the options."""
    with exit_on_error():
        arguments = sys.argv[1:] if arguments is None else arguments
        typed = f"{command} {shlex.join(arguments)}"
        options = parse(Options, __doc__, arguments, command)
        options.validate()
        from mksgn.commands.estimate_energy import (
            estimate_energy,  # only now: --help and a misspelt option answer at once
        )

        return estimate_energy(options, typed)


@dataclass(frozen=True)
class Options:
    """Events, energy and latency of a .net file."""

    GROUPS: ClassVar[dict[str, str]] = {"skeleton": "data", "reading": "format", "protocol": "protocol",
                                        "computation": "backend", "result": "json"}

    net: Path
    """The network: an mksgn.net, or a shipped network (nw-ucla, nw-ucla-joint, nw-ucla-stream). A bare name that is not
    here is looked for in runs (the newest) and models."""
    data: Annotated[str | None, tyro.conf.arg(metavar="PATH|synthetic")] = None
    """As in mksgn run. Default: what the net was trained on, if it lies here."""
    split: Literal["train", "val", "test", "all"] | None = None
    """Which part of the data. Default: test."""
    samples: int = 0
    """Number of samples, evenly spread over classes and split; 0: all."""
    reading: Reading = READ_AS_IT_IS
    splitting: Splitting = SPLIT_BY_IDS
    backend: Literal["emulator", "lava", "loihi2"] = "emulator"
    """Where events are counted; the counts are the same. loihi2: counted on the emulator, power and time measured on
    the chip."""
    board: str = "kapoho-point"
    """The board to place the network on: a name (mksgn map --help lists them) or a TOML file."""
    objective: Annotated[Objective, tyro.conf.arg(help=OBJECTIVE_HELP)] = "time"
    cost: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME|FILE.toml ...")] = ()
    """Cost models, by name or file. Default: all that come with the package."""
    time: Literal["clip", "endless"] = "clip"
    """clip: everything is of a sample, all frames at once. endless: of a frame of a stream without ends, for a net that
    was trained for streams; the samples play one after the other. mksgn map --time stream has a clip's frames one after
    the other."""
    steps_per_frame: Annotated[str | None, tyro.conf.arg(metavar="N|enough", help=STEPS_PER_FRAME_HELP)] = None
    batch_size: int = 32
    """Samples that the emulator computes together; bounds its memory."""
    json: Path | None = None
    """Write the whole record here."""
    csv: Path | None = None
    """Write a row per population and synapse here."""
    report: Path | None = None
    """Write a self-contained page here: pictures of all of this, and one sample moving above its spikes."""

    def validate(self) -> None:
        """Refuse what cannot work, before anything is read."""
        if self.samples < 0:
            raise ConfigError("the number of samples is negative", where="--samples", got=str(self.samples),
                              allowed="0 for all, or more")
        check_steps_per_frame(self.steps_per_frame, self.time)
        if self.time == "endless" and (self.report is not None or self.backend == "loihi2"):
            raise ConfigError("this is about clips only", where="--report" if self.report else "--backend",
                              got=str(self.report or self.backend), allowed="with --time clip",
                              fix="leave it out, or leave --time endless out")
        given = [(name, path) for name, path in (("--json", self.json), ("--csv", self.csv), ("--report", self.report))
                 if path is not None]
        for option, path in given:
            check_writable(path, option)
        if len({path.resolve() for _, path in given}) < len(given):
            raise ConfigError("two results would go into one file", where=" and ".join(option for option, _ in given))
