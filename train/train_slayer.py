"""Train a spiking graph network on skeletons and export it as mksgn.net.

    python train/train_slayer.py                                    # the demo: synthetic skeletons
    python train/train_slayer.py --preset mksgn --data nw_ucla.npz  # MK-SGN, joint modality
    # taught by finished train_teacher.py runs
    python train/train_slayer.py --preset mksgn --data nw_ucla.npz --teacher RUN RUN --distil ce-kl --gamma 1 1 0

Presets
    demo       shows that everything works: a small MK-SGN on synthetic skeletons;
               three minutes on two cores, 99 % on the synthetic test split
    mksgn      six layers with spiking attention, half the paper's widths, T = 2; on NW-UCLA about
               half an hour on one core; taught by two CTR-GCNs 90 % (see models/nw-ucla-joint)
    mksgn-4    mksgn with four modalities, added up (--fusion smf weighs them by mutual information),
               and a price on synaptic operations; on NW-UCLA 90 %, with four teachers 92 %;
               about 40 minutes on one core, 70 with teachers. Two of one time step, joined by
               train/join_runs.py, 93 to 94 % (see models/nw-ucla)
    ntu60, ntu120
               NTU RGB+D 60 and 120: the paper's widths, four modalities, and its training
               settings (Table 5); complete and tested on fixtures, never trained here
    base-sgn   the paper's baseline, ST-GCN's ten layers with LIF for ReLU, half the paper's
               widths; 84 % on NW-UCLA, an hour on one of two busy cores
    spike-driven, spikformer
               the paper's two spiking transformers, six blocks over joints x frames, a quarter
               of its width (64); 81 and 82 % on NW-UCLA, 40 minutes on one core. Spikformer
               multiplies integers (Q K^T V): it gets no mksgn.net, only weights and accuracies
    spike-driven-256, spikformer-256
               the same at the paper's width, 4.78 M parameters on NTU60, 64 frames; for a
               GPU; not trained yet

With --teacher the network is distilled from trained CTR-GCNs in both stages (paper Eq. 25-32): from their
soft labels and, through the feature translation module (FTM), from their layers 5 and 8. A finished run of this
program can teach, too, by its soft labels (--gamma 1 1 0). --distil chooses
the loss: paper, ce-kl (cross-entropy and Kullback-Leibler divergence at a temperature) or tet (that at
every time step). On NW-UCLA, one modality, ce-kl without features (--gamma 1 1 0) brought 1.3 points and the
paper's loss cost 2.8 (docs/decisions/0005). --soft-labels cached is cheaper and leaves out the features.

--average-part averages the weights of the last part of the floating-point epochs, after every step at a constant
learning rate (SWA); a finished run is averaged further with --start RUN --epochs 40 --average-part 1. While it lasts,
the figures of an epoch are those of the weights as they are, which are worse than their average.

The run has two stages: floating point, then batch norm is folded, everything is rounded to the
chip's integers and the integers are fine-tuned. They are kept if they agree with the float network on
training samples at least as often as rounding alone does. What is evaluated last, by the integer
emulator, is exactly what mksgn.net holds. With SMF the modalities are weighed sample by sample in floating point;
before quantisation the weights are fixed at their means over the training set, and the accuracies with
both are reported. Every epoch leaves a checkpoint; --resume continues a killed run
to the same weights, bit for bit, on CPU with the same number of threads.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from _slayer_options import STORED, Options, resumed
from rich.console import Console

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.files import name_of
from mksgn.programs.console import exit_on_error, print_command, progress_bar
from mksgn.programs.options import parse

if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from mksgn.data.sources import SYNTHETIC, load
from mksgn.data.splits import Split, training_split
from mksgn.nn import SpikingGraphNet
from mksgn.threads import use_threads
from mksgn.training.averaging import AVERAGE, average_of, take_average
from mksgn.training.batches import Batches, preprocessed
from mksgn.training.checkpoint import (
    CHECKPOINT,
    FLOAT,
    NET,
    WEIGHTS,
    load_checkpoint,
    read_state,
    save_checkpoint,
)
from mksgn.training.devices import check_devices, choose_device, choose_precision
from mksgn.training.distiller import FTM, Distiller, teach
from mksgn.training.finish import end_float, export
from mksgn.training.folder import check_folder, run_folders
from mksgn.training.integers import predictions
from mksgn.training.log import RunLog
from mksgn.training.objective import Objective, learning_rate, optimiser_of, other_optimisers
from mksgn.training.recipe import Recipe
from mksgn.training.starting import begin_with


def train_epoch(fabric: Fabric, model, names: list[str], optimiser, others: dict[str, Any], batches: Batches,
                recipe: Recipe, stage: str, epoch: int, epochs: int, bar,
                after: Callable[[], None] | None) -> dict[str, float]:
    """One epoch, ``after`` after every step; returns the means of what ``names`` names."""
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
        for name, each in {"": optimiser, **others}.items():
            norm = fabric.clip_gradients(model, each, max_norm=5.0, error_if_nonfinite=False)
            assert norm is not None, "gradients are clipped by their norm"
            if not (torch.isfinite(norm) and torch.isfinite(figures[0])):
                raise ConfigError("the loss is not a finite number any more",
                                  f"{stage} epoch {epoch + 1}, step {step + 1}",
                                  f"loss {figures[0].item():g}, its gradient {norm.item():g}",
                                  fix="start anew with a lower " + rate_option(name, stage, recipe, epoch))
            each.step()
            each.zero_grad()
        if after is not None:
            after()
        totals += figures.cpu()
        mean = dict(zip(names, (totals / (step + 1)).tolist()))
        bar.advance(loss=mean["loss"], accuracy=mean["accuracy"], rate=mean["rate"])
    means = fabric.all_reduce(totals / len(batches))
    assert isinstance(means, Tensor)
    return dict(zip(names, means.tolist()))


def rate_option(name: str, stage: str, recipe: Recipe, epoch: int) -> str:
    """The option that sets the learning rate of an optimiser, the network's being the one without a name."""
    if name == FTM:
        return "--ftm-lr"
    if stage == "tune":
        return "--tune-lr"
    return "--average-lr" if recipe.averages and epoch >= recipe.cycle_epochs else "--lr"


