"""Readings of the paper that its numbers can come from, enumerated and held against what is printed.

A reading is a choice of what the text leaves open (frames, streams, what is counted, kernel sizes). Few are tried
and all are returned, the nearest first: with enough of them something always fits, and that would prove nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product

from _layers import NTU60, Layer, Setting, parameters, st_gcn, total
from _spiking import TIME_STEPS, Variant, apply_table6, base_sgn, mk_sgn, table6_rate

from mksgn.energy import E_AC_PJ, E_MAC_PJ
from mksgn.energy.printed import MODALITIES, TABLE1, PrintedRow, rounding

_MJ_PER_PJ = 1e-9
ALL, CONVOLUTIONS = "conv linear mix pair", "conv linear"


@dataclass(frozen=True)
class Reading:
    """One way to arrive at a printed number.

    Parameters
    ----------
    label : str
    value, factor : float
        What it gives, and the printed number over that.
    """

    label: str
    value: float
    factor: float

    @property
    def distance(self) -> float:
        """|ln factor|, which counts too much and too little alike."""
        return abs(math.log(self.factor))


def ann_readings(printed_g: float, layers_of: Callable[[Setting], list[Layer]], streams: tuple[int, ...],
                 settings: tuple[Setting, ...]) -> list[Reading]:
    """OPs of a floating-point network, nearest first.

    Parameters
    ----------
    printed_g : float
        OPs of the paper, G.
    layers_of : callable
        Setting to layer table of one stream.
    streams : tuple of int
    settings : tuple of Setting
        Sequence lengths to try.
    """
    readings = []
    for setting, count, kinds in product(settings, streams, (ALL, CONVOLUTIONS)):
        value = count * total(layers_of(setting), kinds) / 1e9
        what = "convolutions only" if kinds == CONVOLUTIONS else "all products"
        plural = "s" if count > 1 else ""
        readings.append(Reading(f"{count} stream{plural}, {setting.frames} frames, {what}", value, printed_g / value))
    return sorted(readings, key=lambda reading: reading.distance)


def first_layer_interval(row: PrintedRow) -> tuple[float, float]:
    """First-layer MACs (millions) that the row's energy and SOPs leave room for, given how both are rounded.

    Eq. 34 solved for its first term: (E - 0.9 pJ SOPs) / 4.6 pJ. A negative upper end means that no first layer
    whatsoever is small enough: 0.9 pJ per SOP alone is more than the printed energy.
    """
    assert row.power_mj is not None and row.ops_g is not None
    energy, sops = rounding(row.power_mj), rounding(row.ops_g)
    ac, mac = Decimal(str(E_AC_PJ)), Decimal(str(E_MAC_PJ))
    # 1 mJ / 1 pJ is 1e9; SOPs are in 1e9 as well, and the result is wanted in 1e6.
    low, high = ((energy[i] - ac * sops[1 - i]) / mac * 1000 for i in (0, 1))
    return float(low), float(high)


@dataclass(frozen=True)
class Convention:
    """One convention for the three networks of Table 1 at once.

    Parameters
    ----------
    label : str
    factors : dict of str to float
        Printed over ours, by quantity.
    """

    label: str
    factors: dict[str, float]

    def worst(self, names: Iterable[str] | None = None) -> float:
        """Largest factor, either way round, of these quantities; None: of all."""
        return max(max(self.factors[name], 1 / self.factors[name]) for name in names or self.factors)


TIMES = {"T not in FLOPs": (1, 1), "T in FLOPs": (TIME_STEPS, 1),
         "T in FLOPs and again in SOPs": (TIME_STEPS, TIME_STEPS)}
"""Powers of T in FLOPs, and in SOPs beyond the one of Eq. 33. The last is Eq. 33 on FLOPs of a GPU run,
which are of all T steps already."""
VARIANTS = {
    "as ours: 9 x 1, K = 3": Variant(),
    "Table 7's coder 3 -> 3": Variant(coder=3),
    "5 x 1, K = 3, coder 3 -> 3": Variant(coder=3, taps=5),
    "7 x 1, K = 1, coder 3 -> 3": Variant(coder=3, taps=7, partitions=1),
}


def nearest_kernel(printed_m: float, layers_of: Callable[[int, int], list[Layer]]) -> str:
    """The temporal kernel and number of partitions whose parameters come nearest, in words."""
    sizes = {(taps, partitions): parameters(layers_of(taps, partitions)) / 1e6
             for taps, partitions in product((3, 5, 7, 9), (1, 3))}
    (taps, partitions), size = min(sizes.items(), key=lambda item: abs(math.log(printed_m / item[1])))
    return f"nearest: {taps} x 1, {partitions} partition{'s' if partitions > 1 else ''}: {size:.2f} M"


def _printed(name: str) -> PrintedRow:
    """The row of Table 1 for one modality and no distillation."""
    return next(row for row in TABLE1 if row.name == name and not row.distilled and row.modalities == 1)


def conventions() -> list[Convention]:
    """Every variant x persons x :data:`TIMES` x FLOPs per MAC, the one whose worst factor is smallest first."""
    rows = {name: _printed(name) for name in ("ST-GCN", "Base-SGN", "MK-SGN")}
    found = []
    for (label, variant), persons, (times, (steps, again)), per_mac in product(
            VARIANTS.items(), (1, 2), TIMES.items(), (1, 2)):
        setting = replace(NTU60, persons=persons)
        ann = st_gcn(setting, variant.partitions, variant.taps)
        base, student = base_sgn(setting, variant), mk_sgn(setting, variant)
        modelled = apply_table6(student, 1)
        flops = {"ST-GCN FLOPs": (rows["ST-GCN"].flops_g, total(ann)),
                 "Base-SGN FLOPs": (rows["Base-SGN"].flops_g, steps * total(list(base), "coder conv linear mix gate")),
                 "MK-SGN FLOPs": (rows["MK-SGN"].flops_g, steps * modelled.flops),
                 "MK-SGN SOPs": (rows["MK-SGN"].ops_g, again * modelled.sops)}
        factors = {name: float(given) * 1e9 / (per_mac * value) for name, (given, value) in flops.items() if given}
        for name, layers in (("ST-GCN", ann), ("Base-SGN", base), ("MK-SGN", student)):
            given = rows[name].parameters_m
            assert given is not None
            factors[f"{name} parameters"] = float(given) * 1e6 / parameters(list(layers))
        text = (f"{label}; {persons} person{'s' if persons > 1 else ''}; {times}; "
                f"{per_mac} FLOP{'s' if per_mac > 1 else ''} per MAC")
        found.append(Convention(text, factors))
    return sorted(found, key=lambda convention: convention.worst())


@dataclass(frozen=True)
class Estimator:
    """The mutual-information estimator of SMF (Eq. 16-21) under one reading of its sizes.

    Every joint is a sequence of Times steps; its features are two modalities of D = 3 channels x F frames each
    ("maps T and C into an N-dimensional temporal spiking sequence vector", Eq. 3), concatenated (Eq. 16).

    Parameters
    ----------
    features, hidden : int
        2 D, and the LSTM's width.
    parameters : int
        LSTM and FC to one number; one estimator for all pairs.
    input_macs, state_macs : int
        Of one pass and one time step, all joints: weights met by spikes, and by the LSTM's own real-valued state
        (with the FC).
    passes : int
        2 per pair: joint and marginal distribution.
    """

    features: int
    hidden: int
    parameters: int
    input_macs: int
    state_macs: int
    passes: int


def estimator_parameters() -> float:
    """Parameters that four modalities add in Table 1: the estimator's, and those of three small coders."""
    sizes = {row.modalities: row.parameters_m for row in TABLE1 if row.name == "MK-SGN"}
    assert sizes[4] is not None and sizes[1] is not None
    return float(sizes[4] - sizes[1]) * 1e6


