"""The paper's Tables 1-3 row by row: printed, ours, the factor between them, and why.

Ours is the paper's configuration taken at its word: 64 frames, 25 joints, 2 persons, T = 4 (NW-UCLA: 20 joints, 1
person, and the 52 frames of CTR-GCN's published preprocessing, since the paper prints none). FLOPs are
multiply-accumulates, as the paper defines them, of one time step; SOPs have T in them (Eq. 33).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

from _layers import (
    NTU60,
    NTU60_300,
    NW_UCLA,
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
    ALL,
    CONVOLUTIONS,
    Reading,
    ann_readings,
    estimator,
    first_layer_interval,
    fusion_cost,
    nearest_kernel,
)
from _spiking import TIME_STEPS, ModelledOps, Variant, apply_table6, base_sgn, mk_sgn

from mksgn.energy import E_MAC_PJ
from mksgn.energy.printed import TABLE1, TABLE2, TABLE3, PrintedRow, rounding

ANN: dict[str, tuple[Callable[[Setting], list[Layer]], int]] = {
    "ST-GCN": (st_gcn, 1), "2s-AGCN": (agcn, 2), "Shift-GCN": (shift_gcn, 4), "MS-G3D": (ms_g3d, 2),
    "CTR-GCN": (ctr_gcn, 4)}
"""Layer table of one stream, and the streams that the printed accuracy is of."""
AGREES = 0.05
"""A factor this near to one counts as reproduced."""


@dataclass(frozen=True)
class Comparison:
    """One printed number and ours.

    Parameters
    ----------
    table : int
    network : str
    quantity : 'parameters' (M), 'FLOPs' (G), 'SOPs' (G) or 'energy' (mJ)
    printed : float
    ours : float or None
        None where it cannot be computed: no firing rates are printed for the network.
    reproduced : 'yes', 'by another reading' or 'no'
    why : str
    """

    table: int
    network: str
    quantity: str
    printed: float
    ours: float | None
    reproduced: str
    why: str

    @property
    def factor(self) -> float | None:
        """Printed over ours."""
        return None if self.ours is None else self.printed / self.ours

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**self.__dict__, "factor": self.factor}


def near(factor: float) -> bool:
    """Whether a factor is within 5 % of one, either way round."""
    return max(factor, 1 / factor) <= 1 + AGREES


def _compare(table: int, network: str, quantity: str, printed: Any, ours: float | None, why: str,
             other: bool = False) -> list[Comparison]:
    """One row, or none where the paper prints nothing. ``other``: a reading that the paper does not state fits."""
    if printed is None:
        return []
    agrees = ours is not None and near(float(printed) / ours)
    verdict = "yes" if agrees else "by another reading" if other else "no"
    return [Comparison(table, network, quantity, float(printed), ours, verdict, why)]


def _parameters(table: int, row: PrintedRow, layers_of: Callable[[Setting], list[Layer]], why: str = "",
                setting: Setting = NTU60) -> list[Comparison]:
    """Trained numbers; the class count the printed digits fit is named."""
    ours = parameters(layers_of(setting)) / 1e6
    if row.parameters_m is not None and not why:
        low, high = (float(end) for end in rounding(row.parameters_m))
        counts = {classes: parameters(layers_of(replace(setting, classes=classes))) / 1e6 for classes in (60, 120)}
        fits = [f"{value:.3f} M with {classes} classes" for classes, value in counts.items() if low <= value <= high]
        cut = [f"{value:.3f} M with {classes} classes, cut off instead of rounded" for classes, value in counts.items()
               if low <= value - (high - low) / 2 <= high]
        why = (fits + cut + ["layer by layer from the publication"])[0]
    return _compare(table, row.name, "parameters", row.parameters_m, ours, why)


def _shrinks(table: int, row: PrintedRow) -> str:
    """The printed SOPs of NW-UCLA as a part of NTU's, beside joints x frames x persons; for Table 3 only."""
    if table != 3:
        return ""
    larger = next(other for other in TABLE2 if other.name == row.name).ops_g
    assert larger is not None and row.ops_g is not None
    places = [s.joints * s.frames * s.persons for s in (NW_UCLA, NTU60)]
    return (f"; {float(row.ops_g / larger):.2f} of NTU's, joints x frames x persons are "
            f"{places[0] / places[1]:.2f} of NTU's")


