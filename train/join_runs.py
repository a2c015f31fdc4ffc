"""Join finished train_slayer.py runs into one network whose classes are those of their summed logits.

    python train/join_runs.py --run runs/one-0 runs/one-1 --data nw_ucla.npz --out runs/pair

The networks stand side by side in one mksgn.net: they read the same input, and one readout on the chip adds up their
classifiers. Nothing is trained, and every member keeps its integers; only the classifiers are rounded anew, on one
scale. The members must have been trained on the same data with the same preprocessing and T, for instance as runs
that differ in their seed. Twice the networks cost twice the operations: members of one time step (--time-steps 1)
cost together what one network of two steps does (docs/decisions/0010).

--out receives mksgn.net and, in member-1, member-2, ..., the members' weights.safetensors, from which each can be
trained on (train_slayer.py --start) or teach (--teacher). What was written is read again and compared.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from mksgn.data.sources import SYNTHETIC, load
from mksgn.errors import ConfigError
from mksgn.files import name_of
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse


@dataclass(frozen=True)
class Options:
    """Join finished runs into one network; see the head of this file."""

    run: tuple[Path, ...]
    """Folders of finished train_slayer.py runs, two or more."""
    out: Path
    """Folder for mksgn.net and the members' weights."""
    data: str = SYNTHETIC
    """The data they were trained on, for the accuracy on its test split."""
    overwrite: bool = False
    """Replace an mksgn.net in --out."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from mksgn.training.folder import check_folder
from mksgn.training.joining import join
from mksgn.training.printing import print_accuracies, print_run_command
from mksgn.training.run_files import NET


def main(options: Options) -> None:
    console = Console(highlight=False)
    check_folder(options.out)
    if (options.out / NET).exists() and not options.overwrite:
        raise ConfigError("this folder holds a network already", where=str(options.out),
                          fix="replace it with --overwrite, or name another --out")
    results = join(options.run, load(options.data), name_of(options.data), options.out)
    print_accuracies(console, results, {"float": "float", "integer": "integers (emulator)"})
    console.print(f"integers on training samples without augmentation: {results['accuracy_train']:.2%}")
    console.print(f"mean firing rate {results['mean_rate']:.3f}\nwrote {options.out / NET}", soft_wrap=True)
    print_run_command(console, options.out / NET, options.data, "python deploy/run_lava.py")


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