def main(options: Options) -> None:
    console = Console()
    folder = options.folder()
    check_folder(folder)
    checkpoint = folder / CHECKPOINT
    started = None
    if options.resume:
        started = read_state(checkpoint, stage=str, epoch=int, results=dict, scales=list)
        options, recipe = resumed(options, started)
    else:
        recipe = options.recipe()
    torch.set_flush_denormal(True)
    use_threads(options.threads)
    check_devices(options.devices, choose_device(options.device))
    speaks = os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"  # of several processes
    say: Callable[[str], None] = partial(console.print, markup=False) if speaks else lambda _: None
    pack = load(options.data, skip_untracked=options.skip_untracked, leave_out=options.leave_out, say=say)
    halves, unlabelled = training_split(pack, options.protocol, val_subjects=recipe.val_subjects, seed=recipe.seed)
    # torchrun has started the processes already, and says how many.
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", options.devices))
    nodes = int(os.environ.get("WORLD_SIZE", devices)) // devices
    fabric = Fabric(accelerator=choose_device(options.device).type, devices=devices, num_nodes=nodes,
                    strategy="ddp" if devices * nodes > 1 else "auto")
    fabric.launch()
    dtype = choose_precision(options.precision, fabric.device, max(recipe.network.widths))

    preprocess = recipe.preprocess(pack)
    teachers, also = None, None
    if recipe.distil:
        recipe, teachers, also = teach(recipe, options.teacher, pack=pack, data=name_of(options.data),
                                       protocol=halves.protocol, train=halves.train,
                                       before=recipe.distil.teachers if started else None)
    batches = Batches(pack, halves.train, preprocess, recipe.augmentation(pack), batch=recipe.batch,
                      passes=recipe.passes, seed=recipe.seed, rank=fabric.global_rank, world=fabric.world_size,
                      also=also, mixup=recipe.mixup)
    val = preprocessed(pack, halves.val, preprocess) if len(halves.val) else np.empty((0,))
    fabric.seed_everything(recipe.seed)
    net = recipe.untrained(pack)
    if options.start is not None and started is None:
        begin_with(net, Path(options.start), batches)
    distiller = Distiller(recipe.distil, teachers, net) if recipe.distil and teachers else None
    chief = fabric.global_rank == 0
    if chief:
        parameters = sum(p.numel() for p in net.parameters() if p.requires_grad)
        apart = 0 if net.fusion is None else sum(p.numel() for p in net.fusion.parameters())
        console.print(f"[bold]{net.config.name}[/] {net.config.widths}, T = {net.config.time_steps}, "
                      f"{parameters - apart:,} parameters" + (f", {apart:,} of SMF's estimator" if apart else "") + "; "
                      f"{halves.protocol}: {len(halves.train)} train, {len(halves.val)} val, {len(halves.test)} test; "
                      f"{fabric.world_size} x {fabric.device.type}, {str(dtype)[6:]}"
                      + (f"; {unlabelled} without a label are left out" if unlabelled else ""))
    again = f"python train/train_slayer.py --resume --out {shlex.quote(str(folder))}"
    with run_folders([folder], again) if chief else nullcontext():
        if chief:
            folder.mkdir(parents=True, exist_ok=True)
            for stale in (CHECKPOINT, FLOAT, WEIGHTS, NET) if started is None else ():
                (folder / stale).unlink(missing_ok=True)
        stages = (("float", recipe.epochs), ("tune", recipe.tune_epochs))
        results: dict[str, float] = dict(started["results"]) if started else {}
        average = average_of(net, recipe, fabric.device)
        after = None if average is None else partial(average.update_parameters, net)
        log = RunLog(folder, chief, keep=(started["stage"], started["epoch"]) if started else None)
        with progress_bar(console, chief) as progress:
            for stage, epochs in stages:
                if started is not None and stage == "float" and started["stage"] == "tune":
                    continue
                first = started["epoch"] + 1 if started is not None and started["stage"] == stage else 0
                if stage == "tune":
                    if not first:
                        if average is not None:
                            net.steps = net.config.time_steps
                            take_average(net, average, batches.epoch(recipe.epochs), recipe.seed)
                        results.update(end_float(net, pack, halves, preprocess, fabric.device,
                                                 folder if chief else None))
                    elif started is not None and started.get("fusion_weights") is not None:
                        net.fix_fusion(started["fusion_weights"])
                    net.quantize()
                objective = Objective(net, recipe, dtype, distiller)
                optimiser = optimiser_of(net, recipe, stage)
                others = other_optimisers(net, recipe) | (distiller.optimisers() if distiller else {})
                companions: dict[str, nn.Module] = {FTM: distiller.ftm} if distiller else {}
                if average is not None and stage == "float":
                    companions[AVERAGE] = average
                if started is not None and first:
                    load_checkpoint(checkpoint, net, optimiser, others, companions)
                    net.set_scales(started["scales"])
                model, wrapped, *further = fabric.setup(objective, optimiser, *others.values())
                for epoch in range(first, epochs):
                    tick = time.perf_counter()
                    net.steps = recipe.steps_at(stage, epoch)
                    bar = progress.epoch(f"{stage} {epoch + 1}/{epochs}", len(batches))
                    row = train_epoch(fabric, model, objective.names, wrapped, dict(zip(others, further)), batches,
                                      recipe, stage, epoch, epochs, bar,
                                      after if stage == "float" and epoch >= recipe.averaged_from else None)
                    correct = predictions(net, val, fabric.device) == pack.labels[halves.val]
                    row["val_accuracy"] = float(correct.mean()) if len(val) else math.nan
                    row["seconds"] = time.perf_counter() - tick
                    log.write(stage, epoch, row)
                    progress.report(stage, epoch + 1, epochs, row, recipe.tune_epochs if stage == "float" else 0)
                    if chief:
                        save_checkpoint(checkpoint, net, optimiser, {
                            "stage": stage, "epoch": epoch,
                            "options": {name: getattr(options, name) for name in STORED},
                            "recipe": recipe.to_dict(), "results": results, "scales": net.scales(),
                            "fusion_weights": net.fusion_weights}, others, companions)
                    fabric.barrier()
        if chief:
            about = {"preset": options.name(), "data": name_of(options.data), "recipe": json.dumps(recipe.to_dict()),
                     "commit": describe_commit(), **options.lineage()}
            if net.fusion_weights is not None:
                about["fusion"] = recipe.to_dict()["fusion"]
            choose = recipe.tune_epochs > 0 and recipe.integers == "agreeing"
            results = export(folder, net.cpu(), pack, halves, preprocess, results, about, choose)
            report(folder, options, net, halves, results, console)


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
    if "integers" in results:
        console.print(f"{results['integers']} integers: of the training samples {results['agreement_tuned']:.2%} "
                      f"(fine-tuned) and {results['agreement_rounded']:.2%} (rounded alone) are predicted as in float")
    console.print(f"mean firing rate {results['mean_rate']:.3f}")
    if obstacles:
        console.print(f"wrote {folder / WEIGHTS}; no {NET}, because {', '.join(obstacles)}: "
                      + "; ".join(sorted(set(obstacles.values()))))
        return
    console.print(f"wrote {folder / NET}", markup=False, soft_wrap=True)
    print_command(console, "python", "deploy/run_lava.py", "--net", folder / NET,
                  *(("--data", options.data) if options.data != SYNTHETIC else ()))


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
