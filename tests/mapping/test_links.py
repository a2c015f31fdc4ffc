"""Routers, links and reads of synaptic memory, against loops over single messages."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from written_graphs import block_graph, varied_graph

from mksgn.ir import Conv, Dense, Graph, Synapse
from mksgn.mapping import Board, board, place
from mksgn.mapping.arrivals import arrivals
from mksgn.mapping.layer import Layer
from mksgn.mapping.links import LinkLoads, positions
from mksgn.mapping.memory import conv_row_words, synapse_words
from mksgn.mapping.reads import read_by, words_read
from mksgn.mapping.traffic import Flow

CHIP, MANY = board("oheo-gulch"), board("kapoho-point")
Link = tuple[tuple[int, int], tuple[int, int]]


def links_of(board_: Board, flows: list[Flow], cores: int) -> tuple[Counter, Counter]:
    """Messages by link within a chip and between chips: message by message along the row, then along the column."""
    rows, columns = positions(board_, cores)
    height, width = board_.router_mesh
    within: Counter = Counter()
    between: Counter = Counter()
    for flow in flows:
        for sender, receiver, messages in zip(flow.sender, flow.receiver, flow.messages):
            at, end = (int(rows[sender]), int(columns[sender])), (int(rows[receiver]), int(columns[receiver]))
            while at != end:
                step = (0, np.sign(end[1] - at[1])) if at[1] != end[1] else (np.sign(end[0] - at[0]), 0)
                to = (at[0] + int(step[0]), at[1] + int(step[1]))
                chips = tuple((place_[0] // height, place_[1] // width) for place_ in (at, to))
                if chips[0] == chips[1]:
                    within[(at, to)] += messages
                else:
                    between[chips] += messages
                at = to
    return within, between


@pytest.mark.parametrize(("target", "cores"), [(CHIP, 1), (CHIP, 37), (CHIP, 120), (MANY, 700), (MANY, 960)])
def test_the_heaviest_link_is_that_of_single_messages(target: Board, cores: int) -> None:
    rng = np.random.default_rng(cores)
    flows = [Flow(rng.integers(0, cores, 90), rng.integers(0, cores, 90), rng.integers(-2, 9, 90).astype(float))
             for _ in range(3)]
    loads = LinkLoads(target, cores)
    for flow in flows:
        loads.add(flow)
    within, between = links_of(target, flows, cores)
    found = loads.loads()
    for got, expected in zip(found, (within, between)):
        assert sorted(got[got != 0].tolist()) == sorted(value for value in expected.values() if value != 0)
    assert loads.heaviest() == (max([0.0, *within.values()]), max([0.0, *between.values()]))


def test_four_cores_share_a_router_in_a_mesh_of_four_rows_of_eight() -> None:
    row, column = positions(CHIP, 120)
    assert list(zip(row[:9], column[:9])) == [(0, 0)] * 4 + [(0, 1)] * 4 + [(0, 2)]
    assert (row.max(), column.max()) == (3, 7) and max(Counter(zip(row, column)).values()) == 4
    row, column = positions(MANY, 960)
    assert (row.max(), column.max()) == (7, 31)  # two rows of four chips


@pytest.mark.parametrize("graph", [block_graph(), varied_graph(3), varied_graph(4)])
def test_a_message_reads_its_row_in_whole_words(graph: Graph) -> None:
    """Each message of a source on its own; dense rows, and conv rows once for each tap."""
    rng = np.random.default_rng(7)
    activity = {p.name: rng.integers(0, 4, p.shape).astype(float) for p in graph.populations}
    placement = place(graph, CHIP, activity, objective="cores")
    for population in graph.populations[1:]:
        layer = Layer(placement.wiring, population, CHIP, activity, 4)
        grid = placement.packing.grids[population.name]
        total = np.zeros(grid.parts)
        for synapse in layer.synapses:
            for source in synapse.sources:
                alone = read_by(synapse, activity[source], population.shape, grid, layer.rules(synapse))
                total += alone
                if grid.cells == 1:
                    assert alone.item() == pytest.approx(_expected(synapse, activity[source], population.shape, grid))
        np.testing.assert_allclose(words_read(layer, grid), total)


def _expected(synapse: Synapse, sent: np.ndarray, target: tuple[int, int, int], grid) -> float:  # type: ignore[no-untyped-def]
    if isinstance(synapse, Conv):
        read = 0.0
        words = conv_row_words(synapse, target, grid, CHIP)[0]
        per_group = sent.shape[0] // synapse.groups
        for channel, frame, joint in zip(*np.nonzero(sent)):
            for f, v, m, n in np.ndindex(target[1], target[2], *synapse.weight.shape[2:]):
                met = (f * synapse.stride[0] + m * synapse.dilation[0] - synapse.padding[0],
                       v * synapse.stride[1] + n * synapse.dilation[1] - synapse.padding[1])
                if met == (frame, joint):
                    read += sent[channel, frame, joint] * words[channel // per_group]
        return read
    words = synapse_words(synapse, sent.shape, target, grid, CHIP).item()  # type: ignore[arg-type]
    if isinstance(synapse, Dense):
        return float(sent.sum()) * words / sent.size
    met = np.zeros(sent.shape)  # the mean row of the sources that are read
    for at in np.ndindex(sent.shape):
        one = np.zeros(sent.shape)
        one[at] = 1
        met[at] = arrivals(synapse, one, target).sum() > 0
    return float((sent * met).sum()) * words / met.sum()


def test_work_has_reads_and_links() -> None:
    graph = block_graph()
    rng = np.random.default_rng(1)
    activity = {p.name: rng.integers(0, 5, p.shape).astype(float) for p in graph.populations}
    work = place(graph, MANY, activity, objective="time").work(activity)
    assert work.reads.shape == work.chip.shape and work.reads.sum() > 0
    assert 0 < work.link_messages <= work.total("messages_out") and work.chip_link_messages >= 0
