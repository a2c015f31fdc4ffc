"""Operation counts and the paper's formula against hand arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from mksgn.counts import Counts
from mksgn.energy import counted_energy_mj, paper_energy_mj
from mksgn.energy.causes import ratio_causes
from mksgn.errors import ConfigError
from mksgn.ir import Conv, Cuba, Dense, Graph, Population


@pytest.fixture
def two_branches() -> Graph:
    """Graded input -> a, b; a and b through one set of weights -> out."""
    first = np.full((2, 1, 1, 1), 2, np.int16)
    head = np.array([[2, 0, 4, 6]], np.int16)
    return Graph(
        (Population("in", (1, 1, 2), role="input", message_bits=8), Population("a", (2, 1, 2), Cuba(1)),
         Population("b", (2, 1, 2), Cuba(1)), Population("out", (1, 1, 1), Cuba(100, 4096, 0), role="readout")),
        (Conv("to_a", ("in",), "a", first), Conv("to_b", ("in",), "b", first), Dense("head", ("a", "b"), "out", head)),
        time_steps=4)


def counted(samples: int, spikes: dict, synops: dict, macs: dict) -> Counts:
    """Counts of ``two_branches`` over 4 steps, from numbers per sample."""
    def table(numbers: dict) -> dict:
        return {name: np.array(values, np.int64) for name, values in numbers.items()}

    return Counts(samples, 4, {"in": 2, "a": 4, "b": 4, "out": 1}, sample_spikes=table(spikes),
                  sample_synops=table(synops), sample_macs=table(macs))


def test_paper_energy_by_hand(two_branches):
    # 2 samples, 4 steps: a fires at 8/32, b at 4/32; FLOPs: 4 + 4 graded, 4 per source of the head.
    counts = counted(2, {"in": [6, 6], "a": [8, 0], "b": [1, 3], "out": [0, 0]},
                     {"to_a": [0, 0], "to_b": [0, 0], "head": [4, 5]},
                     {"to_a": [12, 12], "to_b": [20, 4], "head": [0, 0]})
    paper = paper_energy_mj(two_branches, counts)
    assert paper.first_layer_macs == 8 and paper.first_layer_macs_all_steps == 32
    assert paper.sops == pytest.approx((8 / 32 + 4 / 32) * 4 * 4)
    assert paper.energy_mj == pytest.approx((4.6 * 8 + 0.9 * 6) * 1e-9)
    assert paper.energy_all_steps_mj == pytest.approx((4.6 * 32 + 0.9 * 6) * 1e-9)
    head = paper.rows[2]
    assert (head.name, head.graded, head.flops, head.counted_synops) == ("head", False, 8, 4.5)
    assert head.rate == pytest.approx(12 / 64)
    assert (paper.rows[0].theoretical_sops, paper.rows[0].rate, paper.rows[0].counted_macs) == (0, 0.75, 12)
    happened = counted_energy_mj(counts)
    assert (happened.macs, happened.synops) == (24, 4.5)
    assert happened.energy_mj == pytest.approx((4.6 * 24 + 0.9 * 4.5) * 1e-9)


def test_a_unary_first_layer_is_paid_in_accumulates(two_branches):
    populations = (Population("in", (1, 1, 2), role="input"), *two_branches.populations[1:])
    counts = counted(1, {"in": [4], "a": [0], "b": [0], "out": [0]}, {"to_a": [8], "to_b": [8], "head": [0]},
                     {"to_a": [0], "to_b": [0], "head": [0]})
    paper = paper_energy_mj(Graph(populations, two_branches.synapses, 4), counts)
    assert paper.first_layer_macs == 0
    assert paper.sops == pytest.approx(0.5 * 4 * 8)


def test_energy_of_nothing_is_an_error_and_of_silence_is_zero(two_branches):
    with pytest.raises(ConfigError, match="at least one sample"):
        counted_energy_mj(Counts())
    with pytest.raises(ConfigError, match="not of this graph"):
        paper_energy_mj(two_branches, counted(1, {"in": [0]}, {}, {}))
    none = {"to_a": [0], "to_b": [0], "head": [0]}
    silence = counted(1, {"in": [0], "a": [0], "b": [0], "out": [0]}, none, none)
    assert counted_energy_mj(silence).energy_mj == 0
    assert paper_energy_mj(two_branches, silence).sops == 0


def test_causes_are_factors_of_the_ratio_by_hand():
    # A 3-tap convolution over 3 frames, padded: 7 of 9 positions exist. One of 3 taps is zero.
    weight = np.array([2, 0, 4], np.int16).reshape(1, 1, 3, 1)
    graph = Graph((Population("in", (1, 3, 1), role="input"), Population("out", (1, 3, 1), Cuba(9))),
                  (Conv("c", ("in",), "out", weight, padding=(1, 0)),), 4)
    counts = Counts(1, 4, {"in": 3, "out": 3}, sent={"in": np.array([[[3], [0], [0]]]), "out": np.zeros((1, 3, 1))})
    cause = ratio_causes(graph, counts)["c"]
    # Tap m carries frame p to p + 1 - m: frame 0 reaches frames 1 (tap 0) and 0 (tap 1, zero); fan-outs 1, 2, 1.
    assert cause.borders == pytest.approx(7 / 9)
    assert cause.zero_weights == pytest.approx(4 / 7)
    assert cause.uneven_firing == pytest.approx(3 * 1 / (1 * 4))
    assert cause.ratio == pytest.approx(3 / 9) == cause.borders * cause.zero_weights * cause.uneven_firing
    counts.sent["in"][:] = 0
    assert ratio_causes(graph, counts) == {"c": None}
    counts.sent.clear()
    with pytest.raises(ConfigError, match="which neuron sent what"):
        ratio_causes(graph, counts)


def test_causes_explain_every_synapse_of_a_net():
    from random_graphs import random_messages
    from written_graphs import varied_graph

    from mksgn.emulator import Emulator

    graph = varied_graph(2, delays=False)
    with Emulator(graph) as emulator:
        counts = emulator.run(random_messages(graph, 4, 1)).counts
    paper = {row.name: row for row in paper_energy_mj(graph, counts).rows}
    for name, cause in ratio_causes(graph, counts).items():
        assert cause is not None and cause.borders <= 1 and cause.zero_weights <= 1
        assert cause.ratio == pytest.approx(cause.borders * cause.zero_weights * cause.uneven_firing)
        assert cause.ratio == pytest.approx(paper[name].counted_synops / paper[name].theoretical_sops)
