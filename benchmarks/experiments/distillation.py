"""Measure what distillation costs: a training step of the student alone, and taught in each of the ways there are.

    python benchmarks/experiments/distillation.py                      # MK-SGN, four CTR-GCN streams of width 32
    python benchmarks/experiments/distillation.py --base-channels 64   # of the published width
    python benchmarks/experiments/distillation.py --json cost.json

The weights are random and the skeletons synthetic: the cost does not depend on either. Times are processor seconds of
this process, so that other programs on the machine disturb them little; the median over the rounds is shown.
"""

from __future__ import annotations

import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from mksgn.limits import Limit, check_limits, check_number
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse


@dataclass(frozen=True)
class Options:
    """Measure what distillation costs beside a training step of the student."""

    base_channels: int = 32
    """Width of the teachers' first layers: ours have 32, the published ones 64."""
    widths: tuple[int, ...] | None = None
    """Channels of the student's layers. Default, as of the next three: what the preset mksgn has."""
    frames: int | None = None
    """Video frames of student and teachers."""
    time_steps: int | None = None
    """T."""
    batch: int | None = None
    """Samples per step."""
    rounds: int = 5
    """Measured rounds, after one that warms up."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Arithmetic of the step."""
    json: Path | None = None
    """Write the numbers here."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import torch
from torch import Tensor

from mksgn.data.pack import Pack
from mksgn.data.preprocess import MODALITIES, Preprocess
from mksgn.data.splits import split
from mksgn.data.synthetic import synthetic_pack
from mksgn.programs.outputs import check_writable, write_json
from mksgn.teachers.weights import TeacherConfig, save_teacher
from mksgn.training.batches import Batches
from mksgn.training.distill import Distillation
from mksgn.training.distiller import Distiller
from mksgn.training.frozen_teachers import Teachers
from mksgn.training.recipe import PRESETS, Recipe
from mksgn.training.run_files import WEIGHTS

STUDENT = ("widths", "frames", "time_steps", "batch")
"""Options that change the preset."""
WAYS = {
    "cached logits": Distillation(soft_labels="cached", gamma=(1.0, 1.0, 0.0)),
    "online soft labels": Distillation(gamma=(1.0, 1.0, 0.0)),
    "online soft labels and features": Distillation(),
}


def untrained_teachers(options: Options, recipe: Recipe, pack: Pack, folder: Path) -> Teachers:
    """Four fresh CTR-GCNs, as finished runs."""
    config = TeacherConfig(network="ctr-gcn", body=pack.body, classes=len(pack.class_names),
                            base_channels=options.base_channels)
    for modality in MODALITIES:
        (folder / modality).mkdir()
        preprocess = Preprocess(frames=recipe.frames, modality=modality)
        save_teacher(folder / modality / WEIGHTS, config.build(), config, {
            "modality": modality, "preprocess": preprocess.to_json(), "data": "synthetic", "protocol": "synthetic",
            "labels": pack.class_names, "test": {"accuracy": 0.0}})
    return Teachers([folder / modality for modality in MODALITIES])


def steps(options: Options, recipe: Recipe, pack: Pack, teachers: Teachers) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Names and calls of what is measured."""
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[options.precision]
    halves = split(pack)
    augment = recipe.augmentation(pack)
    views = teachers.views(pack, augment)
    alone, taught = (Batches(pack, halves.train, recipe.preprocess(pack), augment, batch=recipe.batch, extra=extra)
                     for extra in (None, views))
    x, labels, *seen = next(taught.epoch(0))
    recorded = [torch.zeros(len(x), len(MODALITIES), len(pack.class_names))]
    net = recipe.untrained(pack)
    optimiser = torch.optim.AdamW(p for p in net.parameters() if p.requires_grad)

    def step(loss_of: Callable[[], Tensor], *optimisers: torch.optim.Optimizer) -> None:
        loss_of().backward()
        for each in (optimiser, *optimisers):
            each.step()
            each.zero_grad()

    yield "batch of the student", lambda: next(alone._prepare(0))
    yield "batch with the teachers' views", lambda: next(taught._prepare(0))
    yield "student alone", lambda: step(lambda: torch.nn.functional.cross_entropy(net(x, dtype=dtype).logits, labels))
    yield "teachers, forward", lambda: teachers(seen, dtype=dtype)
    for name, choice in WAYS.items():
        distiller = Distiller(choice, teachers, net)
        given = recorded if choice.soft_labels == "cached" else seen

        def loss_of(distiller: Distiller = distiller, given: list[Tensor] = given) -> Tensor:
            _, spikes = net.forward_spikes(x, dtype=dtype)
            step_logits = net.readout.step_logits(spikes, net.steps)
            return distiller(spikes, step_logits, labels, given, smoothing=0.0, dtype=dtype)[0]

        yield name, partial(step, loss_of, *distiller.optimisers().values())


def measured(call: Callable[[], Any], rounds: int) -> float:
    """Median processor seconds of a call."""
    times = []
    for _ in range(rounds + 1):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return statistics.median(times[1:])


def main(options: Options) -> None:
    console = Console()
    check_limits(options)
    check_number("--rounds", options.rounds, Limit(1, whole=True))
    if options.json is not None:
        check_writable(options.json, "--json")
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    recipe = PRESETS["mksgn"].with_options(**{name: getattr(options, name) for name in STUDENT})
    pack = synthetic_pack(max(3 * recipe.batch, 240))
    with tempfile.TemporaryDirectory() as folder:
        teachers = untrained_teachers(options, recipe, pack, Path(folder))
        rows = {name: measured(call, options.rounds) for name, call in steps(options, recipe, pack, teachers)}
    table = Table(title=f"batch {recipe.batch}, T = {recipe.network.time_steps}, {recipe.frames} frames, "
                        f"teachers' width {options.base_channels}, {options.precision}, "
                        f"{torch.get_num_threads()} threads, {platform.machine()}")
    table.add_column("")
    table.add_column("processor ms", justify="right")
    table.add_column("x student alone", justify="right")
    for name, seconds in rows.items():
        table.add_row(name, f"{1000 * seconds:.0f}", f"{seconds / rows['student alone']:.2f}")
    print_table(console, table)
    if options.json is not None:
        used = {**vars(options), **{name: recipe.to_dict()[name] for name in STUDENT}}
        write_json(options.json, {"options": {k: v for k, v in used.items() if k != "json"},
                                  "seconds": rows, "threads": torch.get_num_threads()})


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
