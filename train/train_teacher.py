"""Train the networks MK-SGN learns from: CTR-GCN, or ST-GCN, on one stream of skeleton data or on all four.

    python train/train_teacher.py --data nw_ucla.npz --modality all          # four streams, then their fusion
    python train/train_teacher.py --data nw_ucla.npz --modality bone         # one stream
    python train/train_teacher.py --data nw_ucla.npz --modality early        # one network that reads all four
    python train/train_teacher.py --data nw_ucla.npz --modality all --resume # go on where it was stopped
    python train/train_teacher.py --fuse RUN RUN RUN RUN                     # accuracy of the summed softmax (Eq. 25)

Presets (--preset)
    nw-ucla        base width 32, 32 frames, 80 epochs; what we train
    nw-ucla-full   the published recipe of CTR-GCN: width 64, 52 frames, 65 epochs of 5 passes; not trained by us
    ntu60, ntu120  the published recipes: width 64, 64 frames, two persons; not trained by us

A run leaves in its folder metrics.jsonl (a line per epoch), the same as TensorBoard events, checkpoint.safetensors,
and, when it has finished, weights.safetensors (network, preprocessing, recipe and test accuracy in its metadata) and
scores.safetensors (logits of the training and test sequences). The test split is evaluated once, at the end. --resume
continues a killed run to the same weights, bit for bit, on CPU with the same number of threads.

--average-part averages the weights of the last part of the epochs, after every step at a constant learning rate (SWA);
what is evaluated and stored is the average. --start RUN trains a finished run on, with its recipe, from a first epoch
of its own; --modality all --start RUN means RUN-joint, RUN-bone, ...
"""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

from _teacher_options import STORED, Options, check_folders, resumed
from rich.console import Console

from mksgn.files import name_of
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse, stored

if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from lightning_fabric import Fabric

from mksgn.data.pack import Pack
from mksgn.training.devices import choose_device, prepare_arithmetic
from mksgn.training.folder import run_folders
from mksgn.training.printing import described, print_fusion
from mksgn.training.processes import launch
from mksgn.training.run_data import RunData
from mksgn.training.run_files import CHECKPOINT, WEIGHTS, read_state
from mksgn.training.teacher import TeacherTraining
from mksgn.training.teacher_recipe import TeacherRecipe
from mksgn.training.trainer import Trainer


def main(options: Options) -> None:
    console = Console()
    options.check()
    if options.fuse:
        print_fusion(console, options.fuse, options.alpha)
        return
    folders = {modality: options.folder(modality) for modality in options.modalities()}
    check_folders(options, folders)
    options, recipe = resumed(options, folders) if options.resume else (options, options.recipe())
    folders = dict(zip(options.modalities(), folders.values(), strict=True))  # a checkpoint says what it reads
    prepare_arithmetic(options.threads)
    fabric = launch(choose_device(options.device), 1)
    options.splitting.described()  # first: a contradiction is refused before anything is read
    pack = options.reading.load(options.data, partial(console.print, markup=False), recipe.persons)
    again = (f"python train/train_teacher.py --resume --modality {options.modality}"
             + (f" --out {shlex.quote(str(options.out))}" if options.out else ""))
    with run_folders(list(folders.values()), again):
        for modality, folder in folders.items():
            if options.resume and (folder / WEIGHTS).exists():
                console.print(f"{modality}: finished already, {folder / WEIGHTS}")
                continue
            train_stream(options, recipe, modality, folder, pack, fabric, console)
    if options.modality == "all":
        print_fusion(console, list(folders.values()), options.alpha)


def train_stream(options: Options, recipe: TeacherRecipe, modality: str, folder: Path, pack: Pack, fabric: Fabric,
                 console: Console) -> None:
    """Train one stream, or go on with it where its folder has a checkpoint and --resume was given."""
    state: dict[str, Any] | None = None
    if options.resume and (folder / CHECKPOINT).exists():
        state = read_state(folder / CHECKPOINT, epoch=int)
    data = RunData.prepared(pack, name_of(options.data), recipe.preprocess(pack, modality),
                            protocol=options.splitting.described(), val_subjects=recipe.val_subjects, seed=recipe.seed)
    for line in data.lines():
        console.print(line, markup=False, soft_wrap=True)
    training = TeacherTraining(folder, recipe, data, fabric, options.origin(modality, state),
                               precision=options.precision)
    final = Trainer(training, {**stored(options, STORED), "modality": modality}, state, console).run()
    console.print(f"{modality}: test {described(final)}\nwrote {folder / WEIGHTS}", soft_wrap=True)


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