def estimator(setting: Setting, modalities: int) -> Estimator:
    """The power-of-two width whose size is nearest to what Table 1 adds for it on NTU.

    Parameters
    ----------
    setting : Setting
    modalities : int
        k: k (k - 1) / 2 pairs.
    """
    features, places = 2 * 3 * setting.frames, setting.joints * setting.persons

    def size(hidden: int) -> int:
        return 4 * hidden * (features + hidden + 2) + hidden + 1

    hidden = min((2 ** power for power in range(4, 11)), key=lambda width: abs(size(width) - estimator_parameters()))
    return Estimator(features, hidden, size(hidden), places * 4 * hidden * features,
                     places * (4 * hidden * hidden + hidden), modalities * (modalities - 1))


@dataclass(frozen=True)
class FusionCost:
    """The SMF term of Eq. 35 for one sample.

    Parameters
    ----------
    sop_mc : float
        SOP_MC, one pair: everything in the estimator counted as spike-driven, at the coders' mean rate.
    sops, energy_mj : float
        k (k - 1) / 2 SOP_MC, and at 0.9 pJ each.
    spike_driven_sops, real_macs : float
        The same passes told apart: only the input weights see spikes; the LSTM's state and FC are real numbers.
    real_energy_mj : float
        0.9 pJ and 4.6 pJ on those.
    """

    sop_mc: float
    sops: float
    energy_mj: float
    spike_driven_sops: float
    real_macs: float
    real_energy_mj: float


def fusion_cost(size: Estimator) -> FusionCost:
    """SMF by Eq. 35, and with the LSTM's real-valued state counted as what it is."""
    rate = sum(table6_rate(f"sc.{name}", 1) for name in MODALITIES) / len(MODALITIES)
    pairs = size.passes // 2
    sop_mc = 2 * TIME_STEPS * rate * (size.input_macs + size.state_macs)
    spikes = size.passes * TIME_STEPS * rate * size.input_macs
    macs = float(size.passes * TIME_STEPS * size.state_macs)
    return FusionCost(sop_mc, pairs * sop_mc, E_AC_PJ * pairs * sop_mc * _MJ_PER_PJ, spikes, macs,
                      (E_AC_PJ * spikes + E_MAC_PJ * macs) * _MJ_PER_PJ)
