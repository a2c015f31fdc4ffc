"""Streamed graphs for machines without rest and without delays in front of shared weights: gates, clocks, relays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from random_graphs import samples_of
from reference import simulate
from streamable import streamable_pairs

from mksgn.emulator import Emulator
from mksgn.errors import GraphError
from mksgn.events.stepper import Stepper
from mksgn.ir import Conv, Cuba, Graph, Population, schedule
from mksgn.ir.gates import gate_name, gated
from mksgn.ir.lattice import Lattice
from mksgn.ir.relays import is_relay, relayed
from mksgn.ir.streamed_clips import as_clip, clip_as_stream
from mksgn.ir.streaming import streamed

WAYS: dict[str, Callable[[Graph], Graph]] = {
    "gates": gated, "relays": relayed, "shift registers": lambda graph: relayed(graph, 0),
    "both": lambda graph: relayed(gated(graph), 5)}


def temporal_chain(first: int, second: int, dilation: int = 1) -> Graph:
    """a (the input), b and c, with kernels of three taps and this padding."""
    graph: list[Population] = [Population("a", (2, 9 + 2 * dilation, 3), role="input")]
    synapses = []
    for target, padding in (("b", first), ("c", second)):
        source = graph[-1]
        apart = dilation if target == "c" else 1
        synapses.append(Conv(f"to {target}", (source.name,), target, np.full((2, 2, 3, 1), 4, np.int16),
                             padding=(padding, 0), dilation=(apart, 1)))
        graph.append(Population(target, synapses[-1].output_shape(source.shape, source.shape), Cuba(5)))
    return Graph(tuple(graph), tuple(synapses), 1)


@pytest.mark.parametrize("way", WAYS)
def test_the_equations_give_the_same_clip(way: str) -> None:
    compared = added = 0
    for seed, graph, stream in streamable_pairs(120):
        made = WAYS[way](stream)
        x = samples_of(graph, seed, 2)
        clip, ours = simulate(graph, x), simulate(made, clip_as_stream(stream, x))
        for population in graph.populations:
            placed = as_clip(stream[population.name], ours.spikes[population.name])
            np.testing.assert_array_equal(placed, clip.spikes[population.name], err_msg=f"{seed} {population.name}")
            compared += placed.size
        added += len(made.populations) - len(graph.populations)
    assert compared > 25_000 and added > 20


def test_the_emulator_runs_them() -> None:
    for seed, graph, stream in streamable_pairs(25):
        made = relayed(gated(stream))
        x = clip_as_stream(stream, samples_of(graph, seed, 3))
        with Emulator(stream) as emulator:
            expected = emulator.run(x, "spikes")
        with Emulator(made) as emulator:
            ours = emulator.run(x, "spikes")
        for population in graph.populations[1:]:
            np.testing.assert_array_equal(as_clip(stream[population.name], ours.spikes[population.name]),
                                          as_clip(stream[population.name], expected.spikes[population.name]))


def test_the_counts_of_gated_graphs_are_exact() -> None:
    """Message by message: what each meets at neurons that work when it arrives."""
    counted = 0
    for seed, graph, stream in streamable_pairs(40):
        made = gated(stream)
        x = clip_as_stream(stream, samples_of(graph, seed, 2))
        with Emulator(made) as emulator:
            ours = emulator.run(x, "spikes")
        for synapse in made.synapses:
            met, target = 0, made[synapse.target]
            for name, (delay, part) in product(synapse.sources, synapse.by_delay()):
                sent = x if name == made.input.name else ours.spikes[name]
                fan = part.fanout(made[name].shape, target.shape)
                met += sum(int(((sent[..., t] != 0) * fan).sum()) for t in range(sent.shape[-1])
                           if target.lattice.frame(t + delay) is not None)
            assert ours.counts.synops[synapse.name] + ours.counts.macs[synapse.name] == met, (seed, synapse.name)
            counted += met
    assert counted > 20_000


def test_nothing_rests_and_clips_keep_apart() -> None:
    """In wall time, clips back to back, behind an empty one: nothing takes back what one clip sends into the next."""
    fired_at_rest = 0
    for seed, graph, stream in streamable_pairs(50):
        made, cycle = relayed(gated(stream)), stream.time_steps
        assert cycle is not None
        assert not any(p.lattice is None or p.lattice.rests(cycle) for p in made.populations[1:])
        x = clip_as_stream(stream, samples_of(graph, seed, 2))
        with Emulator(stream) as emulator:
            expected = emulator.run(x, "spikes").spikes
        times = schedule(made)
        phases = {name: (depth + 1) % cycle for name, depth in times.depth.items()}
        stepper = Stepper(made, times.wait, cycle, phases)
        for t in range(1, 3 * cycle + times.latency + 1):
            stepper.step(t)
            for name in expected:
                sample, own = divmod(t - 1 - times.depth[name], cycle)
                if stream[name].role == "readout" or not 1 <= sample <= 2:
                    continue
                spikes = stepper.spikes(name, t).transpose(2, 0, 1)
                if stream[name].lattice.frame(own) is None:
                    fired_at_rest += int(spikes.sum())
                else:
                    np.testing.assert_array_equal(spikes, expected[name][sample - 1, ..., own], f"{seed} {name} {t}")
            sample, own = divmod(t - 1, cycle)
            message = x[sample - 1, ..., own] if sample in (1, 2) else np.zeros_like(x[0, ..., 0])
            stepper.receive(t, message.transpose(1, 2, 0))
    assert fired_at_rest > 100, "gates had something to hold back"


def test_only_borders_need_gates() -> None:
    padded = streamed(temporal_chain(1, 1))
    names = {p.name for p in gated(padded).populations}
    assert gate_name("b") in names and gate_name("a") not in names, "the host sends nothing beyond the clip"
    valid = streamed(temporal_chain(0, 0))
    assert {p.name for p in gated(valid).populations} == {p.name for p in valid.populations}


def test_relays_are_shared_and_reach_so_far() -> None:
    graph = gated(streamed(temporal_chain(1, 40, dilation=40)))
    made = relayed(graph)
    relays = [s for s in made.synapses if is_relay(s) and s.target != gate_name("b")]
    # Three taps, 40 steps apart: one reads the gate itself.
    assert len(relays) == 2 and [s.longest_delay for s in relays] == [39, 39]
    assert len([s for s in relayed(graph, 9).synapses if is_relay(s) and s.target != gate_name("b")]) == 8
    for each in (made, relayed(graph, 9)):
        before, after = schedule(graph), schedule(each)
        assert all(after.depth[name] == depth for name, depth in before.depth.items())
        for synapse in each.synapses:
            if isinstance(synapse, Conv) and synapse.delayed and not is_relay(synapse):
                waits = [after.wait[synapse.name, synapse.sources[0]] + delay for delay, _ in synapse.by_delay()]
                assert synapse.sources == ("a",) or waits == [0]


def test_what_cannot_do_without_rest_is_refused() -> None:
    with pytest.raises(GraphError, match="not streamed"):
        gated(temporal_chain(1, 1))
    stream = streamed(temporal_chain(1, 1))
    uneven = Graph(tuple(replace(p, lattice=Lattice(2, 1, 3)) if p.name == "b" else p for p in stream.populations),
                   stream.synapses, 13)
    with pytest.raises(GraphError, match="whole intervals") as error:
        gated(uneven)
    assert "'b'" in str(error.value)



def test_a_chain_has_no_more_hops_than_its_readers_read_ahead() -> None:
    """Nine taps, one step apart: four of them ahead. A plain chain of eight relays would come four steps late."""
    shape = (2, 9, 3)
    graph = streamed(Graph((Population("a", shape, role="input"), Population("b", shape, Cuba(5)),
                            Population("c", shape, Cuba(5))),
                           (Conv("ab", ("a",), "b", np.full((2, 2, 1, 1), 8, np.int16)),
                            Conv("bc", ("b",), "c", np.full((2, 2, 9, 1), 4, np.int16), padding=(4, 0))), 1))
    made = relayed(graph)
    assert schedule(made).depth["c"] == schedule(graph).depth["c"] == 6
    assert [s.longest_delay for s in made.synapses if is_relay(s)] == [0, 0, 0, 0, 1, 2, 3, 4]
    # A shift register has no choice.
    assert [s.longest_delay for s in relayed(graph, 0).synapses if is_relay(s)] == [0] * 8
    assert schedule(relayed(graph, 0)).depth["c"] == 10
