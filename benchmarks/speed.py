"""How fast training, emulator and Lava are beside the stock stack, each pair measured in one run.

    python benchmarks/speed.py --data nw_ucla.npz                  # everything: about 12 minutes on two cores
    python benchmarks/speed.py --quick                             # under 3 minutes: five sections, fewer rounds
    python benchmarks/speed.py --only training neuron              # some of it
    python benchmarks/speed.py --json speed.json --results benchmarks/results

What is compared takes turns (ours, baseline, ours, ...), several steps each, so that a noisy machine disturbs both
alike; a ratio is that of the medians. Absolute times say
little beyond the machine they are printed with. Training takes the precision that train_slayer.py would choose here.

    bound      what the machine can do at most: reading and writing memory, multiply-adds of a large matrix product
    training   forward, loss and backward of MK-SGN, half the paper's widths: ours, stock SLAYER blocks, SpikingJelly
               (torch backend; `pip install -e .[bench]`), the same network, weights, samples and loss,
               each in a process of its own, so that none pays for memory that another gave back
    company    an epoch of the demo's training while another training runs beside it, against one alone
    neuron     FastNeuron against slayer.neuron.cuba.Neuron, forward and backward
    kernels    the emulator's two ways, event and dense, over firing rates
    emulator   samples per second against stock Lava; the whole test set; the same dense operations as float32
    lava       time per step of the net: our Blocks, our ProcessModels, Lava's own
    full       MK-SGN of the paper's widths (Table 7), 64 frames x 25 joints, T = 4, untrained: start, step, memory
    scaling    emulator time over samples, frames, width, T; Lava step over blocks (SVG)
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from rich.console import Console
from rich.table import Table

from mksgn.data.sources import SYNTHETIC, load
from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

ROOT = Path(__file__).resolve().parent.parent
PAIR = ROOT / "models" / "nw-ucla" / "mksgn.net"
"""The net that we ship for accuracy."""
Section = Literal["bound", "training", "company", "neuron", "kernels", "emulator", "lava", "full", "scaling"]
SECTIONS: tuple[Section, ...] = (
    "bound", "training", "company", "neuron", "kernels", "emulator", "lava", "full", "scaling")
SLOW: tuple[Section, ...] = ("company", "lava", "full", "scaling")
"""Measured with --quick only when --only names them."""


@dataclass(frozen=True)
class Options:
    """How fast training, emulator and Lava are beside the stock stack, each pair measured in one run."""

    net: Path = ROOT / "models" / "nw-ucla-joint" / "mksgn.net"
    """The net that emulator and Lava run."""
    data: str = SYNTHETIC
    """Where its samples come from; synthetic skeletons fit the shipped net's body."""
    only: tuple[Section, ...] | None = None
    """Sections to measure; default: all, or the five of --quick."""
    quick: bool = False
    """Fewer rounds and smaller batches; without --only: bound, training, neuron, kernels, emulator,
    under 3 minutes."""
    threads: int = 0
    """CPU threads of torch and numba; 0: what torch takes by itself."""
    json: Path | None = None
    """Write the rows here."""
    results: Path | None = None
    """Write speed.md and the scaling curves (SVG) into this folder."""

    @property
    def sections(self) -> tuple[Section, ...]:
        return self.only or tuple(name for name in SECTIONS if not self.quick or name not in SLOW)

    @property
    def rounds(self) -> int:
        return 2 if self.quick else 5


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import numpy as np
import torch
from _speed_baselines import HAS_SPIKINGJELLY
from _speed_dense import dense_operations
from _speed_report import Curve, Rows, draw, machine, markdown, short, take_turns
from _speed_sizes import full, lava_step, scaling
from _speed_step import MEASURED, STACKS, seconds, shape

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.splits import evenly, split
from mksgn.emulator import Emulator
from mksgn.ir import Conv, Cuba, Graph, Population
from mksgn.lava.backend import LavaBackend
from mksgn.netx import read_net
from mksgn.nn.lava_dl import slayer
from mksgn.nn.slayer_neuron import FastNeuron
from mksgn.programs.outputs import write_json, write_text
from mksgn.training.batches import preprocessed
from mksgn.training.devices import choose_precision


