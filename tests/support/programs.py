"""Programs of train/, deploy/ and benchmarks/ run as a user runs them, and small nets to run them on."""

from __future__ import annotations

import importlib.util
import io
import json
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

from mksgn.commands import dispatch
from mksgn.data.augmentation import lateral_joints
from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.ir import Graph
from mksgn.networks import NETWORKS
from mksgn.training.recipe import Recipe

ROOT = Path(__file__).resolve().parent.parent.parent
LOWER = 2


class Outcome(NamedTuple):
    """Exit code and what was printed."""

    code: int
    out: str
    err: str


@contextmanager
def program_module(path: str) -> Iterator[ModuleType]:
    """A program as a module, whose functions a test can call; ``sys`` is afterwards as it was.

    A folder stands for the ``__main__.py`` in it, under the folder's name.
    """
    name = Path(path).stem
    if (ROOT / path).is_dir():
        path = f"{path}/__main__.py"
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, module)  # dataclasses look their module up
        patch.syspath_prepend(str((ROOT / path).parent))  # as Python does for a program
        spec.loader.exec_module(module)
        yield module


def execute(path: str, *arguments: object) -> int:
    """Run a program of this repository in this process, as ``python path arguments`` would; its exit code."""
    program = ROOT / path
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(program), *map(str, arguments)])
        patch.syspath_prepend(str(program.parent))
        try:
            runpy.run_path(str(program), run_name="__main__")
        except SystemExit as exit_:
            return int(exit_.code or 0)
    return 0


def run_program(path: str, *arguments: object) -> Outcome:
    """:func:`execute` with one thread, where there is no ``capsys``: in fixtures that several tests share."""
    import torch

    torch.set_num_threads(1)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = execute(path, *arguments)
    return Outcome(code, out.getvalue(), err.getvalue())


def trainings_in_this_process(monkeypatch: pytest.MonkeyPatch, killed: int = 0) -> list[list[str]]:
    """Programs that a program starts as processes run in this one; returns their command lines, filled as they come.

    Parameters
    ----------
    killed : int
        The number, from 1, of one that ends as if it had been killed before it did anything; 0: none.
    """
    ran: list[list[str]] = []
    others = subprocess.run

    def run(command: list[str], **given: Any) -> Any:
        if given:  # no training: git, for one
            return others(command, **given)
        ran.append(command[1:])
        if len(ran) == killed:
            return SimpleNamespace(returncode=137)
        done = run_program(f"train/{Path(command[1]).name}", *command[2:])
        assert done.code == 0, done.err
        return SimpleNamespace(returncode=done.code)

    monkeypatch.setattr(subprocess, "run", run)
    return ran


class Program:
    """Runs a program in this process, in an empty folder, on a machine without data sets."""

    def __init__(self, path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
                 folder: Path) -> None:
        self.path, self.capsys = path, capsys
        monkeypatch.chdir(folder)
        monkeypatch.delenv("MKSGN_DATA", raising=False)
        monkeypatch.setenv("COLUMNS", "200")

    def __call__(self, *arguments: object) -> Outcome:
        code = execute(self.path, *arguments)
        printed = self.capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return Outcome(code, printed.out, printed.err)


class Command(Program):
    """Runs ``mksgn`` in the same way; the first of the arguments is the command."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        super().__init__("mksgn", capsys, monkeypatch, folder)

    def __call__(self, *arguments: object) -> Outcome:
        try:
            code = dispatch.main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        printed = self.capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return Outcome(code, printed.out, printed.err)


def graph_for(pack: Pack, data: str, network: str = "base-sgn", persons: int = 1, **meta: Any) -> Graph:
    """An untrained integer net of two layers for ``pack``, with the attributes that train_slayer.py writes."""
    import torch

    from mksgn.nn.lowering import to_graph

    torch.manual_seed(4)
    shape = {"widths": (8, 8), "strides": (1, 2)}
    recipe = Recipe(network=NETWORKS[network](**shape), frames=8, persons=persons, val_subjects=(3,))
    net = recipe.untrained(pack)
    net.eval()
    net.quantize()
    graph = to_graph(net)
    # An untrained net is nearly silent, and its predictions all alike: lower the thresholds.
    lower = tuple(p if p.neuron is None else replace(p, neuron=replace(p.neuron, vth=p.neuron.vth // LOWER))
                  for p in graph.populations)
    return Graph(lower, graph.synapses, graph.time_steps, {
        **graph.meta, "preset": "demo", "data": data, "protocol": meta.pop("protocol", "synthetic"),
        "preprocess": Preprocess(frames=8, persons=persons, lateral=lateral_joints(pack)).to_json(),
        "labels": list(pack.class_names), "edges": pack.edges.flatten().tolist(), "joints": pack.body.num_joints,
        "recipe": json.dumps(recipe.to_dict()), "commit": "test", **meta})
