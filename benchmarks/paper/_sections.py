"""The tables that `python benchmarks/paper` prints: each a title, a sentence, columns and rows of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import mean
from typing import Any

from _compare import ANN, Comparison, modelled
from _counting import NETWORKS, count_graph, count_network, spiking_graph
from _layers import (
    NTU60,
    NW_UCLA,
    K,
    Layer,
    Setting,
    agcn,
    ctr_gcn,
    ms_g3d,
    parameters,
    shift_gcn,
    spikformer,
    st_gcn,
    total,
)
from _readings import (
    VARIANTS,
    conventions,
    estimator,
    estimator_parameters,
    first_layer_interval,
    fusion_cost,
)
from _spiking import TIME_STEPS, Variant, apply_table6, base_sgn, mk_sgn

from mksgn.energy import E_AC_PJ, E_MAC_PJ
from mksgn.energy.printed import TABLE1, TABLE2, TABLE3, TABLE6_RATES, TABLE7, PrintedRow


@dataclass(frozen=True)
class Section:
    """One table.

    Parameters
    ----------
    title, note : str
    columns : tuple of str
    rows : sequence of tuple of str
    """

    title: str
    note: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Agreement:
    """One network by formula and by counting.

    Parameters
    ----------
    network : str
    macs, counted : int
        One time step, one stream.
    parameters, counted_parameters : int
    explained : int
        Counted MACs that the formula leaves out on purpose; ``difference`` names them.
    difference : str
    synapses : int
        Spiking networks: synapses of the graph, compared one by one.
    unequal : tuple of str
        Those that differ, or that only one side has.
    """

    network: str
    macs: int
    counted: int
    parameters: int
    counted_parameters: int
    explained: int = 0
    difference: str = ""
    synapses: int = 0
    unequal: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether nothing is left unexplained."""
        return (self.counted - self.macs == self.explained and self.parameters == self.counted_parameters
                and not self.unequal)


def agreements(setting: Setting = NTU60) -> list[Agreement]:
    """Every network that we can build, both ways."""
    formulas: dict[str, Callable[[Setting], list[Layer]]] = {
        "ST-GCN": st_gcn, "2s-AGCN": agcn, "Shift-GCN": shift_gcn, "MS-G3D": ms_g3d,
        "CTR-GCN": lambda s: ctr_gcn(s, pooled_first=True)}
    found = []
    for name in NETWORKS:
        layers, (counted, trained) = formulas[name](setting), count_network(name, setting)
        explained, difference = 0, ""
        if name == "CTR-GCN":
            explained = setting.persons * 2 * K * setting.joints ** 2 * sum(TABLE7["GCN"]["widths"])
            saved = total(ctr_gcn(setting)) - total(layers)
            difference = (f"A and the bias of W4 are two more inputs of its product: 2 K C' V^2; the published order "
                          f"(mean after W1 and W2) would be {saved / 1e9:.3f} G more")
        found.append(Agreement(name, total(layers), counted, parameters(layers), trained, explained, difference))
    for name, spiking in (("Base-SGN", base_sgn(setting)), ("MK-SGN", mk_sgn(setting))):
        graph, trained = spiking_graph(name, setting)
        by_synapse, by_formula = count_graph(graph), {row.name: row.macs for row in spiking if row.sources}
        names = sorted(by_synapse.keys() | by_formula.keys())
        counted, met = (sum(pair[i] for pair in by_synapse.values()) for i in (0, 1))
        found.append(Agreement(
            name, sum(by_formula.values()), counted, parameters(list(spiking)), trained, synapses=len(by_synapse),
            difference=f"if every neuron fires once, {met / counted:.1%} of them are met: the rest are borders, joints "
                       "that are no neighbours, the other person, and weights that round to zero",
            unequal=tuple(n for n in names if by_synapse.get(n, (None,))[0] != by_formula.get(n))))
    return found


def compared(rows: list[Comparison]) -> Section:
    """Tables 1-3."""
    unit = {"parameters": "M", "FLOPs": "G", "SOPs": "G", "energy": "mJ"}
    return Section(
        "Printed against ours",
        "64 frames, 25 joints, 2 persons, T = 4 (NW-UCLA: 52 frames, 20 joints, 1 person). FLOPs: multiply-accumulates "
        "of one time step, times the streams of a fused network. Factor: printed over ours.",
        ("table", "network", "quantity", "printed", "ours", "factor", "reproduced", "why"),
        [(str(row.table), row.network, f"{row.quantity}, {unit[row.quantity]}", f"{row.printed:g}",
          "" if row.ours is None else f"{row.ours:.3g}" if row.quantity != "parameters" else f"{row.ours:.2f}",
          "" if row.factor is None else f"{row.factor:.2f}", row.reproduced, row.why) for row in rows])


