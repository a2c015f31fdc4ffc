"""No kernel of the emulator computes a wrong sum: on any geometry, any number of threads, a plainer processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from random_graphs import random_graph, random_messages
from same_counts import assert_same_counts

from mksgn.emulator import Emulator
from mksgn.emulator.dense.window import Window
from mksgn.emulator.emulator import KERNELS
from mksgn.ir import Conv, Cuba, Graph, Population

STRESS = Path(__file__).parent.parent / "support" / "kernel_stress.py"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("isa", ["DEFAULT", "AVX2"])
def test_every_kernel_is_exact_on_random_convolutions(isa):
    """In a process of its own: a fault may end it, and the instruction set is chosen once."""
    plain = {"ATEN_CPU_CAPABILITY": "avx2", "NUMBA_CPU_NAME": "haswell", "OMP_NUM_THREADS": "1"}
    plain = plain if isa == "AVX2" else {}
    done = subprocess.run([sys.executable, str(STRESS), "--cases", "40"], capture_output=True, text=True,
                          env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa, **plain})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert not found["differing"]
    assert found["compared"]["event"] > 5e5 and found["compared"]["dense"] > 5e5
    assert isa != "AVX2" or found["threads"] == 1, "torch took more threads than it was told to have"


NEAR_FAULTS = [
    # Strided 1 x 1, channels modulo 16 = 8: oneDNN's threads write into each other's buffer (AVX2, 8 bits).
    (Conv("s", ("x",), "y", np.full((5, 24, 1, 1), 2, np.int16), (2, 1)), (24, 12, 5)),
    # A single target on an axis with a stride: wrong sums (AVX-512).
    (Conv("s", ("x",), "y", np.full((3, 1, 5, 5), 2, np.int16), (1, 3), (2, 0)), (1, 3, 5)),
    # Targets that meet nothing but padding: SIGSEGV.
    (Conv("s", ("x",), "y", np.full((8, 1, 1, 1), 2, np.int16), (2, 2), (0, 1), (1, 1), 4), (4, 5, 1)),
    (Conv("s", ("x",), "y", np.full((8, 4, 3, 1), 2, np.int16), (2, 2), (0, 1)), (4, 5, 1)),
    (Conv("s", ("x",), "y", np.full((2, 3, 2, 2), 2, np.int16), (1, 1), (3, 4), (4, 5)), (3, 1, 1)),
]


@pytest.mark.parametrize(("synapse", "source"), NEAR_FAULTS)
def test_the_library_sees_no_geometry_that_it_gets_wrong(synapse, source):
    window = Window.of(synapse, source)
    for axis, size in enumerate(source[1:]):
        stride, padding = window.stride[axis], window.padding[axis]
        assert stride == 1 or padding == 0
        assert padding < size or synapse.weight.shape[axis + 2] > 1
        if synapse.weight.shape[axis + 2] == 1:
            assert (stride, padding) == (1, 0)


@pytest.mark.parametrize("seed", range(8))
def test_the_same_run_gives_the_same_numbers_whatever_is_chosen(seed):
    """Each choice forced, the measured one again and again, whole batches and odd ones: one result."""
    graph = random_graph(seed)
    samples = random_messages(graph, 7, seed)
    results = []
    for kernel, batch in [("dense", 7), *((kernel, 3) for kernel in KERNELS), ("auto", 7), ("auto", 1), ("auto", 3)]:
        with Emulator(graph, batch_size=batch, kernel=kernel) as emulator:
            results.append(emulator.run(samples, "spikes"))
    for result in results[1:]:
        np.testing.assert_array_equal(result.output, results[0].output)
        for name, spikes in results[0].spikes.items():
            np.testing.assert_array_equal(result.spikes[name], spikes, err_msg=name)
        assert_same_counts(result.counts, results[0].counts)


def test_the_emulator_survives_taps_that_meet_only_padding():
    """One sample through the net that once ended the process: every target but the middle ones is silent."""
    synapse, source = NEAR_FAULTS[2]
    graph = Graph((Population("x", source, role="input"), Population("y", (8, 3, 2), Cuba(1))), (synapse,), 1)
    for kernel in KERNELS:
        with Emulator(graph, kernel=kernel) as emulator:
            assert not emulator.run(np.ones((2, *source), np.int8)).output.any()
