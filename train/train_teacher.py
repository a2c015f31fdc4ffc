"""Train the networks MK-SGN learns from: CTR-GCN, or ST-GCN, on one stream of skeleton data or on all four.

    python train/train_teacher.py --data nw_ucla.npz --modality all          # four streams, then their fusion
    python train/train_teacher.py --data nw_ucla.npz --modality bone         # one stream
    python train/train_teacher.py --data nw_ucla.npz --modality all --resume # go on where it was stopped
    python train/train_teacher.py --fuse RUN RUN RUN RUN                     # accuracy of the summed softmax (Eq. 25)

Presets (--preset)
    nw-ucla        base width 32, 32 frames, 80 epochs; what we train
    nw-ucla-full   the published recipe of CTR-GCN: width 64, 52 frames, 65 epochs of 5 passes; not trained by us
    ntu60, ntu120  the published recipes: width 64, 64 frames, two persons; not trained by us

A run leaves in its folder metrics.jsonl (a line per epoch), checkpoint.safetensors, and, when it has finished,
weights.safetensors (network, preprocessing, recipe and test accuracy in its metadata) and scores.safetensors (logits
of the training and test sequences). The test split is evaluated once, at the end. --resume continues a killed run to
the same weights, bit for bit, on CPU with the same number of threads.

--average-part averages the weights of the last part of the epochs, after every step at a constant learning rate (SWA);
what is evaluated and stored is the average. --start RUN trains a finished run on, with its recipe, from a first epoch
of its own; --modality all --start RUN means RUN-joint, RUN-bone, ...
"""

from __future__ import annotations

import json
import math
import shlex
import sys
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from _teacher_options import STORED, Options, check_folders, resumed
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.files import name_of, replacing
from mksgn.programs.console import exit_on_error, print_table, training_progress
from mksgn.programs.options import parse

if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import numpy as np
import torch
from torch import nn

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.sources import load
from mksgn.data.splits import training_split
from mksgn.teachers.scores import Scores, Stream, accuracies, fuse, load_stream, save_stream
from mksgn.teachers.stack import unfold_persons
from mksgn.teachers.weights import BaselineConfig, begin_with, parameters, save_baseline
from mksgn.threads import use_threads
from mksgn.training.averaging import AVERAGE, average_of, take_average
from mksgn.training.batches import Batches, preprocessed
from mksgn.training.checkpoint import CHECKPOINT, WEIGHTS, load_checkpoint, read_state, save_checkpoint
from mksgn.training.devices import choose_device, choose_precision
from mksgn.training.folder import run_folders
from mksgn.training.recipe import lateral_joints, mirrored_joints
from mksgn.training.starting import lineage
from mksgn.training.teacher_recipe import TeacherRecipe
from mksgn.training.teachers import SCORES

METRICS = "metrics.jsonl"


