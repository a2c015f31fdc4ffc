"""Train a spiking graph network on skeletons and export it as mksgn.net.

    python train/train_slayer.py                                    # the demo: synthetic skeletons, four minutes
    python train/train_slayer.py --preset mksgn --data nw_ucla.npz  # MK-SGN, joint modality

Presets
    demo       shows that everything works: a small MK-SGN on synthetic skeletons;
               3 to 4 minutes on two cores; 98 % on the synthetic test split
    mksgn      six layers with spiking attention, half the paper's widths;
               on NW-UCLA about 45 minutes on two cores, 87 % (see models/nw-ucla-joint)
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

The run has two stages: floating point, then batch norm is folded, everything is rounded to the
chip's integers and the integers are fine-tuned. What is evaluated last, by the integer emulator,
is exactly what mksgn.net holds. Every epoch leaves a checkpoint; --resume continues a killed run
to the same weights, bit for bit, on CPU with the same number of threads.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import platform
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
from torch import Tensor, nn
from torch.utils.tensorboard.writer import SummaryWriter

from mksgn.cli import describe_commit, exit_on_error, progress_bar
from mksgn.data.pack import Pack
from mksgn.data.readers import read
from mksgn.data.splits import Split, split
from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.errors import ConfigError
from mksgn.lower import to_graph
from mksgn.netx import write_net
from mksgn.nn import SpikingGraphNet
from mksgn.training.batches import Batches, preprocessed
from mksgn.training.checkpoint import load_checkpoint, read_state, save_checkpoint, save_network
from mksgn.training.recipe import PRESETS, Recipe

SYNTHETIC = "synthetic"
CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Options:
    """Train a spiking graph network on skeletons and export it as mksgn.net."""

    preset: Literal["demo", "base-sgn", "mksgn", "spike-driven", "spikformer", "spike-driven-256",
                    "spikformer-256"] = "demo"
    """Recipe to start from; the options below change parts of it."""
    data: str = SYNTHETIC
    """A canonical pack or CTR-GCN .npz, a folder of NW-UCLA .json or NTU .skeleton files, or 'synthetic'."""
    protocol: str | None = None
    """Split: nw-ucla-xview, ntu60-xsub, ntu60-xview, ntu120-xsub, ntu120-xset; default: what the data's ids say."""
    out: Path | None = None
    """Folder for the checkpoint, mksgn.net, metrics.jsonl and TensorBoard events; default: runs/PRESET, numbered."""
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
    modality: Literal["joint", "bone", "joint-motion", "bone-motion"] | None = None
    """Input of the spike coder."""
    graph_conv: Literal["layer", "fused"] | None = None
    """Joint mixing as a population of its own, or inside one synapse."""
    rate_weight: float | None = None
    """Weight of the firing-rate regularisation."""
    dropout: float | None = None
    """On the spikes before the classifier."""
    val_subjects: Annotated[tuple[int, ...] | None, tyro.conf.arg(metavar="[INT [INT ...]]")] = None
    """Training subjects held out for validation. Give it without numbers to train on all of them."""
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
                 "modality", "graph_conv", "rate_weight", "dropout", "val_subjects", "seed")
        recipe = PRESETS[self.preset].with_options(**{name: getattr(self, name) for name in names})
        if self.widths is not None and len(self.widths) != len(recipe.strides):
            raise ConfigError("widths do not fit the preset", where="--widths", got=str(self.widths),
                              allowed=f"{len(recipe.strides)} numbers")
        return recipe


