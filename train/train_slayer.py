"""Train a spiking graph network on skeletons and export it as mksgn.net.

    python train/train_slayer.py                                    # the demo: synthetic skeletons, four minutes
    python train/train_slayer.py --preset mksgn --data nw_ucla.npz  # MK-SGN, joint modality
    python train/train_slayer.py --preset mksgn --data nw_ucla.npz --teacher RUN RUN RUN RUN --distil paper
                                                                    # taught by finished train_teacher.py runs

Presets
    demo       shows that everything works: a small MK-SGN on synthetic skeletons;
               3 to 4 minutes on two cores; 98 % on the synthetic test split
    mksgn      six layers with spiking attention, half the paper's widths, T = 2; on NW-UCLA about
               half an hour on one core; taught by two CTR-GCNs 90 % (see models/nw-ucla-joint)
    mksgn-4    mksgn with four modalities, added up (--fusion smf weighs them by mutual information),
               and a price on synaptic operations; on NW-UCLA 90 %, with four teachers 91 %
               (see models/nw-ucla); about 40 minutes on one core, 70 with teachers
    ntu60      NTU RGB+D 60 and 120: the paper's widths, four modalities, and its training
    ntu120     settings (Table 5); complete and tested on fixtures, never trained here
    base-sgn   the paper's baseline, ST-GCN's ten layers with LIF for ReLU, half the
               paper's widths; not yet trained to the end here, so no result is promised
    spike-driven, spikformer
               the paper's two spiking transformers, six blocks over joints x frames, a quarter
               of its width (64); a step takes about twice as long as mksgn's, so about 90
               minutes on two cores; not trained yet, so no result is promised. Spikformer
               multiplies integers (Q K^T V): it gets no mksgn.net, only weights and accuracies
    spike-driven-256, spikformer-256
               the same at the paper's width, 4.78 M parameters on NTU60, 64 frames; for a
               GPU; not trained yet

With --teacher the network is distilled from trained CTR-GCNs in both stages (paper Eq. 25-32): from their
soft labels and, through the feature translation module (FTM), from their layers 5 and 8. --distil chooses
the loss: paper, ce-kl (cross-entropy and Kullback-Leibler divergence at a temperature) or tet (that at
every time step). --soft-labels cached is cheaper and leaves out the features.

The run has two stages: floating point, then batch norm is folded, everything is rounded to the
chip's integers and the integers are fine-tuned. What is evaluated last, by the integer emulator,
is exactly what mksgn.net holds. With SMF the modalities are weighed sample by sample in floating point;
before quantisation the weights are fixed at their means over the training set, and the accuracies with
both are reported. Every epoch leaves a checkpoint; --resume continues a killed run
to the same weights, bit for bit, on CPU with the same number of threads.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from lightning_fabric import Fabric
from rich.console import Console
from torch import Tensor

from mksgn.cli import describe_commit, exit_on_error, progress_bar
from mksgn.data.sources import SYNTHETIC, load
from mksgn.data.splits import Split, split
from mksgn.errors import ConfigError
from mksgn.nn import SpikingGraphNet
from mksgn.training.batches import Batches, preprocessed
from mksgn.training.checkpoint import (
    CHECKPOINT,
    FLOAT,
    NET,
    WEIGHTS,
    load_checkpoint,
    load_weights,
    read_state,
    save_checkpoint,
)
from mksgn.training.devices import choose_device, choose_precision
from mksgn.training.distill import distillation
from mksgn.training.distiller import FTM, Distiller, teach
from mksgn.training.finish import end_float, export, right
from mksgn.training.log import RunLog
from mksgn.training.objective import Objective, learning_rate, optimiser_of, other_optimisers
from mksgn.training.recipe import PRESETS, Recipe


@dataclass(frozen=True)
class Options:
    """Train a spiking graph network on skeletons and export it as mksgn.net."""

    preset: Literal["demo", "base-sgn", "mksgn", "mksgn-4", "ntu60", "ntu120", "spike-driven", "spikformer",
                    "spike-driven-256", "spikformer-256"] = "demo"
    """Recipe to start from; the options below change parts of it."""
    data: str = SYNTHETIC
    """A canonical pack or CTR-GCN .npz, a folder of NW-UCLA .json or NTU .skeleton files, or 'synthetic'."""
    protocol: str | None = None
    """Split: nw-ucla-xview, nw-ucla-dev (view 1 trains, view 2 tests; to choose recipes by), ntu60-xsub, ntu60-xview,
    ntu120-xsub, ntu120-xset; default: what the data's ids say."""
    out: Path | None = None
    """Folder for the checkpoint, mksgn.net, metrics.jsonl and TensorBoard events; default: runs/PRESET, numbered."""
    start: str | None = None
    """Folder of a finished run whose floating-point weights this one starts from; with --epochs 0 it only fine-tunes
    integers."""
    overwrite: bool = False
    """Start anew in an --out that holds a run."""
    resume: bool = False
    """Continue the run in --out from its last checkpoint, with the recipe it was started with."""
    epochs: int | None = None
    """Epochs in floating point."""
    tune_epochs: int | None = None
    """Epochs of integer fine-tuning; with --resume it may be more than the run was started with."""
    batch: int | None = None
    """Samples per optimiser step, over all processes."""
    lr: float | None = None
    """Peak learning rate (AdamW, one cycle)."""
    tune_lr: float | None = None
    """First learning rate of the fine-tuning, which follows a cosine to zero."""
    widths: tuple[int, ...] | None = None
    """Channels of each layer."""
    frames: int | None = None
    """Video frames after resampling."""
    persons: int | None = None
    """Persons per sample (NTU: 2)."""
    time_steps: int | None = None
    """Algorithmic time steps T; a power of two if the net is to run on Loihi 2."""
    surrogate_width: float | None = None
    """a of the rectangular surrogate gradient, in thresholds (paper Table 4: 1); its height is 1 / a."""
    modality: tuple[Literal["joint", "bone", "joint-motion", "bone-motion"], ...] | None = None
    """Input: one modality, or several, each with a spike coder of its own."""
    fusion: Literal["smf", "fixed", "sum"] | None = None
    """Several modalities: weighed by mutual information (smf), by --fusion-weights (fixed), or added up (sum)."""
    fusion_weights: tuple[float, ...] | None = None
    """One number per modality, for --fusion fixed."""
    coder_width: int | None = None
    """Channels of each spike coder; default: as the first layer, or as the preset says."""
    graph_conv: Literal["layer", "learned", "fused"] | None = None
    """Joint mixing as a population of its own (layer), the same with trained weights between all joints (learned), or
    inside one synapse (fused)."""
    segments: int | None = None
    """Parts of the sequence that the head averages apart; the paper has 1."""
    rate_weight: float | None = None
    """Weight of the firing-rate regularisation."""
    synop_weight: float | None = None
    """Weight of max(S / target - 1, 0), S being the synaptic operations of a sample: spikes times their fan-out."""
    synop_target: float | None = None
    """Synaptic operations per sample that cost nothing, such as 100e6."""
    dropout: float | None = None
    """On the spikes before the classifier."""
    val_subjects: Annotated[tuple[int, ...] | None, tyro.conf.arg(metavar="[INT [INT ...]]")] = None
    """Training subjects held out for validation. Give it without numbers to train on all of them."""
    teacher: Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN [RUN ...]")] = ()
    """Folders of finished train_teacher.py runs on the same data, one per modality, to distil from."""
    distil: Literal["paper", "ce-kl", "tet"] | None = None
    """Loss of the distillation; default: paper."""
    temperature: float | None = None
    """Temperature of ce-kl and tet; default: 2."""
    gamma: tuple[float, float, float] | None = None
    """Weights of class loss, soft labels and features (gamma in Eq. 32); default: 1 1 1."""
    beta: tuple[float, float] | None = None
    """Weights of the feature losses of the teachers' layers 5 and 8 (beta in Eq. 31); default: 1 1."""
    alpha: tuple[float, ...] | None = None
    """Weight of each teacher in the soft labels (alpha in Eq. 25); default: equal."""
    soft_labels: Literal["online", "cached"] | None = None
    """Teachers see every augmented sample (default), or what they said of the training data is used; then no FTM."""
    ftm_lr: float | None = None
    """Learning rate of the FTM's own optimiser (SGD); default: 0.1."""
    seed: int | None = None
    """Seed of initialisation, order and augmentation."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train."""
    devices: int = 1
    """Processes or GPUs; under torchrun its own number is used."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Arithmetic of the training step; evaluation and export are always exact."""

    def folder(self) -> Path:
        """Where this run lives; without --out the first runs/PRESET, runs/PRESET-2, ... that is free."""
        if self.out is None:
            if self.resume:
                raise ConfigError("--resume needs the folder of the run", fix="name it with --out")
            names = (f"runs/{self.preset}" + (f"-{n}" if n > 1 else "") for n in itertools.count(1))
            return next(Path(name) for name in names if not Path(name).exists())
        if not self.resume and not self.overwrite and (self.out / CHECKPOINT).exists():
            raise ConfigError("this folder holds a run already", where=str(self.out),
                              fix="continue it with --resume, replace it with --overwrite, or name another --out")
        return self.out

    def recipe(self) -> Recipe:
        names = ("epochs", "tune_epochs", "batch", "lr", "tune_lr", "widths", "frames", "persons", "time_steps",
                 "surrogate_width", "fusion", "fusion_weights", "coder_width", "graph_conv", "segments", "rate_weight",
                 "synop_weight", "synop_target", "dropout", "val_subjects", "seed")
        recipe = PRESETS[self.preset].with_options(**{name: getattr(self, name) for name in names})
        if self.modality is not None:
            recipe = replace(recipe, modality=self.modality[0] if len(self.modality) == 1 else self.modality)
        if self.widths is not None and len(self.widths) != len(recipe.strides):
            raise ConfigError("widths do not fit the preset", where="--widths", got=str(self.widths),
                              allowed=f"{len(recipe.strides)} numbers")
        distil = distillation(self.distil, self.teacher, temperature=self.temperature, gamma=self.gamma, beta=self.beta,
                              alpha=self.alpha, soft_labels=self.soft_labels, ftm_lr=self.ftm_lr)
        return recipe if distil is None else recipe.taught(distil)


