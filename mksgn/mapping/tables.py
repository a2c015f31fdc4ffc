"""A placement as tables for the terminal, and as one dictionary for JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from mksgn.energy.work import CoreWork
from mksgn.ir.streaming import is_endless
from mksgn.mapping.activity import UNIFORM_RATE
from mksgn.mapping.delays import REALISATIONS, assumed
from mksgn.mapping.inside import ASSUMED
from mksgn.mapping.memory import fan_in
from mksgn.mapping.packing import RESOURCES, limits_of
from mksgn.mapping.placement import Placement
from mksgn.mapping.price import modelled
from mksgn.mapping.schema import BusiestCore, MadeDelay, PlacedChip, PlacedLayer, PlacementRecord, Traffic

_MS = 1e-6


def record(placement: Placement, work: CoreWork) -> PlacementRecord:
    """Everything about a placement: layers, chips, cores, busiest core, traffic, problems, assumptions."""
    board, load = placement.board, _load(placement, work)
    return {
        "board": board.name, "generation": board.generation, "objective": placement.objective,
        "cores": placement.packing.cores, "chips": placement.chips,
        "board_cores": board.cores, "board_chips": board.chips,
        "steps": work.steps, "latency_steps": work.latency_steps, "uniform_activity": placement.uniform,
        "limits": limits_of(board), "layers": layers(placement, work), "chip_list": chips(placement, work),
        "busiest": busiest(placement, work), "traffic": traffic(work), "modelled": modelled(board, work),
        "core_list": [{"index": core.index, "chip": core.chip, "load_ms": float(load[core.index]) * _MS,
                       "usage": core.usage,
                       "slabs": [{"population": slab.population, "channels": slab.channels, "frames": slab.frames,
                                  "joints": slab.joints} for slab in core.slabs]} for core in placement.cores],
        "problems": [{"limit": p.limit, "where": p.where, "used": p.used, "allowed": p.allowed, "change": p.change}
                     for p in placement.problems],
        "delay_price": placement.wiring.delays.price if placement.wiring.delays else None,
        "delays": delays(placement), "sources": board.sources, "assumed": assumptions(placement),
    }


def layers(placement: Placement, work: CoreWork) -> list[PlacedLayer]:
    """One row per population: how it is cut, what its fullest core takes, its load and its largest fan-in."""
    load = _load(placement, work)
    found: list[PlacedLayer] = []
    for name, grid in placement.packing.grids.items():
        cores = np.unique(placement.packing.core[name])
        fullest = placement.packing.usage[cores].max(axis=0)
        found.append({"population": name, "neurons": placement.graph[name].size, "cores": len(cores),
                      "chips": np.unique(placement.chip[cores]).tolist(), "parts": grid.parts,
                      "fullest": dict(zip(RESOURCES, fullest.tolist())), "fan_in": fan_in(placement.graph, name),
                      "busiest_ms": float(load[cores].max()) * _MS})
    return found


def chips(placement: Placement, work: CoreWork) -> list[PlacedChip]:
    """One row per chip in use: cores, mean use of each limit over the chip's cores, load, messages to others."""
    load = _load(placement, work)
    found: list[PlacedChip] = []
    limits = limits_of(placement.board)
    for chip in range(placement.chips):
        here = placement.chip == chip
        usage = placement.packing.usage[here]
        shares = {name: float(usage[:, RESOURCES.index(name)].sum()) / (limit * placement.board.cores_per_chip)
                  for name, limit in limits.items()}
        found.append({"chip": chip, "cores": int(here.sum()), "utilisation": shares,
                      "mean_load_ms": float(load[here].mean()) * _MS, "busiest_ms": float(load[here].max()) * _MS,
                      "to_other_chips": float(work.chip_crossings[here].sum())})
    return found