def bound(options: Options, rows: Rows) -> None:
    """Memory far beyond the caches, and matrix products, with the threads of the other sections."""
    memory = torch.ones(1 << 26)
    for what, use in (("reading", memory.sum), ("writing", partial(memory.fill_, 2.0))):
        seconds = statistics.median(take_turns({what: use}, options.rounds + 3)[what])
        rows.add(f"machine: {what} memory", memory.numel() * memory.element_size() / seconds / 1e9, "GB/s")
    # bfloat16 only where training takes it: a processor without such units needs minutes for one product.
    short = choose_precision("auto", torch.device("cpu"), max(MEASURED.network.widths))
    for dtype in dict.fromkeys((torch.float32, short)):
        name = str(dtype).removeprefix("torch.")
        matrix = torch.rand(2048, 2048).to(dtype)
        seconds = statistics.median(take_turns({name: partial(torch.mm, matrix, matrix)}, options.rounds)[name])
        rows.add(f"machine: multiply-adds of a matrix product in {name}", len(matrix) ** 3 / seconds / 1e9, "G/s")


def training(options: Options, rows: Rows, pack: Pack) -> None:
    """One training step (batch 32; 8 with --quick) of all stacks on the same weights, in turns, a process for each."""
    batch, calls = (8, 2) if options.quick else (32, 3)
    stacks = [stack for stack in STACKS if stack != "SpikingJelly" or HAS_SPIKINGJELLY]
    times: dict[str, list[float]] = {stack: [] for stack in stacks}
    for _ in range(1 if options.quick else 3):
        for stack in stacks:
            times[stack] += seconds(stack, data=options.data, batch=batch, calls=calls, threads=options.threads)
    dtype = str(choose_precision("auto", torch.device("cpu"), max(MEASURED.network.widths))).removeprefix("torch.")
    what = f"training step ({shape(pack, batch)}), synapses in {dtype}"
    rows.pair(what, times, "ours", "stock SLAYER", 6.5)
    if HAS_SPIKINGJELLY:
        rows.pair(what, times, "ours", "SpikingJelly", 2.8)
    else:
        rows.console.print("SpikingJelly is not installed: its row is missing (pip install -e .[bench])", markup=False)
    rows.pair(f"fine-tuning step of the integers, spikes and gradients in {dtype}, beside a step in floating point",
              times | {"floating point": times["ours"]}, "fine-tuning", "floating point", 1.3, at_most=True)


def company(rows: Rows) -> None:
    """Seconds of an epoch of train_slayer.py's demo, alone and two at once: one process each, as a user starts them."""
    with TemporaryDirectory() as scratch:
        alone = epochs_beside(1, Path(scratch))
        both = epochs_beside(2, Path(scratch))
    rows.pair("an epoch of the demo's training, two trainings at once", {"two at once": both, "one alone": alone},
              "two at once", "one alone", 2.2, at_most=True)


def epochs_beside(count: int, scratch: Path) -> list[float]:
    """Seconds of every epoch but the first, of ``count`` trainings at once."""
    folders = [scratch / f"{count}-{number}" for number in range(count)]
    programs = [subprocess.Popen([sys.executable, str(ROOT / "train" / "train_slayer.py"), "--epochs", "3",
                                  "--tune-epochs", "0", "--out", str(folder)], stdout=subprocess.DEVNULL)
                for folder in folders]
    try:
        if any([program.wait() for program in programs]):
            raise ConfigError("a training of the demo failed", where="train/train_slayer.py")
    finally:
        for program in programs:
            program.kill()
    lines = [json.loads(line) for folder in folders for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["seconds"] for line in lines if line.get("stage") == "float" and line["epoch"] > 0]


def respond(neuron: torch.nn.Module, x: torch.Tensor, grad: torch.Tensor) -> None:
    """Forward and backward of a neuron, without adding the gradient to anything."""
    torch.autograd.grad(neuron(x), x, grad)


def neuron(options: Options, rows: Rows) -> None:
    """The neuron alone, forward and backward, by its time step count."""
    for steps in (4,) if options.quick else (4, 16):
        x = torch.randn(8, 64, 32, 20, steps, requires_grad=True)
        grad = torch.randn_like(x)
        parameters = {"threshold": 1.0, "current_decay": 1.0, "voltage_decay": 0.75}
        neurons = {"ours": FastNeuron(**parameters), "stock SLAYER": slayer.neuron.cuba.Neuron(**parameters)}
        # Several calls a turn: milliseconds would measure what the other one left in the caches.
        times = take_turns({name: partial(respond, n, x, grad) for name, n in neurons.items()}, options.rounds + 2,
                           calls=10)
        rows.pair(f"neuron alone, forward + backward, {x.numel() // steps:,} neurons x {steps} steps", times, "ours",
                  "stock SLAYER", 10.0)