def train_epoch(fabric: Fabric, model, names: list[str], optimiser, others: dict[str, Any], batches: Batches,
                recipe: Recipe, stage: str, epoch: int, epochs: int, bar) -> dict[str, float]:
    """One epoch; returns the means of what ``names`` names."""
    torch.manual_seed(recipe.seed * 100_003 + epoch)
    totals = torch.zeros(len(names))
    for step, (x, labels, *taught) in enumerate(batches.epoch(epoch)):
        part = (epoch + step / len(batches)) / epochs
        rates = [(optimiser, learning_rate(recipe, stage, part))]
        if recipe.distil and FTM in others:
            rates.append((others[FTM], recipe.distil.ftm_learning_rate(stage, part)))
        for each, rate in rates:
            for group in each.param_groups:
                group["lr"] = rate
        loss, figures = model(x.to(fabric.device), labels.to(fabric.device), *(t.to(fabric.device) for t in taught))
        fabric.backward(loss)
        for each in (optimiser, *others.values()):
            fabric.clip_gradients(model, each, max_norm=5.0, error_if_nonfinite=True)
            each.step()
            each.zero_grad()
        totals += figures.cpu()
        mean = dict(zip(names, (totals / (step + 1)).tolist()))
        bar.advance(loss=mean["loss"], accuracy=mean["accuracy"], rate=mean["rate"])
    means = fabric.all_reduce(totals / len(batches))
    assert isinstance(means, Tensor)
    return dict(zip(names, means.tolist()))