def agreed(found: list[Agreement]) -> Section:
    """Formula = counting."""
    rows = []
    for item in found:
        exact = "yes" + (f", {item.synapses} synapses" if item.synapses else "")
        if not item.exact:
            exact = f"NO: {item.counted - item.macs - item.explained:,} {', '.join(item.unequal)}".strip()
        rows.append((item.network, f"{item.macs:,}", f"{item.counted:,}", exact, f"{item.parameters:,}",
                     f"{item.counted_parameters:,}", item.difference))
    return Section(
        "By formula and by counting",
        "One stream, one time step, 64 frames, 2 persons, 60 classes. Neither way counts batch norm, ReLU, softmax, "
        "tanh, maxima, means, shifts, masks, interpolation or biases. Convolutions count their padding.",
        ("network", "MACs by formula", "counted", "equal", "parameters by formula", "counted", "difference"), rows)


def _name(row: PrintedRow) -> str:
    """A network with what tells its rows apart."""
    modalities = f", {row.modalities} modalities" if row.name == "MK-SGN" and row.modalities else ""
    return row.name + modalities.replace("1 modalities", "1 modality") + (", distilled" if row.distilled else "")


def arithmetic() -> Section:
    """The part of the printed energies that is left for the first layer."""
    rows = []
    for table, printed in ((1, TABLE1), (2, TABLE2), (3, TABLE3)):
        for row in printed:
            # Table 2 repeats Table 1's spiking networks.
            if row.kind == "ANN" or (table == 2 and row.name != "Spike-driven Transformer"):
                continue
            assert row.ops_g is not None and row.power_mj is not None
            low, high = first_layer_interval(row)
            rate = float(row.ops_g / row.flops_g) if row.flops_g else None
            rows.append((str(table), _name(row), f"{row.ops_g}", f"{float(row.power_mj) / E_AC_PJ:.3f}",
                         "impossible" if high < 0 else f"{max(low, 0):.2f} .. {high:.2f}",
                         "" if rate is None else f"{rate:.2%}", "" if rate is None else f"{rate / TIME_STEPS:.2%}"))
    return Section(
        "The paper's own arithmetic",
        "E = 4.6 pJ FL1 + 0.9 pJ SOPs solved for FL1, with the rounding of both printed figures. Impossible: even "
        "with no first layer, 0.9 pJ x SOPs is more than the energy.",
        ("table", "network", "SOPs, G", "energy / 0.9 pJ, G", "first layer, M MACs", "SOPs / FLOPs",
         "SOPs / (T FLOPs)"), rows)


def first_layers() -> Section:
    """First layers, and the energies that have room for them."""
    rows = []
    for data, printed, settings in (("NTU", TABLE1, (NTU60,)),
                                    ("NW-UCLA", TABLE3, (NW_UCLA, replace(NW_UCLA, frames=64)))):
        room = {_name(row): (first_layer_interval(row), row.modalities or (4 if row.name == "MK-SGN" else 1))
                for row in printed if row.name in ("Base-SGN", "MK-SGN")}
        for setting, coder, modalities, steps in product(settings, (3, 64), (1, 4), (1, TIME_STEPS)):
            once = next(layer.macs for layer in mk_sgn(setting, Variant(coder=coder)) if layer.kind == "coder")
            macs = modalities * steps * once / 1e6
            fits = [name for name, ((low, high), count) in room.items() if count == modalities and low <= macs <= high]
            rows.append((data, str(setting.frames), f"3 -> {coder}", str(modalities), str(steps), f"{macs:.2f}",
                         "; ".join(fits) or "none"))
    return Section(
        "First layers, and the energies that have room for them",
        "A 3 x 3 convolution from the coordinates (Eq. 4), once or at every step (PCM, Eq. 3), against the rows of the "
        "table above with as many modalities.",
        ("data", "frames", "coder", "modalities", "steps", "M MACs", "fits"), rows)


def _students() -> dict[tuple[int | None, bool], PrintedRow]:
    return {(row.modalities, row.distilled): row for row in TABLE1 if row.name == "MK-SGN"}


def rates() -> Section:
    """Table 6 on MK-SGN, under every reading of persons, modalities and kernel."""
    rows = []
    for persons, (label, variant), modalities in product((1, 2), VARIANTS.items(), (1, 4)):
        ops = apply_table6(mk_sgn(replace(NTU60, persons=persons), variant), modalities)
        rows.append((label, str(persons), str(modalities), f"{ops.flops / 1e9:.3f}",
                     f"{ops.first_layer_macs / 1e6:.2f}", f"{ops.effective_rate:.2%}", f"{ops.sops / 1e9:.3f}",
                     f"{ops.energy_mj:.3f}"))
    inner = [rate for name, rate in TABLE6_RATES.items() if not name.startswith("SC")]
    trained = [row for row in mk_sgn(NTU60) if row.kind == "conv"]
    trains = sum(row.macs * len(row.sources) for row in trained) / sum(row.macs for row in trained)
    printed = [f"{row.ops_g} G SOPs, {float(row.ops_g / row.flops_g) / TIME_STEPS:.2%} and {row.power_mj} mJ with "
               f"{row.modalities}" for (_, distilled), row in _students().items()
               if distilled and row.ops_g and row.flops_g]
    return Section(
        "Table 6's rates on MK-SGN, without SMF",
        f"Mean of Table 6: {mean(TABLE6_RATES.values()):.2%}, without the coders {mean(inner):.2%}. The effective "
        "rate is higher because convolutions see sums of spike trains (Eq. 7, 10: up to three), "
        f"{trains:.2f} on average by FLOPs. Printed: {'; '.join(printed)}.",
        ("network", "persons", "modalities", "FLOPs of a step, G", "first layer, M MACs", "effective rate", "SOPs, G",
         "energy, mJ"), rows)