def _ann(table: int, row: PrintedRow, setting: Setting, lengths: tuple[Setting, ...]) -> list[Comparison]:
    """A floating-point network: parameters, FLOPs, energy."""
    layers_of, streams = ANN[row.name]
    why = ""
    if row.name == "ST-GCN":
        temporal = sum(layer.parameters for layer in st_gcn(setting) if layer.name.endswith("temporal")) / 1e6
        near_m = nearest_kernel(float(row.parameters_m or 0), lambda taps, k: st_gcn(setting, k, taps))
        why = f"9 x 1 temporal convolutions alone have {temporal:.2f} M; {near_m}"
    rows = _parameters(table, row, layers_of, why)
    printed = row.ops_g or row.flops_g
    if printed is None:
        return rows
    ours = streams * total(layers_of(setting)) / 1e9
    best = ann_readings(float(printed), layers_of, (streams,), lengths)[0]
    reason = f"nearest: {best.label}: {best.value:.2f} G, factor {best.factor:.2f}"
    rows += _compare(table, row.name, "FLOPs", printed, ours, reason, near(best.factor))
    assert row.power_mj is not None
    by_formula = float(printed) * E_MAC_PJ
    reason = (f"4.6 pJ x printed {printed} G = {by_formula:.2f} mJ" +
              ("" if near(float(row.power_mj) / by_formula)
               else f", not the printed {row.power_mj} (x {float(row.power_mj) / by_formula:.3f})"))
    consistent = near(float(row.power_mj) / by_formula)
    rows += _compare(table, row.name, "energy", row.power_mj, ours * E_MAC_PJ, reason,
                     near(best.factor) and consistent)
    return rows


@dataclass(frozen=True)
class Modelled:
    """MK-SGN by Eq. 35 with Table 6's rates.

    Parameters
    ----------
    core : ModelledOps
        Everything but SMF.
    fusion_sops : float
        k (k - 1) / 2 SOP_MC.
    fusion_flops, fusion_parameters : int
        Dense MACs of one time step and trained numbers of the estimator.
    energy_mj : float
        All of Eq. 35.
    """

    core: ModelledOps
    fusion_sops: float
    fusion_flops: int
    fusion_parameters: int
    energy_mj: float


@lru_cache
def modelled(setting: Setting, modalities: int) -> Modelled:
    """Our MK-SGN under the paper's energy model."""
    core = apply_table6(mk_sgn(setting), modalities)
    if modalities == 1:
        return Modelled(core, 0.0, 0, 0, core.energy_mj)
    size = estimator(setting, modalities)
    cost = fusion_cost(size)
    return Modelled(core, cost.sops, size.passes * (size.input_macs + size.state_macs), size.parameters,
                    core.energy_mj + cost.energy_mj)


def _mk_sgn(table: int, row: PrintedRow, setting: Setting, modalities: int) -> list[Comparison]:
    layers, ours = mk_sgn(setting), modelled(setting, modalities)
    coder = sum(layer.parameters for layer in layers if layer.name.startswith("sc"))
    temporal = sum(layer.parameters for layer in layers if layer.name.endswith("stc.0"))
    name = f"{row.name}, {modalities} modalit{'y' if modalities == 1 else 'ies'}"
    name += ", distilled" if row.distilled else ""
    size = ours.fusion_parameters
    trained = (parameters(list(layers)) + (modalities - 1) * coder + size) / 1e6
    why = f"9 x 1 temporal convolutions alone have {temporal / 1e6:.2f} M"
    why += (f"; ours holds an estimator of {size / 1e6:.2f} M" if size else "; " + nearest_kernel(
        float(row.parameters_m or 0), lambda taps, k: list(mk_sgn(setting, Variant(coder=3, taps=taps, partitions=k)))))
    rows = _compare(table, name, "parameters", row.parameters_m, trained, why)
    sops_why = "Table 6's rates on our layers"
    if row.flops_g is not None and row.ops_g is not None:
        why = "see the conventions below"
        if row.distilled:
            plain = next(r for r in TABLE1 if (r.name, r.modalities, r.distilled) == (row.name, modalities, False))
            why = f"the same network has {plain.flops_g} G in the row without distillation"
        rows += _compare(table, name, "FLOPs", row.flops_g, (ours.core.flops + ours.fusion_flops) / 1e9, why)
        ratio = float(row.ops_g / row.flops_g) / TIME_STEPS
        sops_why += f"; SOPs / (T FLOPs) is {ratio:.2%} printed, {ours.core.effective_rate:.2%} ours"
    if modalities > 1:
        sops_why += f"; of ours SMF is {ours.fusion_sops / 1e9:.3f}{_shrinks(table, row)}"
    rows += _compare(table, name, "SOPs", row.ops_g, (ours.core.sops + ours.fusion_sops) / 1e9, sops_why)
    low, high = first_layer_interval(row)
    room = (f"0.9 pJ x SOPs is already more than the energy, by {-high * E_MAC_PJ / 1000:.3f} mJ at least" if high < 0
            else f"leaves {max(low, 0):.2f} to {high:.2f} M MACs for the first layer; "
                 f"ours has {ours.core.first_layer_macs / 1e6:.2f} M")
    return rows + _compare(table, name, "energy", row.power_mj, ours.energy_mj, room)