class Trainee(nn.Module):
    """Network and loss in one module, so that distributed training sees tensors only."""

    def __init__(self, net: SpikingGraphNet, recipe: Recipe, dtype: torch.dtype) -> None:
        super().__init__()
        self.net, self.recipe, self.dtype = net, recipe, dtype

    def forward(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out = self.net(x, dtype=self.dtype)
        loss = nn.functional.cross_entropy(out.logits, labels, label_smoothing=self.recipe.label_smoothing)
        excess = torch.stack([torch.relu(rate - self.recipe.rate_target) for rate in out.rates.values()]).mean()
        correct = (out.logits.argmax(1) == labels).float().mean()
        return loss + self.recipe.rate_weight * excess, correct.detach(), out.rate.detach()


def learning_rate(recipe: Recipe, stage: str, part: float) -> float:
    """Learning rate after ``part`` (0..1) of a stage: one cycle in floating point, a cosine in fine-tuning."""
    if stage == "tune":
        return recipe.tune_lr * 0.5 * (1 + math.cos(math.pi * part))
    rise = 0.1
    if part < rise:
        return recipe.lr * (0.04 + 0.96 * part / rise)
    return recipe.lr * (1e-3 + (1 - 1e-3) * 0.5 * (1 + math.cos(math.pi * (part - rise) / (1 - rise))))


@torch.no_grad()
def right(net: SpikingGraphNet, samples: np.ndarray, labels: np.ndarray, device: torch.device) -> np.ndarray:
    """Which samples the network as it is, in float32, predicts as labelled: bool (N,)."""
    if not len(samples):
        return np.zeros(0, bool)
    net.eval()
    predictions = [net(torch.from_numpy(part).to(device)).logits.argmax(1).cpu().numpy()
                   for part in np.array_split(samples, max(1, len(samples) // 64))]
    net.train()
    return np.concatenate(predictions) == labels


def accuracies(kind: str, correct: np.ndarray, halves: Split) -> dict[str, float]:
    """Top-1 on the test split and, where the pack marks copies of training sequences, without them."""
    result = {f"accuracy_{kind}": float(correct.mean())}
    if halves.clean is not None:
        result[f"accuracy_{kind}_clean"] = float(correct[np.isin(halves.test, halves.clean)].mean())
    return result


def train_epoch(fabric: Fabric, model: nn.Module, optimiser, batches: Batches, recipe: Recipe, stage: str, epoch: int,
                epochs: int, bar) -> dict[str, float]:
    """One epoch; returns its mean loss, accuracy and firing rate."""
    torch.manual_seed(recipe.seed * 100_003 + epoch)
    totals = torch.zeros(3)
    for step, (x, labels) in enumerate(batches.epoch(epoch)):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(recipe, stage, (epoch + step / len(batches)) / epochs)
        loss, correct, rate = model(x.to(fabric.device), labels.to(fabric.device))
        fabric.backward(loss)
        fabric.clip_gradients(model, optimiser, max_norm=5.0, error_if_nonfinite=True)
        optimiser.step()
        optimiser.zero_grad()
        totals += torch.stack([loss.detach(), correct, rate]).cpu()
        mean = totals / (step + 1)
        bar.advance(loss=mean[0].item(), accuracy=mean[1].item(), rate=mean[2].item())
    means = fabric.all_reduce(totals / len(batches))
    assert isinstance(means, Tensor)
    return dict(zip(("loss", "accuracy", "rate"), means.tolist()))


def optimiser_of(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW with weight decay on weights only."""
    trained = [p for p in net.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [{"params": [p for p in trained if p.dim() > 1]},
                                    {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.lr, weight_decay=recipe.weight_decay)


def choose_precision(precision: str, device: torch.device) -> torch.dtype:
    """bfloat16 where the machine multiplies it natively."""
    if precision == "auto":
        flags = Path("/proc/cpuinfo").read_text() if platform.system() == "Linux" else ""
        native = "amx_bf16" in flags or "avx512_bf16" in flags
        if device.type == "cuda":
            native = torch.cuda.is_bf16_supported()
        precision = "bf16" if native else "fp32"
    return torch.bfloat16 if precision == "bf16" else torch.float32


def load_data(options: Options) -> Pack:
    return synthetic_pack() if options.data == SYNTHETIC else read(options.data)


def main(options: Options) -> None:
    console = Console()
    folder = options.folder()
    checkpoint = folder / CHECKPOINT
    started = None
    if options.resume:
        started = read_state(checkpoint)
        stored: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in started["options"].items()}
        if options.tune_epochs is not None:
            stored["tune_epochs"] = options.tune_epochs
        options = replace(options, **stored)
    recipe = options.recipe()
    torch.set_flush_denormal(True)
    accelerator = options.device if options.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise ConfigError("no CUDA device was found", where="--device", got="cuda", allowed="cpu, auto")
    # torchrun has started the processes already, and says how many.
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", options.devices))
    nodes = int(os.environ.get("WORLD_SIZE", devices)) // devices
    fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes,
                    strategy="ddp" if devices * nodes > 1 else "auto")
    fabric.launch()
    dtype = choose_precision(options.precision, fabric.device)

    pack = load_data(options)
    halves = split(pack, options.protocol, val_subjects=recipe.val_subjects, seed=recipe.seed)
    preprocess = recipe.preprocess(pack)
    batches = Batches(pack, halves.train, preprocess, recipe.augmentation(pack), batch=recipe.batch,
                      passes=recipe.passes, seed=recipe.seed, rank=fabric.global_rank, world=fabric.world_size)
    val = preprocessed(pack, halves.val, preprocess) if len(halves.val) else np.empty((0,))
    fabric.seed_everything(recipe.seed)
    net = SpikingGraphNet(recipe.net_config(pack))
    chief = fabric.global_rank == 0
    if chief:
        folder.mkdir(parents=True, exist_ok=True)
        parameters = sum(p.numel() for p in net.parameters() if p.requires_grad)
        console.print(f"[bold]{recipe.network}[/] {recipe.widths}, T = {recipe.time_steps}, {parameters:,} parameters; "
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
                    correct = right(net, *test_set(pack, halves.test, preprocess), fabric.device)
                    results.update(accuracies("float", correct, halves))
                    if chief:
                        save_network(folder / "float.safetensors", net)
                net.quantize()
            trainee = Trainee(net, recipe, dtype)
            optimiser = optimiser_of(net, recipe)
            if started is not None and first:
                load_checkpoint(checkpoint, net, optimiser)
                net.set_scales(started["scales"])
            model, wrapped = fabric.setup(trainee, optimiser)
            for epoch in range(first, epochs):
                tick = time.perf_counter()
                net.steps = recipe.steps_at(stage, epoch)
                bar = progress.epoch(f"{stage} {epoch + 1}/{epochs}", len(batches))
                row = train_epoch(fabric, model, wrapped, batches, recipe, stage, epoch, epochs, bar)
                correct = right(net, val, pack.labels[halves.val], fabric.device)
                row["val_accuracy"] = float(correct.mean()) if len(val) else math.nan
                row["seconds"] = time.perf_counter() - tick
                log.write(stage, epoch, row)
                progress.report(stage, epoch + 1, epochs, row)
                if chief:
                    kept = {k: v for k, v in vars(options).items() if k not in ("out", "overwrite", "resume")}
                    save_checkpoint(checkpoint, net, optimiser, {
                        "stage": stage, "epoch": epoch, "options": kept, "results": results, "scales": net.scales()})
                fabric.barrier()
    if chief:
        export(folder, options, recipe, net.cpu(), pack, halves, preprocess, results, console)


def test_set(pack: Pack, indices: np.ndarray, preprocess) -> tuple[np.ndarray, np.ndarray]:
    return preprocessed(pack, indices, preprocess), pack.labels[indices]


def export(folder: Path, options: Options, recipe: Recipe, net: SpikingGraphNet, pack: Pack, halves: Split, preprocess,
           results: dict[str, float], console: Console) -> None:
    """Evaluate the integers once, on the test split, and write them: mksgn.net where the network has a graph."""
    samples, labels = test_set(pack, halves.test, preprocess)
    obstacles = net.obstacles()
    correct, rate = torch_integers(net, samples, labels) if obstacles else emulated_integers(net, samples, labels)
    results.update(accuracies("integer", correct, halves))
    if not obstacles:
        graph = to_graph(net, meta={
            "preset": options.preset, "data": Path(options.data).name, "protocol": halves.protocol,
            "preprocess": preprocess.to_json(), "labels": list(pack.class_names),
            "edges": pack.edges.flatten().tolist(), "joints": pack.body.num_joints,
            "recipe": json.dumps(recipe.to_dict()), "commit": describe_commit(),
            "test_samples": len(labels), "mean_rate": rate, **results})
        write_net(graph, folder / "mksgn.net")
    save_network(folder / "weights.safetensors", net)
    log_line = {"final": results, "test_samples": len(labels), "mean_rate": rate}
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(log_line) + "\n")
    by = "torch" if obstacles else "emulator"
    for kind, name in (("float", "float"), ("integer", f"integers ({by})")):
        line = f"test accuracy, {len(labels)} samples: {name} {results[f'accuracy_{kind}']:.2%}"
        if halves.clean is not None:
            line += f", clean subset of {len(halves.clean)} {results[f'accuracy_{kind}_clean']:.2%}"
        console.print(line)
    console.print(f"mean firing rate {rate:.3f}")
    if obstacles:
        console.print(f"wrote {folder / 'weights.safetensors'}; no mksgn.net, because {', '.join(obstacles)}: "
                      + "; ".join(sorted(set(obstacles.values()))))
        return
    console.print(f"wrote {folder / 'mksgn.net'}\n"
                  f"next:  python deploy/run_lava.py --net {folder / 'mksgn.net'}"
                  + (f" --data {options.data}" if options.data != SYNTHETIC else ""))


def emulated_integers(net: SpikingGraphNet, samples: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Which samples are predicted as labelled, bool (N,), and the mean firing rate, by the integer emulator."""
    graph = to_graph(net)
    with Emulator(graph) as emulator:
        run = emulator.run(samples)
    rates = [run.counts.rate(p.name) for p in graph.populations if p.role == "hidden"]
    return run.predictions == labels, float(np.mean(rates))


@torch.no_grad()
def torch_integers(net: SpikingGraphNet, samples: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """As :func:`emulated_integers` for a network that has no graph: the quantised network itself, in float32."""
    net.eval()
    predictions, fired = [], 0.0
    for part in np.array_split(samples, max(1, len(samples) // 64)):
        out, spikes = net.forward_spikes(torch.from_numpy(part))
        predictions.append(out.logits.argmax(1).numpy())
        fired += float(np.mean([spikes[name].mean().item() for name in net.names])) * len(part)
    return np.concatenate(predictions) == labels, fired / len(samples)


class RunLog:
    """metrics.jsonl and TensorBoard events; on resume, lines after the checkpoint are dropped first."""

    def __init__(self, folder: Path, enabled: bool, keep: tuple[str, int] | None) -> None:
        self.path, self.enabled = folder / "metrics.jsonl", enabled
        if not enabled:
            return
        lines = self.path.read_text().splitlines() if keep and self.path.exists() else []
        kept = []
        for line in lines:
            row = json.loads(line)
            if "stage" not in row:
                continue
            kept.append(line)
            if (row["stage"], row["epoch"]) == keep:
                break
        self.path.write_text("".join(line + "\n" for line in kept))
        self.events = SummaryWriter(str(folder / "events"))

    def write(self, stage: str, epoch: int, row: dict[str, float]) -> None:
        if not self.enabled:
            return
        clean = {k: None if math.isnan(v) else v for k, v in row.items()}
        with self.path.open("a") as file:
            file.write(json.dumps({"stage": stage, "epoch": epoch, **clean}) + "\n")
        for name, value in row.items():
            if not math.isnan(value):
                self.events.add_scalar(f"{stage}/{name}", value, epoch)
        self.events.flush()


if __name__ == "__main__":
    with exit_on_error():
        main(tyro.cli(Options, description=__doc__))
    sys.exit(0)