def main(options: Options) -> None:
    console = Console()
    folder = options.folder()
    checkpoint = folder / CHECKPOINT
    started = None
    if options.resume:
        started = read_state(checkpoint)
        stored: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in started["options"].items()}
        if isinstance(stored["modality"], str):  # as runs of one modality stored it
            stored["modality"] = (stored["modality"],)
        if options.tune_epochs is not None:
            stored["tune_epochs"] = options.tune_epochs
        options = replace(options, **stored)
    recipe = options.recipe()
    torch.set_flush_denormal(True)
    # torchrun has started the processes already, and says how many.
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", options.devices))
    nodes = int(os.environ.get("WORLD_SIZE", devices)) // devices
    fabric = Fabric(accelerator=choose_device(options.device).type, devices=devices, num_nodes=nodes,
                    strategy="ddp" if devices * nodes > 1 else "auto")
    fabric.launch()
    dtype = choose_precision(options.precision, fabric.device)

    pack = load(options.data)
    halves = split(pack, options.protocol, val_subjects=recipe.val_subjects, seed=recipe.seed)
    preprocess = recipe.preprocess(pack)
    teachers, also = None, None
    if recipe.distil:
        recipe, teachers, also = teach(recipe, options.teacher, pack=pack, data=Path(options.data).name,
                                       protocol=halves.protocol, train=halves.train,
                                       before=started.get("teachers", ()) if started else None)
    batches = Batches(pack, halves.train, preprocess, recipe.augmentation(pack), batch=recipe.batch,
                      passes=recipe.passes, seed=recipe.seed, rank=fabric.global_rank, world=fabric.world_size,
                      also=also)
    val = preprocessed(pack, halves.val, preprocess) if len(halves.val) else np.empty((0,))
    fabric.seed_everything(recipe.seed)
    net = SpikingGraphNet(recipe.net_config(pack))
    if options.start is not None and started is None:
        load_weights(net, Path(options.start) / FLOAT)
    distiller = Distiller(recipe.distil, teachers, net) if recipe.distil and teachers else None
    chief = fabric.global_rank == 0
    if chief:
        folder.mkdir(parents=True, exist_ok=True)
        parameters = sum(p.numel() for p in net.parameters() if p.requires_grad)
        apart = 0 if net.fusion is None else sum(p.numel() for p in net.fusion.parameters())
        console.print(f"[bold]{recipe.network}[/] {recipe.widths}, T = {recipe.time_steps}, {parameters - apart:,} "
                      f"parameters" + (f", {apart:,} of SMF's estimator" if apart else "") + "; "
                      f"{halves.protocol}: {len(halves.train)} train, {len(halves.val)} val, {len(halves.test)} test; "
                      f"{fabric.world_size} x {fabric.device.type}, {str(dtype)[6:]}")

    stages = (("float", recipe.epochs), ("tune", recipe.tune_epochs))
    results: dict[str, float] = dict(started["results"]) if started else {}
    log = RunLog(folder, chief, keep=(started["stage"], started["epoch"]) if started else None)
    with progress_bar(console, chief) as progress:
        for stage, epochs in stages:
            if started is not None and stage == "float" and started["stage"] == "tune":
                continue
            first = started["epoch"] + 1 if started is not None and started["stage"] == stage else 0
            if stage == "tune":
                if not first:
                    results.update(end_float(net, pack, halves, preprocess, fabric.device, folder if chief else None))
                elif started is not None and started.get("fusion_weights") is not None:
                    net.fix_fusion(started["fusion_weights"])
                net.quantize()
            objective = Objective(net, recipe, dtype, distiller)
            optimiser = optimiser_of(net, recipe, stage)
            others = other_optimisers(net, recipe) | (distiller.optimisers() if distiller else {})
            companions = {FTM: distiller.ftm} if distiller else {}
            if started is not None and first:
                load_checkpoint(checkpoint, net, optimiser, others, companions)
                net.set_scales(started["scales"])
            model, wrapped, *further = fabric.setup(objective, optimiser, *others.values())
            for epoch in range(first, epochs):
                tick = time.perf_counter()
                net.steps = recipe.steps_at(stage, epoch)
                bar = progress.epoch(f"{stage} {epoch + 1}/{epochs}", len(batches))
                row = train_epoch(fabric, model, objective.names, wrapped, dict(zip(others, further)), batches, recipe,
                                  stage, epoch, epochs, bar)
                correct = right(net, val, pack.labels[halves.val], fabric.device)
                row["val_accuracy"] = float(correct.mean()) if len(val) else math.nan
                row["seconds"] = time.perf_counter() - tick
                log.write(stage, epoch, row)
                progress.report(stage, epoch + 1, epochs, row)
                if chief:
                    kept = {k: v for k, v in vars(options).items() if k not in ("out", "overwrite", "resume")}
                    save_checkpoint(checkpoint, net, optimiser, {
                        "stage": stage, "epoch": epoch, "options": kept, "results": results, "scales": net.scales(),
                        "fusion_weights": net.config.fusion_weights,
                        "teachers": recipe.distil.teachers if recipe.distil else ()}, others, companions)
                fabric.barrier()
    if chief:
        about = {"preset": options.preset, "data": Path(options.data).name, "recipe": json.dumps(recipe.to_dict()),
                 "commit": describe_commit()}
        if net.config.fusion_weights is not None:
            about["fusion"] = recipe.fusion
        report(folder, options, net, halves, export(folder, net.cpu(), pack, halves, preprocess, results, about),
               console)


