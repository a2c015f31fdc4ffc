"""Samples on the Lava backend, in every layout, against the neuron equations in plain numpy and the emulator."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from lava_runs import block_samples, chain_graph, check_run, delayed_graph, extreme_graph
from reference import simulate
from same_counts import assert_same_counts
from written_graphs import T, block_graph, even

from mksgn.emulator import Emulator
from mksgn.errors import BackendError
from mksgn.ir import Conv, Cuba, Graph, Population
from mksgn.lava.backend import LavaBackend
from mksgn.lava.process_plan import LAYOUTS, plan_processes
from mksgn.run.comparison import compare

pytestmark = pytest.mark.usefixtures("one_host")


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_block_is_exact_and_counts_agree(layout):
    """Every spike, u and v of three streamed samples, and the counts; all kinds of synapses, and waits."""
    graph, samples = block_graph(), block_samples()
    done: list[int] = []
    with LavaBackend(graph, progress=done.append, layout=layout) as lava:
        result = lava.run(samples, record="states")
    check_run(graph, samples, result)
    assert result.u and result.v
    assert done == [1, 2, 3]
    assert lava.effort.steps == len(samples) * T + plan_processes(graph).schedule.latency
    with Emulator(graph) as emulator:
        expected = emulator.run(samples, record="states")
    assert_same_counts(result.counts, expected.counts)
    comparison = compare(result, expected, tuple(p.name for p in graph.populations[1:]))
    assert comparison.equal, str(comparison.first)


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("layout", ["layers", "stock"])
def test_conv_and_relays_are_exact_and_a_backend_runs_twice(layout):
    graph, samples = block_graph(), block_samples()
    with LavaBackend(graph, layout=layout, delays="relay", unroll_limit=0) as lava:
        check_run(graph, samples, lava.run(samples, record="spikes"))
        # Messages that change from step to step, and no recording: only the readout.
        moving = np.random.default_rng(2).integers(-128, 128, (2, 3, 6, 4, T))
        result = lava.run(moving)
        assert not result.spikes and not result.counts.spikes and result.counts.samples == 2
        expected = simulate(graph, moving).v["out"]
        np.testing.assert_array_equal(result.output, expected[..., -1].reshape(2, -1) // 64)


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("record", ["none", "spikes", "states"])
def test_blocks_in_several_processes_are_exact(record):
    graph = chain_graph()
    samples = np.random.default_rng(12).integers(-128, 128, (3, 3, 4, 5))
    with LavaBackend(graph, blocks=3) as lava:
        result = lava.run(samples, record)
        assert lava.effort.os_processes == 4 + 4 + {"none": 0, "spikes": 3, "states": 9}[record]
    if record != "none":
        check_run(graph, samples, result)
    assert bool(result.u) == (record == "states")
    with Emulator(graph) as emulator:
        expected = emulator.run(samples)
    np.testing.assert_array_equal(result.output, expected.output)
    # Counted in the Lava Processes, whether anything is recorded or not.
    assert_same_counts(result.counts, expected.counts, lacking=("sent",) if record == "none" else ())


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("make", [chain_graph, block_graph])
def test_blocks_of_stock_processes_give_the_same_result(make):
    """One Process graph, two models: ours in one OS process per block, and sub-process models of stock Processes."""
    graph = make()
    samples = np.random.default_rng(13).integers(-128, 128, (3, *graph.input.shape))
    models = {"lava_models.block.process:Block": "mksgn.lava.stock_block:SubBlockModel"}
    with LavaBackend(graph, blocks=2, models=models) as lava:
        result = lava.run(samples)
        assert len(lava.effort.pids) > 15, "it should have started a Process per synapse and population"
        with pytest.raises(BackendError, match="cannot be recorded"):
            lava.run(samples, "spikes")
    with Emulator(graph) as emulator:
        np.testing.assert_array_equal(result.output, emulator.run(samples).output)


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_more_groups_than_lava_can_count(layout):
    """128 groups do not fit the 8 signed bits of a stock Conv: with its own models such a net would be silent."""
    shape = (130, 2, 2)
    rng = np.random.default_rng(14)
    graph = Graph((Population("in", shape, role="input"), Population("out", shape, Cuba(30))),
                  (Conv("c", ("in",), "out", even(rng, 130, 1, 1, 1), groups=130),), T)
    samples = rng.integers(0, 2, (2, *shape))
    options = {} if layout == "blocks" else {"unroll_limit": 0}
    with LavaBackend(graph, layout=layout, **options) as lava:
        check_run(graph, samples, lava.run(samples, "spikes"))


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_extreme_numbers_are_exact(layout):
    """Also an interval of 3 steps, which no power of two is."""
    graph = extreme_graph(3)
    samples = np.random.default_rng(4).integers(-128, 128, (4, 50, 2, 2, 3))
    samples[0] = 127
    samples[1] = -128
    with LavaBackend(graph, layout=layout) as lava:
        result = lava.run(samples, record="states")
    expected = simulate(graph, samples)
    spikes, u, v = expected.spikes, expected.u, expected.v
    assert np.abs(u["wide"]).max() > 1 << 23  # a wraps once only, as in Lava
    assert (np.abs(v["wide"]) == (1 << 23) - 1).any()
    for name in spikes:
        if name != "in":
            for got, wanted in ((result.spikes, spikes), (result.u, u), (result.v, v)):
                np.testing.assert_array_equal(got[name], wanted[name], err_msg=name)


@pytest.mark.lava()
@pytest.mark.timeout(240)
def test_functional_delays_do_not_reach_the_next_sample():
    graph = delayed_graph(T)
    samples = np.random.default_rng(7).integers(0, 2, (2, 2, 3, 4, T))
    done: list[int] = []
    with LavaBackend(graph, progress=done.append) as lava:
        check_run(graph, samples, lava.run(samples, record="spikes"))
    assert done == [1, 2]


SELECTION = """
from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.extractor import Extractor
from lava_models.delay.process import Delay
from mksgn.ir.lattice import Lattice
from mksgn.lava.process_models import STOCK
import numpy as np
from scipy.sparse import identity
eye = identity(2, dtype=int, format="csr")
make = {"LIF": dict(shape=(2,)), "LIFReset": dict(shape=(2,)), "Conv": dict(weight=np.zeros((1, 1, 1, 1))),
        "Sparse": dict(weights=eye), "DelaySparse": dict(weights=eye, delays=eye),
        "RingBuffer": dict(data=np.zeros((1, 1))), "Delay": dict(shape=(2,), steps=1),
        "DelaySparseReset": dict(weights=eye, delays=eye, reset_interval=4, reset_offset=1),
        "ProdNeuron": dict(shape=(2,)), "GradedVec": dict(shape=(2,)),
        "ClockedLIF": dict(shape=(2,), lattice=Lattice(2, 1, 2), reset_interval=4, reset_offset=1)}
config = Loihi2SimCfg(select_tag="fixed_pt")
for kind, model in STOCK.items():
    if kind is not Extractor:
        process = kind(**make[kind.__name__])
        chosen = config.select(process, ProcGroupDiGraphs._find_proc_models(process))
        assert chosen is model, (kind, chosen, model)
print(len(STOCK))
"""


def test_named_models_are_those_that_the_tag_selects():
    done = subprocess.run([sys.executable, "-c", SELECTION], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "12"