class Run:
    """One stream: its folder, data, network and optimiser."""

    def __init__(self, options: Options, recipe: TeacherRecipe, modality: str, pack: Pack, folder: Path) -> None:
        self.options, self.recipe, self.modality, self.pack, self.folder = options, recipe, modality, pack, folder
        self.device = choose_device(options.device)
        self.dtype = choose_precision(options.precision, self.device, 4 * recipe.base_channels)
        self.halves, self.unlabelled = training_split(pack, options.protocol, val_subjects=recipe.val_subjects,
                                                      seed=recipe.seed)
        mirrored = mirrored_joints(pack)
        augment = replace(recipe.augment, mirror=recipe.augment.mirror if mirrored else 0.0, mirrored=mirrored)
        self.preprocess = Preprocess(frames=recipe.frames, persons=recipe.persons, modality=modality,
                                     lateral=lateral_joints(pack), root_range=recipe.root_range,
                                     motion_range=recipe.motion_range)
        self.batches = Batches(pack, self.halves.train, self.preprocess, augment, batch=recipe.batch,
                               passes=recipe.passes, seed=recipe.seed)
        self.config = BaselineConfig(network=recipe.network, body=pack.body, classes=len(pack.class_names),
                                     persons=recipe.persons, base_channels=recipe.base_channels,
                                     dropout=recipe.dropout)
        torch.manual_seed(recipe.seed)
        self.network = self.config.build()
        self.lineage: dict[str, Any] = {}
        if options.start is not None and not self.begun():
            start, meta = options.started(modality)
            begin_with(self.network, self.config, start / WEIGHTS)
            self.lineage = lineage(start, meta, meta["recipe"]["epochs"])
        self.network.to(self.device)
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=recipe.lr, momentum=0.9, nesterov=True,
                                         weight_decay=recipe.weight_decay)
        self.average = average_of(self.network, recipe, self.device)
        self.losses = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)

    def describe(self) -> str:
        recipe, halves = self.recipe, self.halves
        return (f"[bold]{recipe.network}[/] {self.modality}, base width {recipe.base_channels}, "
                f"{recipe.frames} frames, {parameters(self.network):,} parameters; {halves.protocol}: "
                f"{len(halves.train)} train, {len(halves.val)} val, {len(halves.test)} test; "
                f"{self.device.type}, {str(self.dtype)[6:]}"
                + (f"; {self.unlabelled} without a label are left out" if self.unlabelled else ""))

    def begun(self) -> bool:
        """Whether this run goes on from its own checkpoint."""
        return self.options.resume and (self.folder / CHECKPOINT).exists()

    def train(self, console: Console) -> None:
        """All epochs that are left, a checkpoint and a line of metrics after each."""
        checkpoint, first = self.folder / CHECKPOINT, 0
        if self.begun():
            state = read_state(checkpoint, epoch=int)
            first, self.lineage = state["epoch"] + 1, state.get("lineage", {})
            load_checkpoint(checkpoint, self.network, self.optimiser, companions=self.companions())
        log = keep_lines(self.folder / METRICS, first)
        held_out = self.samples(self.halves.val)
        stored = {"options": {name: getattr(self.options, name) for name in STORED}, "recipe": self.recipe.to_dict(),
                  "lineage": self.lineage}
        with training_progress(console) as progress:
            task = progress.add_task(self.modality, total=self.recipe.epochs * len(self.batches), note=(),
                                     completed=first * len(self.batches))
            for epoch in range(first, self.recipe.epochs):
                tick = time.perf_counter()
                row = self.epoch(epoch, progress, task)
                if len(held_out):
                    labels = self.pack.labels[self.halves.val]
                    row["val_accuracy"] = float((self.logits(held_out).argmax(1) == labels).mean())
                row["seconds"] = time.perf_counter() - tick
                with log.open("a") as file:
                    file.write(json.dumps({"epoch": epoch, **row}) + "\n")
                left = timedelta(seconds=round(row["seconds"] * (self.recipe.epochs - epoch - 1)))
                numbers = "  ".join(f"{name} {value:.4g}" for name, value in row.items())
                console.print(f"{self.modality:<13}{epoch + 1:>3}/{self.recipe.epochs}  {numbers}  left {left}",
                              highlight=False, soft_wrap=True)
                save_checkpoint(checkpoint, self.network, self.optimiser, {"epoch": epoch, **stored},
                                companions=self.companions())
        if self.average is not None:
            batches = ((self.inputs(x), labels) for x, labels in self.batches.epoch(self.recipe.epochs))
            take_average(self.network, self.average, batches, self.recipe.seed)

    def companions(self) -> dict[str, nn.Module]:
        """What a checkpoint holds beside the network."""
        return {} if self.average is None else {AVERAGE: self.average}

    def inputs(self, x: torch.Tensor) -> torch.Tensor:
        """What the network takes of a batch."""
        return unfold_persons(x.to(self.device), self.recipe.persons)

    def epoch(self, epoch: int, progress: Progress, task: Any) -> dict[str, float]:
        """One epoch; returns its learning rate, mean loss and training accuracy."""
        torch.manual_seed(self.recipe.seed * 100_003 + epoch)
        self.network.train()
        total, right, seen = 0.0, 0, 0
        for step, (x, labels) in enumerate(self.batches.epoch(epoch)):
            rate = self.recipe.learning_rate(epoch + step / len(self.batches))
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            x, labels = self.inputs(x), labels.to(self.device)
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                logits = self.network(x).logits
            loss = self.losses(logits, labels)
            if not torch.isfinite(loss):
                raise ConfigError("the loss is not a finite number any more", f"epoch {epoch + 1}, step {step + 1}",
                                  str(loss.item()), fix="lower --lr, or lengthen --warm-up")
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            if self.average is not None and epoch >= self.recipe.averaged_from:
                self.average.update_parameters(self.network)
            total, seen = total + loss.item(), seen + len(labels)
            right += int((logits.argmax(1) == labels).sum())
            progress.update(task, advance=1, note=(f"epoch {epoch + 1}", f"loss {total / (step + 1):.3f}"))
        return {"lr": rate, "loss": total / len(self.batches), "accuracy": right / seen}

    def samples(self, indices: np.ndarray) -> np.ndarray:
        return preprocessed(self.pack, indices, self.preprocess) if len(indices) else np.empty(0, np.int8)

    @torch.no_grad()
    def logits(self, samples: np.ndarray) -> np.ndarray:
        """Logits in float32 of int8 samples (N, C, F, M V)."""
        self.network.eval()
        parts = [self.network(self.inputs(torch.from_numpy(part))).logits.cpu()
                 for part in np.array_split(samples, math.ceil(len(samples) / 64))]
        return torch.cat(parts).numpy()

    def scores(self, indices: np.ndarray) -> Scores:
        clean = np.ones(len(indices), bool) if self.halves.clean is None else ~np.isin(
            indices, np.setdiff1d(self.halves.test, self.halves.clean))
        return Scores(self.logits(self.samples(indices)), self.pack.labels[indices], indices, clean)

    def finish(self, console: Console) -> None:
        """Evaluate the test split, once, and write weights and scores."""
        stream = Stream(self.modality, name_of(self.options.data), self.halves.protocol,
                        self.scores(self.halves.train), self.scores(self.halves.test))
        final = accuracies(stream.test.probabilities(), stream.test)
        save_stream(self.folder / SCORES, stream)
        save_baseline(self.folder / WEIGHTS, self.network, self.config, {
            "modality": self.modality, "preprocess": self.preprocess.to_json(), "recipe": self.recipe.to_dict(),
            "preset": self.options.name(), "data": stream.data, "protocol": stream.protocol,
            "val_subjects": self.halves.val_subjects, "labels": list(self.pack.class_names),
            "commit": describe_commit(), "test": final, **self.lineage})
        with (self.folder / METRICS).open("a") as file:
            file.write(json.dumps({"final": final}) + "\n")
        console.print(f"{self.modality}: test {describe(final)}\nwrote {self.folder / WEIGHTS}", soft_wrap=True)