def fusion() -> Section:
    """The SMF term."""
    rows = []
    for label, setting in (("NTU", NTU60), ("NW-UCLA", NW_UCLA)):
        size = estimator(setting, 4)
        cost = fusion_cost(size)
        rows.append((label, f"{size.features} -> {size.hidden}", f"{size.parameters / 1e6:.3f}",
                     f"{cost.sop_mc / 1e6:.2f}", f"{cost.sops / 1e6:.1f}", f"{cost.energy_mj:.3f}",
                     f"{cost.real_macs / 1e6:.1f}", f"{cost.real_energy_mj:.3f}"))
    added, students = [], _students()
    for distilled in (False, True):
        four, one = students[4, distilled], students[1, distilled]
        assert four.ops_g and one.ops_g and four.power_mj and one.power_mj and four.flops_g and one.flops_g
        added.append(f"{four.ops_g - one.ops_g} G SOPs, {four.flops_g - one.flops_g} G FLOPs and "
                     f"{four.power_mj - one.power_mj} mJ")
    return Section(
        "The SMF term of Eq. 35",
        "One reading: an LSTM and FC over the T steps of every joint, two modalities of 3 channels x F frames as "
        f"features, the power-of-two width nearest to the {estimator_parameters() / 1e6:.2f} M parameters that Table 1 "
        "adds; 6 pairs, joint and marginal. As spikes: all of it at the coders' mean rate. But the LSTM's state is "
        "real-valued: with those as MACs at 4.6 pJ, the last column. From one to four modalities Table 1 adds "
        f"{added[0]} ({added[1]} with distillation), coders included.",
        ("data", "LSTM", "parameters, M", "SOP_MC, M", "6 SOP_MC, M", "as spikes, mJ", "real-valued MACs, M",
         "with MACs, mJ"), rows)


def conventions_table(count: int = 5) -> Section:
    """The conventions that come nearest, over everything and over the spiking networks' operations only."""
    found = conventions()
    spiking = ("Base-SGN FLOPs", "MK-SGN FLOPs", "MK-SGN SOPs")
    chosen = found[:count] + sorted(found, key=lambda item: item.worst(spiking))[:count]
    order = sorted({item.label: item for item in chosen}.values(), key=lambda item: item.worst())
    columns = tuple(order[0].factors)
    rows = [(item.label, *(f"{item.factors[name]:.2f}" for name in columns), f"{item.worst():.2f}",
             f"{item.worst(spiking):.2f}") for item in order]
    return Section(
        "One convention for Table 1's ST-GCN, Base-SGN and MK-SGN",
        f"Printed over ours for {len(found)} conventions tried: the {count} nearest over all seven figures, and the "
        f"{count} nearest over the three of the spiking networks' operations. 2 FLOPs per MAC stands for any doubling, "
        "such as 128 frames.", ("convention", *columns, "worst", "worst, spiking"), rows)


def like_for_like() -> Section:
    """Every floating-point network on the same input, and what MK-SGN saves then."""
    student = next(row for row in TABLE2 if row.name == "MK-SGN").power_mj
    assert student is not None
    ours = modelled(NTU60, 4).energy_mj
    rows = []
    for row in TABLE2:
        if row.name not in ANN:
            continue
        layers_of, streams = ANN[row.name]
        same = streams * total(layers_of(NTU60)) * E_MAC_PJ * 1e-9
        printed = float(row.power_mj or 0)
        rows.append((row.name, str(streams), f"{printed:g}", f"{same:.2f}", f"{1 - float(student) / printed:.2%}",
                     f"{1 - float(student) / same:.2%}", f"{1 - ours / same:.2%}"))
    return Section(
        "Like for like",
        "Every network on 64 frames and 2 persons with its published streams, 4.6 pJ per MAC; what MK-SGN saves with "
        f"the printed {student} mJ, and with {ours:.3f} mJ (Eq. 35, Table 6's rates, our layers, SMF as spikes).",
        ("network", "streams", "printed, mJ", "64 frames, mJ", "saved, as printed", "saved, like for like",
         "saved, our energy"), rows)


def layer_tables() -> dict[str, list[dict[str, Any]]]:
    """Every layer table, for the JSON file and --layers."""
    tables: dict[str, list[Layer]] = {name: layers_of(NTU60) for name, (layers_of, _) in ANN.items()}
    tables |= {"Spikformer": spikformer(NTU60), "Spike-driven Transformer": spikformer(NTU60, True),
               "Base-SGN": list(base_sgn(NTU60)), "MK-SGN": list(mk_sgn(NTU60))}
    return {name: [dict(layer.__dict__) for layer in layers] for name, layers in tables.items()}
