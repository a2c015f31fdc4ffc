"""Run a spiking graph network (.net) on skeletons: as Lava Processes, on the emulator, or on Loihi 2.

    mksgn run --net mksgn.net                              # the whole test split, as Lava Processes
    mksgn run --net mksgn.net --backend emulator           # the same, exact and faster
    mksgn run --net mksgn.net --check                      # Lava against the emulator, every spike
    mksgn run --net mksgn.net --time stream --check        # frames as time steps, against the whole clip at once
    torchrun --nproc-per-node 4 -m mksgn run --net mksgn.net --backend emulator   # samples dealt to processes
    mksgn run --net mksgn.net --data clip.skeleton         # one recording
    mksgn run --net any.net --input x.npy --dump out.npz   # any tensor into any net

A net that mksgn train wrote knows its preprocessing, body and classes; --data must be of the same body.
Where the classes differ, the net runs and predicts, and the accuracy is null. Printed are the accuracy, that of each
class, the wrong samples and the events; --json has the scores and the best five classes of every sample as well
(docs/run-record.md).

Tensors (--input): x.npy holds integers, the net's input shape (C, F, V) and then time; axes of length 1 may be
missing, or all three flattened in this order. A stock netx file that has no input layer takes what its first
layer reads; where that is a conv layer, the shape is that of x.npy (with all its axes) or --input-shape.
A net with its own number of steps T (the ones we train) takes x in windows of T steps, each from rest, and every
population is written in its own time. Any other net (a stock netx file) takes x as one stream in wall time, as
stock netx runs it: each synapse takes a step, and nothing is reset unless --reset-interval says so. out.npz holds
`out`, the output's shape and then time (for a readout: its sums, one entry per window or stream); with --all also
every population by its name.

Exit codes: 0; 1 when --check finds a difference; 2 for anything that can be mended, with one message.
Everything but --backend loihi2 is a CPU simulation. It counts events; it measures no power.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro

from mksgn.errors import ConfigError
from mksgn.extras import LAVA_RUNTIME, present
from mksgn.limits import option
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse
from mksgn.programs.outputs import check_writable
from mksgn.programs.reading import DATA_HELP, READ_AS_IT_IS, SPLIT_BY_IDS, Reading, Splitting
from mksgn.run.time_modes import Time

MODEST = 20
"""Samples that Lava runs in minutes with a Process and an OS process per layer."""


def main(arguments: Sequence[str] | None = None, command: str = "mksgn run") -> int:
    """Read the options and do it; the exit code. ``command``: what was typed before the options."""
    with exit_on_error():
        options = parse(Options, __doc__, arguments, command)
        options.validate()
        from mksgn.commands.run_net import run  # only now: --help and a misspelt option answer at once

        return run(options)


def usual_backend() -> Literal["emulator", "lava"]:
    """What runs a net when nothing is asked for."""
    return "lava" if present(LAVA_RUNTIME) else "emulator"


@dataclass(frozen=True)
class Options:
    """Run a .net file on skeletons or tensors."""

    GROUPS: ClassVar[dict[str, str]] = {"skeleton": "data", "reading": "format", "protocol": "protocol",
                                        "backend": "backend", "Lava": "layout", "emulator": "device",
                                        "computation": "threads", "result": "json", "tensor": "input"}

    net: Path
    """The network: our mksgn.net, a stock netx file, or a shipped network (nw-ucla, nw-ucla-joint, nw-ucla-stream).
    A bare name that is not here is looked for in runs (the newest) and models."""
    data: Annotated[str | None, tyro.conf.arg(metavar="PATH|synthetic", help=f"{DATA_HELP} Default: what the net was "
                    "trained on, if it is synthetic or lies here, beside the net or in $MKSGN_DATA.")] = None
    split: Literal["train", "val", "test", "all"] | None = None
    """Which part of the data. Default: test; all for a single recording."""
    samples: int | None = None
    """Number of samples, evenly spread over classes and split; 0: all. Default: all, or 20 with --layout layers or
    stock and on loihi2."""
    reading: Reading = READ_AS_IT_IS
    splitting: Splitting = SPLIT_BY_IDS
    backend: Literal["emulator", "lava", "loihi2"] = field(default_factory=usual_backend)
    """Where to run. Default: lava where it is installed, else the emulator. The spikes are the same."""
    time: Time = "clip"
    """clip: all frames of a clip lie side by side, each with neurons of its own. stream: they come one after the other,
    and the net needs far fewer neurons (docs/streaming.md). The spikes are the same."""
    check: bool = False
    """Run a second backend too (the emulator; Lava if the first is the emulator) and compare every population. With
    --time stream the second is the emulator, which takes the clip at once."""
    check_states: bool = False
    """--check with u and v of every neuron after every step. Layouts other than blocks read them one by one from
    Lava, about 60 us each."""
    layout: Literal["blocks", "layers", "stock"] | None = None
    """How Lava runs the net: in a few Processes of ours that each hold a part of it (blocks, the default), in one
    Process per synapse and population with our ProcessModels (layers), or with Lava's own (stock). Same spikes."""
    timeout: float | None = None
    """Longest silence of Lava in seconds before its run is given up. Default 600."""
    max_processes: int | None = None
    """Most OS processes that Lava may start. Default 600."""
    device: str | None = None
    """Where the emulator computes: cpu (the default), cuda or cuda:N. Under torchrun cuda is each process's own."""
    batch_size: int | None = None
    """Samples that the emulator computes together; bounds its memory. Default 32."""
    threads: int | None = None
    """Threads of the emulator; in the layout blocks, Processes of Lava that compute side by side. Default: one per
    core."""
    json: Path | None = None
    """Write the results here, whole or not at all."""
    all: bool = False
    """Print all classes and all wrong samples, however many they are. With --input: write every population to
    --dump."""
    input: Path | None = None
    """Run this tensor (.npy) instead of skeletons."""
    dump: Path | None = None
    """With --input: write the output here (.npz)."""
    reset_interval: int | None = None
    """With --input, for a net without a number of steps of its own: reset every so many steps, as stock netx does."""
    num_layers: int | None = None
    """With --input: read only the first layers of a stock netx file."""
    input_shape: Annotated[tuple[int, int, int] | None, tyro.conf.arg(metavar="C F V")] = None
    """With --input: the net's input shape, for a stock netx file that starts with a conv layer and so does not say it.
    Default: that of a tensor with four axes."""

    def validate(self) -> None:
        """Refuse options that have no effect, before anything is read.

        Raises
        ------
        ConfigError
            For the first of them.
        """
        self._check_input()
        self._check_backends()
        self._check_files()

    def _check_input(self) -> None:
        """Refuse options of skeletons for a tensor, and those of a tensor for skeletons."""
        raw = self.input is not None
        own = {name: getattr(self, name) for name in ("data", "split", "samples")}
        for name, given in {**own, **self.reading.given(), **self.splitting.given()}.items():
            if raw and given is not None:
                raise ConfigError("an option for skeletons has no effect with --input", where=option(name),
                                  got=str(given), fix="leave it out")
        for name, given in (("dump", self.dump), ("reset-interval", self.reset_interval),
                            ("num-layers", self.num_layers), ("input-shape", self.input_shape)):
            if given is not None and not raw:
                raise ConfigError("an option for tensors has no effect without --input", where=f"--{name}",
                                  got=str(given), fix="name a tensor with --input x.npy, or leave it out")
        if self.input_shape is not None and min(self.input_shape) < 1:
            raise ConfigError("an impossible input shape", where="--input-shape", got=str(self.input_shape),
                              allowed="(C, F, V), each at least 1")
        if raw and self.all and self.dump is None:
            raise ConfigError("an option has no effect on a tensor without --dump", where="--all",
                              fix="name a file with --dump out.npz, or leave it out")
        if self.samples is not None and self.samples < 0:
            raise ConfigError("the number of samples is negative", where="--samples", got=str(self.samples),
                              allowed="0 for all, or more")

    def _check_backends(self) -> None:
        """Refuse options of a backend that does not run."""
        if "lava" not in self.backends and self.backend != "loihi2":
            for name, value in (("timeout", self.timeout), ("max-processes", self.max_processes),
                                ("layout", self.layout)):
                if value is not None:
                    raise ConfigError("an option of the Lava backend has no effect on the emulator", where=f"--{name}",
                                      got=str(value), fix="leave it out, or choose --backend lava")
        if self.threads is not None:
            if self.threads < 1:
                raise ConfigError("the number of threads is impossible", where="--threads", got=str(self.threads),
                                  allowed="1 or more")
            if "emulator" not in self.backends and (self.backend == "loihi2" or self.layout not in (None, "blocks")):
                raise ConfigError("an option has no effect here", where="--threads", got=str(self.threads),
                                  allowed="the emulator, and Lava's layout blocks", fix="leave it out")
        if "emulator" not in self.backends:
            for name, own in (("device", self.device), ("batch-size", self.batch_size)):
                if own is not None:
                    raise ConfigError("an option of the emulator has no effect on Lava", where=f"--{name}",
                                      got=str(own), fix="leave it out, or choose --backend emulator")
        if int(os.environ.get("WORLD_SIZE", "1")) > 1 and (self.input is not None or self.backends != ("emulator",)):
            raise ConfigError("several processes can share the samples of the emulator only", where="torchrun",
                              got="--input" if self.input is not None else " and ".join(self.backends),
                              fix="leave torchrun out, or run skeletons with --backend emulator and without --check")

    def _check_files(self) -> None:
        """Refuse results that cannot be written, or would replace each other."""
        for name, path in (("--json", self.json), ("--dump", self.dump)):
            if path is not None:
                check_writable(path, name)
        if self.json is not None and self.dump is not None and self.json.resolve() == self.dump.resolve():
            raise ConfigError("two results would go into one file", where="--json and --dump", got=str(self.json))

    @property
    def backends(self) -> tuple[str, ...]:
        """The backend, and the one it is checked against."""
        other = "lava" if self.backend == "emulator" and self.time == "clip" else "emulator"
        return (self.backend, other) if self.check or self.check_states else (self.backend,)

    def record(self, counts_alone: bool) -> str:
        """What has to be recorded: for comparing, for --all, and for counts where the backend has no others."""
        if self.check_states:
            return "states"
        dumped = self.all and self.input is not None
        return "none" if counts_alone and not self.check and not dumped else "spikes"

    @property
    def limit(self) -> int:
        """Most samples to run; 0: all."""
        if self.samples is not None:
            return self.samples
        slow = self.backend == "loihi2" or self.layout in ("layers", "stock")
        return MODEST if slow else 0

    def backend_options(self, own_device: str | None) -> list[tuple[str, Time, dict[str, Any]]]:
        """Each backend that runs, in which time mode, and its options; None in them means: not given.

        Parameters
        ----------
        own_device : str or None
            The GPU of this process, where several share the samples.
        """
        found: list[tuple[str, Time, dict[str, Any]]] = []
        for name in self.backends:
            if name == "emulator":
                device = own_device if self.device == "cuda" and own_device else self.device
                given: dict[str, Any] = {"device": device, "batch_size": self.batch_size, "threads": self.threads}
            else:  # a chip refuses the layout and the number of processes, and says so
                given = {"timeout_s": self.timeout, "max_processes": self.max_processes, "layout": self.layout}
                given |= {"blocks": self.threads} if name == "lava" else {}
            found.append((name, "clip" if found else self.time, given))
        return found