def _spiking(table: int, row: PrintedRow, layers: list[Layer], flops: float, steps_why: str) -> list[Comparison]:
    """A spiking network without printed rates: the rate its SOPs imply, and what its energy leaves."""
    assert row.ops_g is not None
    rate = float(row.ops_g) / (TIME_STEPS * flops)
    low, high = first_layer_interval(row)
    rows = _compare(table, row.name, "FLOPs", row.flops_g, flops, steps_why)
    rows += _compare(table, row.name, "SOPs", row.ops_g, None,
                     f"no rates printed; on our layers it means {rate:.2%} spikes per input and step"
                     + _shrinks(table, row))
    return rows + _compare(table, row.name, "energy", row.power_mj, None,
                           f"leaves {max(low, 0):.2f} to {high:.2f} M MACs for the first layer; one step of it has "
                           f"{layers[0].macs / 1e6:.2f} M")


def _snn(table: int, row: PrintedRow, setting: Setting) -> list[Comparison]:
    modalities = row.modalities or 4
    if row.name == "MK-SGN":
        return _mk_sgn(table, row, setting, modalities)
    if row.name == "Base-SGN":
        base: list[Layer] = list(base_sgn(setting))
        temporal = sum(layer.parameters for layer in base if layer.name.endswith("stc.0")) / 1e6
        near_m = nearest_kernel(float(row.parameters_m or 0), lambda taps, k: list(
            base_sgn(setting, Variant(coder=3, taps=taps, partitions=k))))
        why = f"9 x 1 temporal convolutions alone have {temporal:.2f} M; {near_m}"
        rows = _parameters(table, row, lambda s: list(base_sgn(s)), why)
        return rows + _spiking(table, row, base, total(base, "coder conv linear mix gate") / 1e9,
                               "see the conventions below")
    driven = row.name != "Spikformer"
    layers = spikformer(setting, driven)
    rows = _parameters(table, row, lambda s: spikformer(s, driven))
    why = ""
    if row.flops_g is not None:
        best = min((Reading(f"{what}, {persons} person{'s' if persons > 1 else ''}, {steps} "
                            f"step{'s' if steps > 1 else ''}", value, float(row.flops_g) / value)
                    for what, kinds in (("all products", ALL), ("linear layers only", CONVOLUTIONS))
                    for persons, steps in product((1, 2), (1, TIME_STEPS))
                    for value in [steps * total(spikformer(replace(setting, persons=persons), driven), kinds) / 1e9]),
                   key=lambda reading: reading.distance)
        why = f"nearest: {best.label}: {best.value:.2f} G, factor {best.factor:.2f}"
    return rows + _spiking(table, row, layers, total(layers) / 1e9, why)


def comparisons() -> list[Comparison]:
    """Every number of Tables 1-3 whose network has published layers, in the paper's order, each network once."""
    rows: list[Comparison] = []
    done = set()
    for table, printed, setting, lengths in ((1, TABLE1, NTU60, (NTU60, NTU60_300)),
                                             (2, TABLE2, NTU60, (NTU60, NTU60_300)),
                                             (3, TABLE3, NW_UCLA, (NW_UCLA, replace(NW_UCLA, frames=64)))):
        for row in printed:
            # Table 2 repeats Table 1's networks.
            if table == 2 and row.name in done:
                continue
            done.add(row.name)
            if row.name in ANN:
                rows += _ann(table, row, setting, lengths)
            elif row.kind == "SNN":
                rows += _snn(table, row, setting)
    return rows