def keep_lines(path: Path, epochs: int) -> Path:
    """Keep the lines of the first ``epochs`` epochs of a metrics file; what follows may be half a line."""
    lines = path.read_text().splitlines()[:epochs] if epochs and path.exists() else []
    with replacing(path) as temporary:
        temporary.write_text("".join(line + "\n" for line in lines))
    return path


def describe(result: dict[str, float]) -> str:
    line = f"accuracy {result['accuracy']:.2%} on {result['samples']}"
    return line + (f", {result['accuracy_clean']:.2%} on the {result['samples_clean']} clean ones"
                   if "accuracy_clean" in result else "")


def print_fusion(folders: list[Path], alpha: tuple[float, ...], console: Console) -> None:
    """The table of single and fused accuracies."""
    streams = [load_stream(folder / SCORES) for folder in folders]
    fused = fuse([s.test for s in streams], alpha or None)
    rows = [(s.modality, accuracies(s.test.probabilities(), s.test)) for s in streams]
    rows.append(("summed softmax (Eq. 25)", accuracies(fused, streams[0].test)))
    clean = "samples_clean" in rows[-1][1]
    table = Table(title=f"{streams[0].data}, {streams[0].protocol}: test accuracy")
    table.add_column("stream")
    for count in (["samples", "samples_clean"] if clean else ["samples"]):
        table.add_column(str(rows[-1][1][count]), justify="right")
    for name, result in rows:
        table.add_row(name, *(f"{result[k]:.2%}" for k in (["accuracy", "accuracy_clean"] if clean else ["accuracy"])))
    print_table(console, table)


def main(options: Options) -> None:
    console = Console()
    options.check()
    if options.fuse:
        print_fusion(list(options.fuse), options.alpha, console)
        return
    folders = {modality: options.folder(modality) for modality in options.modalities()}
    check_folders(options, folders)
    options, recipe = resumed(options, folders) if options.resume else (options, options.recipe())
    torch.set_flush_denormal(True)
    use_threads(options.threads)
    pack = load(options.data, skip_untracked=options.skip_untracked, leave_out=options.leave_out,
                say=partial(console.print, markup=False))
    again = (f"python train/train_teacher.py --resume --modality {options.modality}"
             + (f" --out {shlex.quote(str(options.out))}" if options.out else ""))
    with run_folders(list(folders.values()), again):
        for modality, folder in folders.items():
            if options.resume and (folder / WEIGHTS).exists():
                console.print(f"{modality}: finished already, {folder / WEIGHTS}")
                continue
            run = Run(options, recipe, modality, pack, folder)
            folder.mkdir(parents=True, exist_ok=True)
            for stale in (CHECKPOINT, WEIGHTS, SCORES) if not options.resume else ():
                (folder / stale).unlink(missing_ok=True)
            console.print(run.describe())
            run.train(console)
            run.finish(console)
    if options.modality == "all":
        print_fusion(list(folders.values()), options.alpha, console)


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
