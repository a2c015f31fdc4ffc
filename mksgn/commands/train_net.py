"""What :mod:`mksgn.commands.train` does once its options are read."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from mksgn.commands.train_options import STORED, Options, resumed
from mksgn.files import name_of
from mksgn.programs.console import print_prose
from mksgn.programs.options import stored
from mksgn.programs.started import told
from mksgn.training.devices import check_devices, choose_device, prepare_arithmetic
from mksgn.training.folder import check_folder, run_folders
from mksgn.training.printing import print_accuracies, print_run_command
from mksgn.training.processes import is_first_process, launch
from mksgn.training.run_data import RunData
from mksgn.training.run_files import CHECKPOINT, NET, read_state
from mksgn.training.starting import Origin
from mksgn.training.student import StudentTraining
from mksgn.training.trainer import Trainer


def train_net(options: Options, command: str = "mksgn train") -> int:
    """Train, print and write; ``command`` is what the user types to go on."""
    console, folder = Console(), options.folder()
    check_folder(folder)
    state = None
    if options.resume:
        state = read_state(folder / CHECKPOINT, stage=str, epoch=int, results=dict, scales=list)
        options, recipe = resumed(options, state)
    else:
        recipe = options.recipe()
    prepare_arithmetic(options.threads)
    device = choose_device(options.device)
    check_devices(options.devices, device)
    say: Callable[[str], None] = partial(print_prose, console) if is_first_process() else lambda _: None
    protocol = options.splitting.described()
    pack = options.reading.load(options.data, say, recipe.persons)
    data = RunData.prepared(pack, name_of(options.data), recipe.preprocess(pack), protocol=protocol,
                            val_subjects=recipe.val_subjects, seed=recipe.seed)
    for line in data.lines():
        say(line)
    fabric = launch(device, options.devices)
    origin = Origin(options.name(), Path(options.start) if options.start else None, options.lineage())
    training = StudentTraining(folder, recipe, data, fabric, origin, teachers=options.teacher,
                               precision=options.precision, state=state)
    again = f"{command} --resume --out {shlex.quote(str(folder))}"
    with run_folders([folder], again) if fabric.is_global_zero else nullcontext():
        results = Trainer(training, stored(options, STORED), state, console).run()
    if fabric.is_global_zero:
        report(console, options, training, results, told("mksgn run", command))
    return 0


def report(console: Console, options: Options, training: StudentTraining, results: Mapping[str, Any],
           run: str) -> None:
    """What came out, and what to type next."""
    clean = training.data.split.clean
    names = {"float": "float", "float_fixed": "float, modalities weighed alike", "integer": "integers (emulator)"}
    print_accuracies(console, results, names, None if clean is None else len(clean))
    if "integers" in results:
        console.print(f"{results['integers']} integers: of the training samples {results['agreement_tuned']:.2%} "
                      f"(fine-tuned) and {results['agreement_rounded']:.2%} (rounded alone) are predicted as in float")
    console.print(f"mean firing rate {results['mean_rate']:.3f}")
    console.print(f"wrote {training.folder / NET}", markup=False, soft_wrap=True)
    print_run_command(console, training.folder / NET, options.data, run)
