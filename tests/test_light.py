"""Without torch and Lava: everything but training and Lava's runtime is imported and used where they are forbidden."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mksgn.extras import present

pytestmark = pytest.mark.skipif(not present("torch"), reason="torch is not here: every other test does without it")
FORBIDDEN = ("torch", "lava", "scipy", "safetensors", "lightning_fabric", "tensorboard")
BEGIN = f"""
import sys
for name in {FORBIDDEN!r}:
    sys.modules[name] = None  # importing it raises
"""
HEAVY = ("mksgn.emulator.dense", "mksgn.commands.train_net", "mksgn.programs.untrained")
ROOMS = ("api", "commands", "counts", "data", "emulator", "energy", "events", "ir", "mapping", "netx", "networks",
         "nir", "programs", "report", "run", "skeleton")
IMPORT = f"""
import importlib, pkgutil
imported = 0
for room in {ROOMS!r}:
    package = importlib.import_module("mksgn." + room)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.startswith({HEAVY!r}):
            importlib.import_module(module.name)
            imported += 1
import mksgn.training.recipe
print(imported)
"""
USE = """
import numpy as np
import mksgn
from mksgn.emulator import Emulator
from mksgn.errors import MissingExtraError

net = mksgn.load("nw-ucla-joint")
shape = tuple(net.graph.input.shape)
x = np.random.default_rng(0).integers(-127, 128, (2, *shape)).astype(np.int8)
result = net.run(x)
with Emulator(net.graph) as emulator:
    states = emulator.run(x, "states")
    stream = emulator.run_stream(np.moveaxis(x, 0, -1), "spikes")
assert np.array_equal(states.output, result.output) and states.u and stream.spikes
assert net.energy(result).paper_mj > 0 and net.report("report.html", result).is_file()
for refused in (lambda: Emulator(net.graph, kernel="dense"), lambda: Emulator(net.graph, device="cuda"),
                lambda: net.run(x, backend="lava")):
    try:
        refused()
        raise AssertionError("it needs an extra")
    except MissingExtraError as error:
        print(error.where, error.fix, sep=": ")
"""


def run(code: str, folder: object) -> str:
    done = subprocess.run([sys.executable, "-c", BEGIN + code], cwd=str(folder), capture_output=True, text=True,
                          timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_everything_but_training_and_lava_is_imported(tmp_path):
    assert int(run(IMPORT, tmp_path)) > 150


@pytest.mark.timeout(240)
def test_a_shipped_network_is_run_counted_and_reported(tmp_path):
    lines = run(USE, tmp_path).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["extra [torch]", "extra [torch]", "extra [lava]"]
    assert all("mksgn[" in line for line in lines)