def busiest(placement: Placement, work: CoreWork) -> BusiestCore:
    """The core with the largest load, and what its load is made of."""
    parts = placement.load(work)
    load = _load(placement, work)
    index = int(np.argmax(load))
    return {"core": index, "chip": int(placement.chip[index]), "load_ms": float(load[index]) * _MS,
            "mean_load_ms": float(load.mean()) * _MS,
            "causes": {cause: float(values[index]) * _MS for cause, values in parts.items()},
            "populations": sorted({slab.population for slab in placement.cores[index].slabs}),
            "synops": float(work.synops[index] + work.macs[index]), "neurons": int(work.neurons[index]),
            "messages_in": float(work.messages_in[index])}


def traffic(work: CoreWork) -> Traffic:
    """Messages per sample: sent by neurons, between cores, between chips, from the host; hops in all."""
    return {"spikes": work.total("spikes"), "messages": work.total("messages_out"),
            "between_chips": work.total("chip_crossings"), "from_host": work.host_messages,
            "hops_ew": work.total("hops_ew"), "hops_ns": work.total("hops_ns")}


def delays(placement: Placement) -> list[MadeDelay]:
    """One row per synapse whose messages wait: how its delays are made, and what the other ways would take."""
    return [{"synapse": each.synapse, "sources": each.sources, "target": each.target, "waits": each.waits,
             "taps": each.taps, "realisation": each.realisation, "accumulators": each.accumulators,
             "relays": each.relays, "takes": {str(how): value for how, value in each.takes.items()},
             "unit": each.unit} for each in placement.made]


def assumptions(placement: Placement) -> dict[str, str]:
    """What is not public or not measured, by name: the board's assumed values, and the activity where none is given."""
    board = placement.board
    found = {name: f"{_value(getattr(board, name))}: {text}" for name, text in board.assumed.items()}
    if placement.wiring.delays is not None:
        found |= assumed(placement.wiring.delays, {strand.realisation for strand in placement.wiring.strands.values()})
        if is_endless(placement.wiring.stream):  # nothing rests
            del found["gate"]
    if placement.uniform:
        found["activity"] = f"{UNIFORM_RATE} spikes per neuron and step, an input message at every step: none was given"
    if placement.network is not None:
        found["attention"] = ASSUMED
    found["load"] = (f"{board.synop_ns} ns per synaptic operation, {board.update_ns} ns per neuron update, "
                     f"{board.message_ns} ns per arriving message: the weights of a core's load, no prediction")
    return found


def verdict(placement: Placement) -> str:
    """Whether the net fits on the board, and what it takes there."""
    board, graph = placement.board, placement.graph
    neurons = sum(population.size for population in graph.populations[1:])
    relays = sum(graph[name].size for name in placement.wiring.repeats)
    takes = (f"{neurons:,} neurons{f' ({relays:,} of them relays)' if relays else ''}, "
             f"{len(placement.wiring.stream.synapses)} synapses on {board.name} ({board.generation}, "
             f"{board.chips:,} chips of {board.cores_per_chip} cores): {placement.packing.cores:,} cores on "
             f"{placement.chips:,} chips")
    if placement.problems:
        return f"does not fit: {takes}"
    return f"fits, every limit is kept: {takes}"


def layers_table(rows: list[PlacedLayer], placement: Placement) -> Table:
    """The rows of :func:`layers`."""
    table = _table("layer", "neurons", "cut C x F x V", "cores", "neurons %", "memory %", "in-axons", "out-axons",
                   "fan-in", "busiest ms")
    board = placement.board
    for row in rows:
        full = row["fullest"]
        words = max(full["synapse_words"] / board.synapse_words,
                    full["core_words"] / board.core_words if board.core_words else 0)
        table.add_row(Text(row["population"]), f"{row['neurons']:,}", " x ".join(map(str, row["parts"])),
                      f"{row['cores']:,}", f"{full['neurons'] / board.neurons:.0%}", f"{words:.0%}",
                      f"{full['in_axons']:,}", f"{full['out_axons']:,}", f"{row['fan_in']:,}",
                      f"{row['busiest_ms']:.3f}")
    return table


