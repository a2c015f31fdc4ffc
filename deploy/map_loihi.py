"""Place a spiking graph network (.net) on the neurocores of a Loihi board: cores, chips, memory, load, traffic.

    python deploy/map_loihi.py --net mksgn.net                              # on Kapoho Point, 8 Loihi 2 chips
    python deploy/map_loihi.py --net mksgn.net --data nw_ucla.npz           # balanced by what its neurons really send
    python deploy/map_loihi.py --net mksgn.net --board loihi-1 --objective cores
    python deploy/map_loihi.py --net mksgn.net --board mine.toml            # limits of your own
    python deploy/map_loihi.py --net pilotnet.net --steps 16                # a stock net has no number of steps
    python deploy/map_loihi.py --net mksgn.net --time stream                # frames one after the other; and both ways

A board of your own is a TOML file: [my-board], base = "kapoho-point", and the fields that differ
(mksgn/mapping/boards.toml lists them all, with a source for each; what is not public is marked as assumed).

Activity, in messages per neuron and sample, decides how busy a core is. It comes from a run of the emulator
(--data), from a file (--activity act.npz: an array (C, F, V) for each population), or is taken as uniform.

What is printed begins with whether the net fits. --all adds a row for each population; --json has everything.

Exit codes: 0; 1 when the net does not fit on this board (what would help is printed); 2 for anything else that can be
mended, and for a net that no known board holds. Everything here is modelled: nothing was measured on a chip.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.mapping.delays import ACCUMULATORS, DELAYS_HELP, Delays
from mksgn.mapping.packing import OBJECTIVE_HELP, Objective
from mksgn.programs.console import exit_on_error, print_prose
from mksgn.programs.options import parse

DOES_NOT_FIT = 1


@dataclass(frozen=True)
class Options:
    """Place a .net file on a Loihi board; see the head of this file."""

    net: Annotated[Path, tyro.conf.arg(aliases=["-n"])]
    """The .net file. A bare name that is not here is looked for in runs (the newest) and models."""
    board: str = "kapoho-point"
    """oheo-gulch, kapoho-point, hala-point (Loihi 2), loihi-1, kapoho-bay, nahuku, pohoiki-springs (Loihi 1), or a
    .toml file."""
    objective: Annotated[Objective, tyro.conf.arg(help=OBJECTIVE_HELP)] = "time"
    activity: Path | None = None
    """Messages per neuron and sample (.npz), an array (C, F, V) under each population's name."""
    data: str | None = None
    """Run the emulator on these skeletons and count: a path as run_lava.py takes it, or 'synthetic'."""
    samples: int | None = None
    """With --data: samples to run, spread over classes and the test split; 0: all. Default 32."""
    steps: int | None = None
    """Steps per sample, for a net without a number of its own."""
    time: Literal["clip", "stream"] = "clip"
    """clip: all frames at once, a neuron for each; stream: one after the other, a neuron for all frames."""
    delay_price: str | None = None
    """With --time stream, what a delay takes of a core: free; accumulators (default): one of 16 bits, or 24 where sums
    need them, for each step that a message may wait; or their bits."""
    delays: Annotated[str | None, tyro.conf.arg(help=f"With --time stream, how delays are made: {DELAYS_HELP}")] = None
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
            if given is not None and self.time != "stream":
                raise ConfigError("an option has no effect without --time stream", where=option, got=given,
                                  fix="give --time stream, or leave it out")
        self.priced_delays()
        if self.samples is not None and self.samples < 0:
            raise ConfigError("the number of samples is negative", where="--samples", got=str(self.samples),
                              allowed="0 for all, or more")
        if self.json is not None:
            check_writable(self.json, "--json")

    def priced_delays(self) -> Delays | None:
        """What --delay-price and --delays say; None for a clip."""
        return Delays.parse(self.delay_price or ACCUMULATORS, self.delays or "any") if self.time == "stream" else None


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import numpy as np

from mksgn.emulator import Emulator
from mksgn.ir import Graph
from mksgn.ir.streaming import streamed
from mksgn.mapping import board, both_ways, place, tables
from mksgn.mapping.placement import uniform_activity
from mksgn.mapping.problems import least_cores, refuse_giants
from mksgn.netx import read_net
from mksgn.programs.nets import find_net
from mksgn.programs.outputs import check_writable, write_json
from mksgn.programs.placement import load_activity, show_placement, show_ways
from mksgn.programs.samples import find_data, select
from mksgn.report.provenance import versions

Counted = tuple[dict[str, np.ndarray] | None, dict[str, float] | None]


def main(options: Options) -> int:
    """Place, print, write; the exit code."""
    options.validate()
    console = Console(highlight=False)
    target = board(options.board)
    options = replace(options, net=find_net(options.net, partial(print_prose, console, style="yellow")))
    clip = read_net(options.net)
    graph = streamed(clip) if options.time == "stream" else clip
    refuse_giants(least_cores(graph, target), target)
    activity, active = count(options, clip, console)
    sent = both_ways.folded(activity) if activity and graph is not clip else activity
    placement = place(graph, target, sent, objective=options.objective, steps=options.steps,
                      delays=options.priced_delays())
    refuse_giants(placement.packing.cores, target)
    content = tables.record(placement, placement.work(sent or uniform_activity(graph, placement.steps), active))
    show_placement(console, placement, content, options.all)
    ways = both_ways.compare(clip, placement, activity, active) if graph is not clip else []
    if ways:
        show_ways(console, ways)
    if options.json is not None:
        write_json(options.json, {**content, "net": str(options.net), "versions": versions(),
                                  "commit": describe_commit(), "both_ways": [both_ways.record(way) for way in ways]})
        console.print(f"wrote {options.json}", markup=False, soft_wrap=True)
    return DOES_NOT_FIT if placement.problems else 0


def count(options: Options, graph: Graph, console: Console) -> Counted:
    """Activity and active updates per sample; None where nothing says so."""
    if options.activity is not None:
        return load_activity(options.activity), None
    if options.data is None:
        return None, None
    source = find_data(graph, options.net, options.data)
    selection = select(graph, options.net, source, None, None, 32 if options.samples is None else options.samples)
    console.print(f"{selection.data}: {len(selection)} of {selection.available} samples on the emulator", markup=False,
                  soft_wrap=True)
    with Emulator(graph) as backend:
        counts = backend.run(selection.x).counts
    return counts.activity(), {name: number / counts.samples for name, number in counts.active.items()}


if __name__ == "__main__":
    with exit_on_error():
        status = main(given)
    sys.exit(status)