def kernels(options: Options, rows: Rows) -> None:
    """The emulator's two ways, a convolution and its neurons, over firing rates: the same integers."""
    rng = np.random.default_rng(0)
    shape = (channels, *_) = (64, 32, 20)
    neurons = Cuba(1, 4096, 4096)
    populations = (Population("a", shape, role="input"), *(Population(name, shape, neurons) for name in "bc"))
    copy = Conv("r", ("a",), "b", np.full((channels, 1, 1, 1), 2, np.int16), groups=channels)
    for taps in (9, 1):
        weight = (2 * rng.integers(-127, 128, (channels, channels, taps, 1))).astype(np.int16)
        graph = Graph(populations, (copy, Conv("s", ("b",), "c", weight, padding=(taps // 2, 0))), 1)
        for rate in (0.01, 0.05, 0.15, 0.4):
            x = (rng.random((32, *shape)) < rate).astype(np.int8)
            with Emulator(graph) as event, Emulator(graph, kernel="dense") as dense:
                times = take_turns({"event": partial(event.run, x), "dense": partial(dense.run, x)}, options.rounds)
            rows.pair(f"emulator, {taps}x1 convolution, 64 -> 64 channels, 32 images, {rate:.0%} of inputs spike",
                      times, "event", "dense", None)


def test_samples(options: Options, pack: Pack, graph: Graph, count: int) -> np.ndarray:
    """Preprocessed test samples, evenly spread; 0: all."""
    test = split(pack, val_subjects=()).test
    return preprocessed(pack, evenly(test, count), Preprocess.from_json(str(graph.meta["preprocess"])))


def lava(options: Options, rows: Rows, graph: Graph, pack: Pack) -> None:
    """Wall step and samples per second of the net, our layouts against Lava's own models."""
    few = test_samples(options, pack, graph, 1 if options.quick else 2)
    many = test_samples(options, pack, graph, 8 if options.quick else 24)
    variants: dict[str, Callable[[], tuple[float, LavaBackend]]] = {
        "blocks": lambda: lava_step(graph, many, "blocks"),
        "layers": lambda: lava_step(graph, few, "layers"),
        "stock Lava, Conv": lambda: lava_step(graph, few, "stock", unroll_limit=0),
        "stock Lava, unrolled to Sparse": lambda: lava_step(graph, few, "stock"),
    }
    if options.quick:
        del variants["layers"], variants["stock Lava, unrolled to Sparse"]
    times: dict[str, list[float]] = {name: [] for name in variants}
    starts: dict[str, list[float]] = {name: [] for name in variants}
    processes: dict[str, int] = {}
    for _ in range(1 if options.quick else 2):
        for name, run in variants.items():
            seconds, backend = run()
            times[name].append(seconds)
            starts[name].append(backend.effort.start_s)
            processes[name] = backend.effort.os_processes
    rows.pair("Lava, one time step of the net, Blocks", times, "blocks", "stock Lava, Conv", 20.0)
    for name in variants:
        if name not in ("blocks", "stock Lava, Conv"):
            rows.pair("Lava, one time step of the net, Blocks", times, "blocks", name, None)
    if "layers" in times:
        rows.pair("Lava, one time step of the net, our ProcessModels in the stock graph", times, "layers",
                  "stock Lava, Conv", None)
    for name in variants:
        rows.add(f"Lava, OS processes, {name}", processes[name], "processes")
        rows.add(f"Lava, start-up, {name}", statistics.median(starts[name]), "s")
    # Steady state, so without the stock simulator's start and the filling of its pipeline.
    samples = test_samples(options, pack, graph, 64)
    with Emulator(graph) as emulator:
        each = [t / len(samples) for t in take_turns({"e": lambda: emulator.run(samples)}, options.rounds)["e"]]
    stock = [t * (graph.time_steps or 1) for t in times["stock Lava, Conv"]]
    rows.pair("emulator, seconds per sample (Lava: steady state)", {"emulator": each, "stock Lava, Conv": stock},
              "emulator", "stock Lava, Conv", 1000.0)
    blocks = [t * (graph.time_steps or 1) for t in times["blocks"]]
    rows.pair("emulator, seconds per sample (Blocks: steady state)", {"emulator": each, "our Blocks": blocks},
              "emulator", "our Blocks", None)


def emulator(options: Options, rows: Rows, graph: Graph, pack: Pack) -> None:
    """The whole test set in a process of its own, and the dense operations."""
    if not options.quick:
        program = [sys.executable, str(ROOT / "deploy" / "run_lava.py"), "--net", str(options.net),
                   "--data", options.data, "--backend", "emulator"]
        seconds, peak = [], 0.0
        for _ in range(3):
            began = time.perf_counter()
            with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
                while child.poll() is None:
                    peak = max(peak, high_water(child.pid))
                    time.sleep(0.05)
                if child.returncode:
                    raise ConfigError("the emulator's run failed", got=child.communicate()[0][-1000:])
            seconds.append(time.perf_counter() - began)
        took = statistics.median(seconds)
        count = len(test_samples(options, pack, graph, 0))
        rows.add(f"emulator, whole test set of {count}, program start included", took, "s", target="<= 60",
                 met=took <= 60, spread=f"{min(seconds):.3g}..{max(seconds):.3g}")
        rows.add("emulator, its peak memory", peak, "GB", target="<= 2", met=peak <= 2)
    for net in dict.fromkeys((options.net, PAIR)):
        graph = read_net(net)
        samples = test_samples(options, pack, graph, 64 if options.quick else 128)
        dense = dense_operations(graph, samples)
        with Emulator(graph) as backend:
            times = take_turns({"emulator": partial(backend.run, samples), "dense float32": dense}, options.rounds + 2)
        rows.pair(f"emulator beside its dense operations in float32, {net.parent.name}, {len(samples)} samples", times,
                  "emulator", "dense float32", 2.0 if net == PAIR else None)


def high_water(pid: int) -> float:
    """Most memory a running process has had, GB. (Its parent's resource usage would count the parent's too.)"""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("VmHWM")), 0.0)


def main(options: Options) -> int:
    console = Console()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    for path in (options.results, options.json.parent if options.json else None):
        if path is not None and not path.is_dir():
            raise ConfigError("this folder does not exist", where=str(path), fix="make it first")
    pack = load(options.data)
    graph = read_net(options.net)
    where = machine()
    console.print(", ".join(f"{key} {value}" for key, value in where.items()), markup=False)
    rows = Rows(console)
    curves: list[Curve] = []
    chosen = [name for name in SECTIONS if name in options.sections]
    for number, name in enumerate(chosen, start=1):
        console.rule(f"{number}/{len(chosen)} {name}")
        began = time.perf_counter()
        if name == "bound":
            bound(options, rows)
        elif name == "training":
            training(options, rows, pack)
        elif name == "company":
            company(rows)
        elif name == "neuron":
            neuron(options, rows)
        elif name == "kernels":
            kernels(options, rows)
        elif name == "emulator":
            emulator(options, rows, graph, pack)
        elif name == "lava":
            lava(options, rows, graph, pack)
        elif name == "full":
            full(options.quick, rows)
        else:
            curves = scaling(options.rounds, rows)
        console.print(f"({time.perf_counter() - began:.0f} s)", style="dim")
    table = Table("what", "ours", "against", "baseline", "ratio", "target", "met")
    for row in rows.rows:
        table.add_row(row["what"], f"{short(row['ours'])} {row['unit']}", row["against"], short(row["baseline"]),
                      "" if row["ratio"] is None else f"{row['ratio']:.2f}", row["target"],
                      {True: "yes", False: "[red]no[/]", None: ""}[row["met"]])
    print_table(console, table)
    if options.json is not None:
        write_json(options.json, {"rows": rows.rows, "curves": [asdict(curve) for curve in curves], **where})
    if options.results is not None:
        command = f"python benchmarks/speed.py --data {Path(options.data).name}" + (" --quick" if options.quick else "")
        if options.only:
            command += " --only " + " ".join(options.only)
        write_text(options.results / "speed.md", markdown(rows.rows, where, command))
        if curves:
            draw(curves, options.results / "speed.svg")
    return 0


if __name__ == "__main__":
    with exit_on_error():
        sys.exit(main(given))
