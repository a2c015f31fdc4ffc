"""Measures the sections of `python benchmarks/speed` one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial

import torch
from _deployed import emulator, lava
from _operations import bound, kernels, neuron
from _options import Options, Section
from _report import CURVES, Curve, Rows, draw, joined, kept, machine, markdown, show
from _sizes import full, scaling
from _training import company, training
from rich.console import Console

from mksgn.data.pack import Pack
from mksgn.data.sources import load
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.netx import read_net
from mksgn.programs.outputs import write_json, write_text


def measures(options: Options, rows: Rows, graph: Graph, pack: Pack) -> dict[Section, Callable[[], list[Curve] | None]]:
    """The function that measures each section; only ``scaling`` has curves beside its rows."""
    return {
        "bound": partial(bound, options, rows),
        "training": partial(training, options, rows, pack),
        "company": partial(company, rows),
        "neuron": partial(neuron, options, rows),
        "kernels": partial(kernels, options, rows),
        "emulator": partial(emulator, options, rows, graph, pack),
        "lava": partial(lava, options, rows, graph, pack),
        "full": partial(full, options.quick, rows),
        "scaling": partial(scaling, options.rounds, rows),
    }


def check_folders(options: Options) -> None:
    """Refuse results that could not be written, before anything is measured."""
    for path in (options.results, options.json.parent if options.json else None):
        if path is not None and not path.is_dir():
            raise ConfigError("this folder does not exist", where=str(path), fix="make it first")


def measure(options: Options) -> None:
    """Measure the sections that are asked for, print their rows and write them."""
    console = Console()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    check_folders(options)
    pack = load(options.data)
    graph = read_net(options.net)
    where = machine()
    console.print(", ".join(f"{key} {value}" for key, value in where.items()), markup=False)
    old, curves = kept(options.keep, where) if options.keep else ([], [])
    measured = Rows(console, where["commit"])
    ways = measures(options, measured, graph, pack)
    for number, name in enumerate(options.sections, start=1):
        console.rule(f"{number}/{len(options.sections)} {name}")
        began = time.perf_counter()
        found = ways[name]()
        if found:
            curves = [replace(curve, commit=where["commit"]) for curve in found]
        console.print(f"({time.perf_counter() - began:.0f} s)", style="dim")
    rows = joined(old, measured.rows)
    show(console, rows)
    if options.json is not None:
        write_json(options.json, {"rows": rows, "curves": [asdict(curve) for curve in curves], **where})
    if options.results is not None:
        write_text(options.results / "speed.md", markdown(rows, curves, where, options.command))
        if curves:
            draw(curves, options.results / CURVES)

