"""Two minutes before a long training on a GPU: are the integers that are trained there exactly those that a chip gets?

    python train/check_device.py --device cuda
    python train/check_device.py --device cpu      # the same check where there is no GPU

Two small MK-SGNs, one with each kind of attention, are trained on the device for an epoch in floating point and one as
integers, and exported. The trained integers then run on the device, by the forward pass that trained them, in float32
and in bfloat16, and in the integer emulator on the CPU. Every spike of every population and every readout is compared.
Exit code 1 if anything differs, and the first difference is named. No GPU was at hand when this was written: on CUDA it
has never run.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from mksgn.data.sources import SYNTHETIC
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

ATTENTIONS = ("mask", "qkv")


@dataclass(frozen=True)
class Options:
    """Compare integers trained on a device with the emulator, spike by spike; see the head of this file."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train and to run."""
    data: str = SYNTHETIC
    """Recordings, as train_slayer.py reads them."""
    samples: int = 32
    """Test samples to compare; 0: all."""
    widths: tuple[int, ...] = (16, 16, 32)
    """Channels of each layer."""
    frames: int = 16
    """Frames of a sample."""
    threads: int | None = None
    """CPU threads."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import torch

from mksgn.commands.train import main as train
from mksgn.data.sources import load
from mksgn.data.splits import evenly_spaced
from mksgn.emulator import Emulator
from mksgn.errors import MksgnError
from mksgn.limits import check_limits
from mksgn.netx import read_net
from mksgn.nn.training_backend import TrainingForward
from mksgn.run.comparison import Comparison
from mksgn.training.devices import choose_device
from mksgn.training.network_file import load_network, read_meta
from mksgn.training.run_data import RunData
from mksgn.training.run_files import NET, WEIGHTS

PRECISIONS = (torch.float32, torch.bfloat16)


def trained(options: Options, device: torch.device, attention: str, folder: Path) -> None:
    """A small network, trained on the device and exported into ``folder``.

    Raises
    ------
    MksgnError
        When the training fails; it has said why.
    """
    strides = (1, *(2 for _ in options.widths[1:]))
    words = ("--preset", "mksgn-4", "--data", options.data, "--out", folder, "--attention", attention, "--widths",
             *options.widths, "--strides", *strides, "--coder-width", 8, "--frames", options.frames, "--val-subjects",
             "--epochs", 1, "--tune-epochs", 1, "--integers", "tuned", "--device", device.type,
             *(() if options.threads is None else ("--threads", options.threads)))
    code = train([str(word) for word in words], "python train/train_slayer.py")
    if code:
        raise MksgnError(f"the training on the device ended with exit code {code}", where=f"--attention {attention}")


def compared(options: Options, device: torch.device, folder: Path, dtype: torch.dtype) -> Comparison:
    """The exported network on the device, in this precision, and in the emulator."""
    data = RunData.of_run(load(options.data), options.data, read_meta(folder / WEIGHTS))
    samples = data.samples(evenly_spaced(data.split.test, options.samples))
    there = TrainingForward(load_network(folder / WEIGHTS).to(device), dtype)
    with Emulator(read_net(folder / NET)) as emulator:
        emulated = emulator.run(samples, record="spikes")
    comparison = Comparison(("training", "emulator"))
    comparison.add(there.run(samples), emulated, tuple(there.net.names), 0)
    return comparison


def main(options: Options) -> int:
    check_limits(options)
    console, device = Console(highlight=False), choose_device(options.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    table = Table("attention", "arithmetic", "spikes compared", "readouts", "differing",
                  title=f"{where}, and the emulator")
    differing = 0
    for attention in ATTENTIONS:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / attention
            trained(options, device, attention, folder)
            for dtype in PRECISIONS:
                found = compared(options, device, folder, dtype)
                differing += sum(found.differing.values())
                table.add_row(attention, str(dtype)[6:], f"{found.spikes_compared:,}", str(found.outputs_compared),
                              str(sum(found.differing.values())))
                if found.first:
                    console.print(f"{attention}, {str(dtype)[6:]}: {found.first}", soft_wrap=True)
    print_table(console, table)
    return int(differing > 0)


if __name__ == "__main__":
    with exit_on_error():
        sys.exit(main(given))