def report(folder: Path, options: Options, net: SpikingGraphNet, halves: Split, results: dict[str, float],
           console: Console) -> None:
    """What came out, and what to type next."""
    obstacles = net.obstacles()
    by = "torch" if obstacles else "emulator"
    fixed = [("float_fixed", "float, modalities weighed alike")] if "accuracy_float_fixed" in results else []
    for kind, name in (("float", "float"), *fixed, ("integer", f"integers ({by})")):
        line = f"test accuracy, {len(halves.test)} samples: {name} {results[f'accuracy_{kind}']:.2%}"
        if halves.clean is not None:
            line += f", clean subset of {len(halves.clean)} {results[f'accuracy_{kind}_clean']:.2%}"
        console.print(line)
    console.print(f"mean firing rate {results['mean_rate']:.3f}")
    if obstacles:
        console.print(f"wrote {folder / WEIGHTS}; no {NET}, because {', '.join(obstacles)}: "
                      + "; ".join(sorted(set(obstacles.values()))))
        return
    console.print(f"wrote {folder / NET}\nnext:  python deploy/run_lava.py --net {folder / NET}"
                  + (f" --data {options.data}" if options.data != SYNTHETIC else ""))


if __name__ == "__main__":
    with exit_on_error():
        main(tyro.cli(Options, description=__doc__))
    sys.exit(0)
