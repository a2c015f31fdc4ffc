"""Hold every backend against the reference of the tests, on random legal graphs.

    python benchmarks/against_reference.py                              # 10^8 spikes in the emulator, 40 graphs in Lava
    python benchmarks/against_reference.py --spikes 1e6 --lava 5            # a short look
    python benchmarks/against_reference.py --out benchmarks/results/against_reference.md

The graphs (tests/support/random_graphs.py) have all kinds of synapses, odd sizes, branches, functional delays, extreme
biases, lasting currents and T = 1, 2, 4 or 8. The reference (tests/support/reference.py) computes them from the
equations alone, in 64-bit integers. Each graph runs in the emulator with every kernel, and a number of smaller ones in
Lava, some in every layout: spikes, states (emulator and Blocks) and counts are compared. Then each kernel is held
against plain integers on random convolutions, in processes that use only a part of this processor's instructions, as
plainer processors have them. Exit code 1 if anything differs. Nothing here runs on a chip.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from mksgn.commit import describe_commit
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse

ROOT = Path(__file__).resolve().parent.parent
INSTRUCTIONS = {"SSE41": "penryn", "AVX2": "haswell", "AVX2_VNNI": "alderlake", "AVX512_CORE": "skylake-avx512",
                "AVX512_CORE_VNNI": "cascadelake", "DEFAULT": None}
"""Instructions that oneDNN may use (ONEDNN_MAX_CPU_ISA), and the processor that the compiled loop is compiled for
(NUMBA_CPU_NAME); the last: all that this processor has."""


@dataclass(frozen=True)
class Options:
    """Hold every backend against the reference of the tests, on random legal graphs."""

    spikes: float = 1e8
    """Spikes (neurons x steps x samples, over all kernels) to compare in the emulator, at least."""
    samples: int = 64
    """Samples per graph in the emulator."""
    lava: int = 40
    """Graphs that run in Lava, the first in every layout; 0: none."""
    cases: int = 300
    """Random convolutions per set of instructions; 0: none."""
    seed: int = 1000
    """Seed of the first graph. The tests use seeds below 1000."""
    out: Path | None = None
    """Write the tables here, as Markdown."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from mksgn import processor
from mksgn.emulator import Emulator
from mksgn.emulator.emulator import KERNELS
from mksgn.ir import Graph
from mksgn.lava.process_plan import LAYOUTS
from mksgn.programs.outputs import check_writable, write_text
from mksgn.run.backend import RunResult
from mksgn.run.registry import open_backend

sys.path.insert(0, str(ROOT / "tests" / "support"))
# The tests' own generator and reference: there is one of each.
random_graphs: Any = importlib.import_module("random_graphs")
reference: Any = importlib.import_module("reference")


@dataclass
class Compared:
    """Numbers compared in one way of running, and how many of them differed."""

    graphs: int = 0
    spikes: int = 0
    fired: int = 0
    states: int = 0
    counts: int = 0
    differing: int = 0
    seeds: list[int] = field(default_factory=list)

    def add(self, seed: int, graph: Graph, result: RunResult, expected: Any) -> None:
        """Compare everything that ``result`` holds."""
        before = self.differing
        self.graphs += 1
        for population in graph.populations[1:]:
            name = population.name
            for quantity in ("spikes", "u", "v"):
                values = getattr(result, quantity).get(name)
                if values is None:
                    continue
                self.differing += int((values != getattr(expected, quantity)[name]).sum())
                if quantity == "spikes":
                    self.spikes += values.size
                    self.fired += int(values.sum())
                else:
                    self.states += values.size
            if name in result.counts.sample_active:
                self.counts += len(expected.active[name])
                self.differing += int((result.counts.sample_active[name] != expected.active[name]).sum())
        for name, met in expected.events.items():
            counted = result.counts.sample_synops[name] + result.counts.sample_macs[name]
            self.counts += len(met)
            self.differing += int((counted != met).sum())
        if self.differing > before:
            self.seeds.append(seed)

    def row(self, name: str) -> list[str]:
        """A line of the table."""
        seeds = f" (seeds {', '.join(map(str, self.seeds[:8]))})" if self.seeds else ""
        return [name, f"{self.graphs:,}", f"{self.spikes:,}", f"{self.fired:,}", f"{self.states:,}",
                f"{self.counts:,}", f"{self.differing:,}{seeds}"]


HEADER = ["", "graphs", "spikes compared", "of them fired", "u and v", "event counts", "differ"]


