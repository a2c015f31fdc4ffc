"""Nets that do not fit a board: which limits, and the smallest change that helps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from placed import check_against_loops, enlarged, small_board
from written_graphs import block_graph, even

from mksgn.ir import Conv, Cuba, Dense, Graph, Population
from mksgn.mapping import board, boards, place
from mksgn.mapping.problems import larger_board, least_cores
from mksgn.mapping.shrink import with_frames, with_width
from mksgn.netx import read_net

SHIPPED = Path(__file__).resolve().parent.parent.parent / "models" / "nw-ucla-joint" / "mksgn.net"


def test_chips_frames_and_channels_that_would_fit_do_fit_and_one_more_does_not() -> None:
    rng = np.random.default_rng(1)
    shape = (8, 40, 4)
    graph = Graph((Population("in", shape, role="input"), Population("a", shape, Cuba(9), np.zeros(8, np.int64)),
                   Population("b", (8, 1, 1), Cuba(9)), Population("out", (3, 1, 1), Cuba(9), role="readout")),
                  (Conv("s", ("in",), "a", even(rng, 8, 8, 3, 1, limit=60), padding=(1, 0)),
                   Conv("p", ("a",), "b", np.full((8, 1, 40, 4), 2, np.int16), groups=8),
                   Dense("d", ("b",), "out", even(rng, 3, 8))), 4)
    where = small_board(neurons=64, synapse_words=400, core_words=0, neuron_groups=0, chips=2)
    problem, = place(graph, where, objective="cores").problems
    assert problem.limit == "chips" and problem.allowed == 2 and problem.used > 2
    assert not place(graph, enlarged(where, problem.used), objective="cores").problems
    assert place(graph, enlarged(where, problem.used - 1), objective="cores").problems
    frames = int(problem.change.split(" instead of 40 frames")[0].split()[-1])
    for number, fits in ((frames, True), (frames + 1, False)):
        smaller = with_frames(graph, number)
        assert smaller is not None and smaller["a"].shape == (8, number, 4)
        assert (place(smaller, where, objective="cores").packing.cores <= where.cores) == fits
    share = int(problem.change.split("/16 of the channels")[0].split()[-1]) / 16
    narrow = with_width(graph, share)
    assert narrow is not None and narrow["out"].shape == (3, 1, 1) and narrow["a"].shape[0] == round(8 * share)
    assert place(narrow, where, objective="cores").packing.cores <= where.cores
    wider = with_width(graph, share + 1 / 16)
    assert wider is not None and place(wider, where, objective="cores").packing.cores > where.cores


@pytest.mark.parametrize("graph", [block_graph(), read_net(SHIPPED)], ids=["block", "shipped"])
def test_smaller_nets_are_valid_nets(graph: Graph) -> None:
    for frames in (graph.input.shape[1] // 2, 2):
        smaller = with_frames(graph, frames)
        # block_graph's frame kernels and its dense shortcut leave no other way than cropping.
        assert smaller is not None and smaller.input.shape[1] == frames
        assert smaller.output.shape == graph.output.shape
    assert with_frames(graph, graph.input.shape[1]) is not None
    half = with_width(graph, 0.5)
    if half is not None:
        assert half.populations[1].shape[0] == graph.populations[1].shape[0] // 2
        assert half.output.shape == graph.output.shape


def test_every_exceeded_limit_is_a_problem_that_names_its_place() -> None:
    graph = Graph((Population("in", (40, 1, 1), role="input", message_bits=13), Population("a", (2, 1, 1), Cuba(9))),
                  (Dense("s", ("in",), "a", np.full((2, 40), 253, np.int16) - np.eye(2, 40, dtype=np.int16),
                         delay=np.array([62] + [0] * 39)),), 4)
    where = small_board(synapse_words=30, core_words=0, in_axons=25, weight_bits=7, message_bits=8, delay_steps=60,
                        chips=2)
    found = {problem.limit: problem for problem in place(graph, where).problems}
    assert set(found) == {"synapse_words", "in_axons", "weight_bits", "message_bits", "delay_steps"}
    assert found["in_axons"].used == 40 and "25 synapses instead of 40" in found["in_axons"].change
    assert "divide them among 2 populations" in found["in_axons"].change
    assert found["message_bits"].where == "population 'in'" and "kapoho-point" in found["message_bits"].change
    assert found["delay_steps"].used == 62 and "1 relay population" in found["delay_steps"].change
    assert found["weight_bits"].used == 8 and found["weight_bits"].where == "synapse 's'"
    check_against_loops(place(graph, where))


def test_larger_boards_are_of_the_same_generation() -> None:
    assert larger_board(board("oheo-gulch"), 121) == boards()["kapoho-point"]
    assert larger_board(board("loihi-1"), 5000) == boards()["pohoiki-springs"]
    assert larger_board(board("oheo-gulch"), 140_545) is None
    assert least_cores(block_graph(), small_board()) == -(-sum(p.size for p in block_graph().populations[1:]) // 24)
