"""Which Lava Processes a graph becomes, decided without Lava."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from lava_runs import chain_graph
from written_graphs import T, block_graph

from mksgn.ir import Cuba, Dense, Graph, Population
from mksgn.lava.process_plan import plan_blocks, plan_processes


def test_plan_shares_delays_and_counts_processes():
    graph = block_graph()
    kinds: dict[str, dict[str, int]] = {}
    for delays in ("process", "relay"):
        layout = plan_processes(graph, ("body",), 4, delays)
        kinds[delays] = {}
        for node in layout.nodes:
            kinds[delays][node.kind] = kinds[delays].get(node.kind, 0) + 1
        assert layout.os_processes == len(layout.nodes) + 4
    # coder waits 2 steps before body, 3 before gate and strided; mixed and partner wait 1; body waits 1 before strided.
    late = {(n.population, n.steps) for n in plan_processes(graph).nodes if n.kind == "delay"}
    waits = {(source, steps) for (_, source), steps in plan_processes(graph).schedule.wait.items()
             if steps and source != "in"}
    assert late == waits
    assert kinds["process"] == {"source": 2, "neuron": 9, "sparse": 13, "delay": len(late), "sink": 1}
    assert kinds["relay"] == {"source": 2, "neuron": 9, "sparse": 13, "relay": len(late), "relay_synapse": len(late),
                              "sink": 1}


def test_plan_of_blocks():
    layout = plan_blocks(chain_graph(), 3, "states", 4)
    kinds = [node.kind for node in layout.nodes]
    assert kinds == ["source"] + 3 * ["block"] + 9 * ["sink"]
    assert layout.os_processes == 17
    names = [node.name for node in layout.nodes[:4]]
    assert layout.edges[:3] == tuple(pairwise(names))
    assert [node.population for node in layout.nodes[1:4]][-1] == "out"
    assert len(plan_blocks(block_graph(), 3).nodes) == 2  # nothing in it can be cut


def test_long_waits_take_several_relays():
    names = [f"p{i}" for i in range(70)]
    populations = [Population("in", (1, 1, 1), role="input"), Population("first", (1, 1, 1), Cuba(1))]
    populations += [Population(name, (1, 1, 1), Cuba(1)) for name in names]
    weight = np.full((1, 1), 4, np.int16)
    chain = ["in", "first", *names]
    synapses = [Dense(f"s{i}", (chain[i],), chain[i + 1], weight) for i in range(len(chain) - 1)]
    synapses.append(Dense("skip", ("first",), names[-1], weight))
    relays = [n for n in plan_processes(Graph(tuple(populations), tuple(synapses), T), delays="relay").nodes
              if n.kind == "relay_synapse"]
    assert sorted(node.steps for node in relays) == [6, 63]  # 69 steps, at most 63 per relay