def in_the_emulator(options: Options, progress: Progress) -> dict[str, Compared]:
    """Graphs, larger and smaller in turn, with each kernel; states with one of them."""
    task = progress.add_task("emulator", total=options.spikes)
    found = {f"emulator, {kernel}": Compared() for kernel in KERNELS}
    seed = options.seed
    while sum(part.spikes for part in found.values()) < options.spikes:
        graph = random_graphs.random_graph(seed, "small" if seed % 4 == 3 else "large")
        samples = random_graphs.samples_of(graph, seed, options.samples)
        expected = reference.simulate(graph, samples)
        for kernel in KERNELS:
            with Emulator(graph, kernel=kernel, batch_size=options.samples // 3 + 1) as emulator:
                result = emulator.run(samples, "states" if kernel == "dense" else "spikes")
            found[f"emulator, {kernel}"].add(seed, graph, result, expected)
        progress.update(task, completed=sum(part.spikes for part in found.values()))
        seed += 1
    return found


def in_lava(options: Options, progress: Progress) -> dict[str, Compared]:
    """Small graphs, samples back to back: Blocks each, the layouts of one Process per synapse some of them."""
    task = progress.add_task("Lava", total=options.lava)
    found = {f"Lava, {layout}": Compared() for layout in LAYOUTS}
    for number in range(options.lava):
        seed = options.seed + number
        graph = random_graphs.random_graph(seed)
        samples = random_graphs.samples_of(graph, seed, 4)
        expected = reference.simulate(graph, samples)
        for layout in LAYOUTS[:1 + (number % 4 == 0) + (number % 8 == 0)]:
            with open_backend("lava", graph, layout=layout) as lava:
                result = lava.run(samples, "states" if layout == "blocks" else "spikes")
            found[f"Lava, {layout}"].add(seed, graph, result, expected)
        progress.advance(task)
    return found


def kernels(options: Options, progress: Progress) -> dict[str, dict[str, Any]]:
    """Each kernel on random convolutions, in a process for each set of instructions."""
    task = progress.add_task("kernels", total=len(INSTRUCTIONS))
    found = {}
    for name, target in INSTRUCTIONS.items() if options.cases else ():
        compiled = {"NUMBA_CPU_NAME": target} if target else {}
        plain = {"ATEN_CPU_CAPABILITY": "avx2"} if name in ("SSE41", "AVX2", "AVX2_VNNI") else {}
        done = subprocess.run([sys.executable, ROOT / "tests" / "support" / "kernel_stress.py", "--first",
                               str(options.seed), "--cases", str(options.cases)], capture_output=True, text=True,
                              env={**os.environ, "ONEDNN_MAX_CPU_ISA": name, **plain, **compiled})
        if done.returncode:
            found[name] = {"compared": {}, "differing": [f"the process ended with {done.returncode}: "
                                                         f"{done.stderr.strip().splitlines()[-1:]}"]}
        else:
            found[name] = json.loads(done.stdout.splitlines()[-1])
        progress.advance(task)
    return found


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(options: Options) -> int:
    console = Console()
    if options.out is not None:
        check_writable(options.out, "--out")
    began = time.perf_counter()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        found = {**in_the_emulator(options, progress), **in_lava(options, progress)}
        stressed = kernels(options, progress)
    rows = [part.row(name) for name, part in found.items() if part.graphs]
    lines = [[name, *(f"{each['compared'].get(kernel, 0):,}" for kernel in KERNELS[1:]),
              str(len(each["differing"])) + (f" ({each['differing'][0]})" if each["differing"] else "")]
             for name, each in stressed.items()]
    differing = sum(part.differing for part in found.values()) + sum(len(e["differing"]) for e in stressed.values())
    total = sum(part.spikes for part in found.values())
    text = "\n".join([
        f"{total:,} spikes compared with the reference: {sum(p.differing for p in found.values()):,} numbers differ.",
        "",
        table(HEADER, rows), "",
        "Sums of random convolutions, computed in each way, against plain integers, 1, 2 and 4 threads, each twice, "
        "with the instructions that oneDNN and the compiled loop may use (`ONEDNN_MAX_CPU_ISA`, `NUMBA_CPU_NAME`):", "",
        table(["instructions", *KERNELS[1:], "cases that differ"], lines), "",
        f"{processor.describe()}, {os.cpu_count()} cores; torch {version('torch')}, lava-nc {version('lava-nc')}; "
        f"{describe_commit()}; {time.perf_counter() - began:.0f} s. Lava's CPU simulator, no chip."])
    console.print(text, highlight=False, soft_wrap=True, markup=False)
    if options.out is not None:
        command = (f"python benchmarks/against_reference.py --spikes {options.spikes:g} --lava {options.lava} "
                   f"--cases {options.cases}")
        write_text(options.out, f"# Random graphs: every backend is the reference\n\n`{command}`\n\n{text}\n")
    return 1 if differing else 0


if __name__ == "__main__":
    with exit_on_error():
        sys.exit(main(given))