def chips_table(rows: list[PlacedChip]) -> Table:
    """The rows of :func:`chips`."""
    names = {"neurons": "neurons", "synapse_words": "synapses", "core_words": "memory", "in_axons": "in-axons",
             "out_axons": "out-axons"}
    shown = [name for name in names if name in rows[0]["utilisation"]]
    table = _table("chip", "cores", *(f"{names[name]} %" for name in shown), "mean ms", "busiest ms", "to other chips")
    for row in rows:
        table.add_row(str(row["chip"]), str(row["cores"]), *(f"{row['utilisation'][name]:.1%}" for name in shown),
                      f"{row['mean_load_ms']:.3f}", f"{row['busiest_ms']:.3f}", f"{row['to_other_chips']:,.0f}")
    return table


def delays_table(rows: list[MadeDelay]) -> Table:
    """The rows of :func:`delays`: what the way that was chosen takes, and the best of the others."""
    unit = rows[0]["unit"]
    table = _table("synapse", "waits", "taps", "made by", "accumulators", "relays", f"takes, {unit}", "else")
    for row in rows:
        others = {how: value for how, value in row["takes"].items() if how != row["realisation"]}
        second = min(others, key=lambda how: others[how]) if others else None
        low, high = row["waits"]
        table.add_row(Text(row["synapse"]), str(low) if low == high else f"{low}-{high}", str(row["taps"]),
                      row["realisation"], str(row["accumulators"] or "-"), f"{row['relays']:,}",
                      f"{row['takes'][row['realisation']]:.3f}", f"{second} {others[second]:.3f}" if second else "-")
    return table


def delays_lines(rows: list[MadeDelay]) -> list[str]:
    """One line for each way in which delays are made: how many synapses took it, and what the others would take."""
    found = []
    for how, words in REALISATIONS.items():
        taken = [row for row in rows if row["realisation"] == how]
        if taken:
            names = [name for name in REALISATIONS if name in taken[0]["takes"]]
            takes = ", ".join(f"{name} {sum(row['takes'][name] for row in taken):.1f}" for name in names)
            found.append(f"delays of {len(taken)} synapses by {how} ({words}): up to "
                         f"{max(row['waits'][1] for row in taken)} steps; {taken[0]['unit']} that each way would take, "
                         f"targets and relays together: {takes}")
    return found


def busiest_line(row: BusiestCore, of: str = "sample") -> str:
    """The busiest core and why; ``of``: what the figures are of, a sample or a frame."""
    causes = ", ".join(f"{value / row['load_ms']:.0%} {cause}" for cause, value in
                       sorted(row["causes"].items(), key=lambda item: -item[1])) if row["load_ms"] else "nothing to do"
    return (f"busiest core: {row['core']} on chip {row['chip']}, {' and '.join(row['populations'])}: "
            f"{row['load_ms']:.3f} ms per {of} ({causes}); {row['synops']:,.0f} synaptic operations, "
            f"{row['neurons']:,} neurons, {row['messages_in']:,.0f} messages; the mean core has "
            f"{row['mean_load_ms']:.3f} ms")


def traffic_line(row: Traffic, of: str = "sample") -> str:
    """Messages in one line; ``of`` as for :func:`busiest_line`."""
    return (f"traffic per {of}: {row['spikes']:,.0f} spikes become {row['messages']:,.0f} messages to cores, "
            f"{row['between_chips']:,.0f} of them between chips; {row['from_host']:,.0f} messages from the host; "
            f"{row['hops_ew']:,.0f} hops east-west, {row['hops_ns']:,.0f} north-south")


def _load(placement: Placement, work: CoreWork) -> np.ndarray:
    return np.sum(list(placement.load(work).values()), axis=0)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _value(value: Any) -> str:
    return " x ".join(map(str, value)) if isinstance(value, tuple) else str(value)
