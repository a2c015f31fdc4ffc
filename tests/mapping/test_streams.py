"""Streamed graphs on boards: every delay is made exactly, and limits hold."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from placed import whole_activity
from streamable import unpadded
from streamed_boards import CHIP, tiny_board, waiting_pairs

from mksgn.ir.schedule import schedule
from mksgn.ir.streaming import continuous, streamed
from mksgn.mapping import Placement, place
from mksgn.mapping.delays import CHAINS, Delays, Realisation
from mksgn.mapping.strands import Timing, wire
from mksgn.mapping.wiring import Wiring
from mksgn.netx import read_net

ROOT = Path(__file__).resolve().parent.parent.parent
WAYS: tuple[Realisation, ...] = get_args(Realisation)


def behind(wiring: Wiring, name: str, interval: int, length: int) -> tuple[str, int]:
    """The population that a relay repeats, and how many steps later it does: relay by relay."""
    steps = registers = 0
    while name in wiring.repeats:
        if "@" in name:
            registers += 1
        lead, = wiring.into(name)
        steps += 1 + wiring.strands[lead.name].waits[0]
        if registers == 1 and "@" in name:
            phase = int(name.split("@")[1].split(".")[0])
        name, = lead.sources
    if not registers:
        return name, steps
    # A register is let go at its clock's next working step: the first ones a phase behind the source, the others a step
    # of the source's work behind those.
    first = min(phase, length)
    frames, within = divmod(registers - first, length)
    assert within == 0, "a tap leaves a register between two frames"
    return name, frames * interval + phase


@pytest.mark.parametrize("how", WAYS)
def test_every_way_makes_every_delay_of_every_synapse(how: Realisation) -> None:
    compared = deep = hops = 0
    endless = [continuous(unpadded(seed)) for seed in range(8)]
    for stream in [*(stream for _, _, stream in waiting_pairs()), *endless]:
        timing = Timing(stream)
        wiring = wire(timing, dict.fromkeys(timing.late, how), Delays(), 5)
        assert wiring.graph.time_steps == stream.time_steps, "a graph that can exist"
        wait = schedule(stream).wait
        for synapse in stream.synapses:
            wanted = sorted((source, wait[synapse.name, source] + delay, part.weight.tobytes())
                            for delay, part in synapse.by_delay() for source in synapse.sources)
            made = []
            for each in wiring.synapses:
                strand = wiring.strands[each.name]
                if strand.synapse != synapse.name:
                    continue
                assert each.target == synapse.target and not each.delayed
                for name, rest in zip(each.sources, strand.waits):
                    lattice = stream[wiring.repeats.get(name, name)].lattice
                    assert lattice is not None
                    source, steps = behind(wiring, name, lattice.interval, lattice.length)
                    made.append((source, steps + rest, each.weight.tobytes()))
                    if source != stream.input.name:
                        assert rest <= strand.held <= 5
                        assert rest == 0 or how not in CHAINS
                        hops += "&" in name
            assert sorted(made) == wanted, synapse.name
            compared += len(wanted)
        deep += any(p.lattice is not None and p.lattice.length > 1 for p in stream.populations)
    assert compared > 100 and deep > 5
    assert (hops > 0) == (how in ("lists", "axonal")), "longer waits than a neuron can hold pass relays"


def recounted(placement: Placement) -> dict[str, np.ndarray]:
    """What every core takes, box by box, from the synapses that end in it: all but words of synapses."""
    wiring, limits = placement.wiring, placement.board
    found = {name: np.zeros(placement.packing.cores, np.int64) for name in ("neurons", "waiting", "in_axons", "gates")}
    for core in placement.cores:
        for slab in core.slabs:
            found["neurons"][core.index] += slab.size
            strands = [wiring.strands[s.name] for s in wiring.into(slab.population)]
            held = max((strand.held for strand in strands), default=0)
            bits = slab.size * (held + 1 if held else 0) * wiring.width(slab.population)
            found["waiting"][core.index] += -(-bits // limits.word_bits)
            if wiring.rest_messages(slab.population):
                found["gates"][core.index] += 1
                found["in_axons"][core.index] += 1
            for synapse in wiring.into(slab.population):
                strand = wiring.strands[synapse.name]
                if strand.leads:
                    grid = placement.packing.grids[slab.population]
                    from mksgn.mapping.memory import in_axons
                    every = list(grid.slabs(slab.population, slab.shape))
                    axons = in_axons(synapse, wiring.shape(synapse), slab.shape, grid, strand.rules(limits))
                    found["in_axons"][core.index] += axons.ravel()[every.index(slab)]
    return found


@pytest.mark.parametrize("objective", ["cores", "time"])
@pytest.mark.parametrize("ways", ["any", "stock", *WAYS])
def test_limits_hold_for_every_way_and_objective(ways: str, objective: str) -> None:
    fitted = late = 0
    for seed, _, stream in waiting_pairs()[:8]:
        where = tiny_board()
        delays = Delays.parse("accumulators", ways)
        placement = place(stream, where, whole_activity(stream, seed), objective=objective,  # type: ignore[arg-type]
                          delays=delays)
        found = recounted(placement)
        for core in placement.cores:
            usage = core.usage
            assert usage["neurons"] == found["neurons"][core.index]
            assert usage["in_axons"] == found["in_axons"][core.index]
            assert usage["core_words"] == (usage["neurons"] + usage["synapse_words"] + usage["out_axons"]
                                           + found["waiting"][core.index])
        if [p for p in placement.problems if p.limit not in ("message_bits", "weight_bits")]:
            continue
        fitted += 1
        for core in placement.cores:
            assert core.neurons <= where.neurons and len(core.slabs) <= where.neuron_groups
            for name in ("synapse_words", "core_words", "in_axons", "out_axons"):
                assert core.usage[name] <= getattr(where, name)
        held = {p.name: 0 for p in placement.graph.populations[1:]}
        for core in placement.cores:
            for slab in core.slabs:
                held[slab.population] += slab.size
        assert held == {p.name: p.size for p in placement.graph.populations[1:]}, "every neuron once"
        assert {each.realisation for each in placement.made} <= set(delays.allowed)
        assert {each.synapse for each in placement.made} == set(Timing(stream).late)
        late += len(placement.made)
    assert fitted > 3 and late > 5


def test_free_delays_never_need_more_cores_than_delays_that_take_memory() -> None:
    fewer, tight = 0, tiny_board(neurons=60, core_words=150, synapse_words=140, neuron_groups=0, delay_steps=62)
    for seed, _, stream in waiting_pairs():
        for where in (tiny_board(), tight):
            free, priced_ = (place(stream, where, whole_activity(stream, seed), objective="cores",
                                   delays=Delays(bits)).packing for bits in (0, None))
            assert free.cores <= priced_.cores, seed
            fewer += free.cores < priced_.cores
            top = [getattr(where, name) for name in ("synapse_words", "in_axons", "out_axons", "core_words")]
            assert (free.usage[:, 2:] <= top).all() or (priced_.usage[:, 2:] > top).any()
    assert fewer > 2


def test_a_relay_is_as_late_as_its_chain_makes_it() -> None:
    for how in CHAINS:
        for _, _, stream in waiting_pairs()[:10]:
            timing = Timing(stream)
            wiring = wire(timing, dict.fromkeys(timing.late, how), Delays(), 5)
            for name, late in wiring.behind.items():
                lattice = stream[wiring.repeats[name]].lattice
                assert lattice is not None
                if lattice.length == 1 or how != "registers":
                    assert behind(wiring, name, lattice.interval, lattice.length) == (wiring.repeats[name], late)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ways"), [("nw-ucla", "axonal"), ("nw-ucla-joint", "stock")])
def test_shipped_nets_fit_one_chip(name: str, ways: str) -> None:
    """The large one by one way alone: where all may be chosen, it takes no more, and choosing takes long."""
    stream = streamed(read_net(ROOT / "models" / name / "mksgn.net"))
    placement = place(stream, CHIP, objective="cores", delays=Delays.parse(ways=ways))
    assert not placement.problems and placement.chips == 1
