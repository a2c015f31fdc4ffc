"""The promise of the package, on real samples: SLAYER = emulator = Lava, every spike of every population."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from network_of import network_of
from programs import program_module, run_program

from mksgn.errors import ConfigError

pytestmark = pytest.mark.usefixtures("one_host")


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_networks_are_exact_on_real_samples(nw_ucla_path, tmp_path):
    """MK-SGN's six layers and Base-SGN's ten by our Blocks, with every graph convolution."""
    rows = exact_rows(nw_ucla_path, tmp_path, ("blocks",), "mksgn", "base-sgn")
    assert [row["network"] for row in rows] == ["mksgn, learned", "mksgn, layer", "mksgn, fused",
                                                "base-sgn, layer", "base-sgn, fused"]


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("network", "graph_conv"), [("base-sgn", "layer"), ("mksgn", "fused")])
def test_stock_lava_is_exact_on_real_samples(nw_ucla_path, tmp_path, network, graph_conv):
    """A Process for each synapse and population. Untrained, ``learned`` mixes as ``layer`` does."""
    rows = exact_rows(nw_ucla_path, tmp_path, ("stock",), network, "--graph-conv", graph_conv)
    assert [row["network"] for row in rows] == [f"{network}, {graph_conv}"]


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_four_modalities_are_exact_on_real_samples(nw_ucla_path, tmp_path):
    """Four spike coders, their weights folded into synapses of their own; stock Lava runs those in test_fusion.py."""
    rows = exact_rows(nw_ucla_path, tmp_path, ("blocks",), "mksgn-4", "--graph-conv", "learned", "fused")
    assert [row["network"] for row in rows] == ["mksgn-4, learned", "mksgn-4, fused"]


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_streamed_clips_are_exact_on_real_samples(nw_ucla_path, tmp_path):
    """Lava takes a frame at a time, each network in two parts; the emulator has the frames side by side."""
    rows = exact_rows(nw_ucla_path, tmp_path, ("blocks",), "mksgn", "--graph-conv", "learned", "fused",
                      "--time", "stream", "--parts", "2")
    assert [row["network"] for row in rows] == ["mksgn, learned", "mksgn, fused"]


def exact_rows(data: Path, folder: Path, layouts: tuple[str, ...], *networks: str) -> list[dict]:
    """Rows of exactness.py, nothing differing in any, and no network silent."""
    out = folder / "exact.json"
    done = run_program("benchmarks/exactness.py", "--data", data, "--samples", 1, "--width", 4, "--frames", 8,
                       "--json", out, "--layouts", *layouts, "--networks", *networks)
    assert done.code == 0, done.out[-2000:] + done.err[-8000:]
    rows = json.loads(out.read_text())["rows"]
    for row in rows:
        for label in ("slayer_emulator", *(f"emulator_lava_{layout}" for layout in layouts)):
            assert row[label]["differing"] == 0
            assert row[label]["readouts_compared"] == 10
        assert row["fired"] > 0.02 * row["spikes_compared"], "a comparison of silent networks proves nothing"
    return rows


def test_a_page_shows_several_runs(tmp_path):
    """A section per run, in order, each with its command; what is no run is refused."""
    row = {"network": "mksgn, layer", "populations": 67, "samples": 2, "spikes_compared": 874752, "fired": 118774,
           **{label: {"differing": 0, "states_compared": states}
              for label, states in (("slayer_emulator", 0), ("emulator_lava_blocks", 1749504))}}
    one = {"rows": [row], "networks": "Untrained networks of width 8", "layouts": ["blocks"], "states": True,
           "command": "python benchmarks/exactness.py --states", "lava-nc": "1", "lava-dl": "2", "torch": "3",
           "commit": "c1"}
    path = tmp_path / "one.json"
    path.write_text(json.dumps(one))
    with program_module("benchmarks/_exactness_page.py") as program:
        text = program.page([*program.kept((path,)), one | {"networks": "nw-ucla", "commit": "c2"}])
        path.write_text(json.dumps({"rows": []}))
        with pytest.raises(ConfigError, match="no run can be read"):
            program.kept((path,))
    assert text.index("## Untrained networks of width 8, Lava as blocks, with u and v") < text.index("## nw-ucla")
    assert "| mksgn, layer | 67 | 2 | 874,752 | 118,774 | 0 differ | 0 differ (and 1,749,504 u, v) |" in text
    assert text.count("    python benchmarks/exactness.py --states\n") == 2 and "; c1." in text and "; c2." in text


def test_a_difference_is_reported(tmp_path):
    """The comparison can fail: one weight changed between two backends is found and named."""
    from dataclasses import replace

    import numpy as np
    import torch

    from mksgn.emulator import Emulator
    from mksgn.ir import Graph
    from mksgn.nn.slayer_backend import SlayerReference, calibrate
    from mksgn.run.comparison import compare
    from mksgn.skeleton import UCLA20

    torch.manual_seed(0)
    net = network_of(body=UCLA20, classes=3, frames=8, widths=(4,), strides=(1,))
    samples = np.random.default_rng(0).integers(-127, 128, (2, 3, 8, 20)).astype(np.int8)
    calibrate(net, samples)
    net.quantize()
    slayer = SlayerReference(net)
    graph = slayer.graph
    synapses = list(graph.synapses)
    index = next(i for i, s in enumerate(synapses) if s.target == "block1.lif2")
    synapses[index] = replace(synapses[index], weight=-synapses[index].weight)
    broken = Graph(graph.populations, tuple(synapses), graph.time_steps)
    with Emulator(broken) as emulator:
        result = compare(slayer.run(samples), emulator.run(samples, record="spikes"), tuple(net.names))
    assert not result.equal
    assert result.first is not None
    assert result.first.population == "block1.lif2"
    assert "spikes block1.mix" not in result.differing
