"""The tables of the paper as data: Zheng et al., MK-SGN, arXiv 2404.10210, Tables 1-3, 6 and 7.

Transcribed digit by digit; a :class:`~decimal.Decimal` keeps how many digits were printed, and so how far a
figure can be from what it was rounded from (:func:`rounding`). None stands for the paper's ``/`` or ``-``.
Nothing here is computed and nothing is ours.

What the source is unclear about, in the text version that these were read from:

- Table 1: the rows with and without knowledge distillation differ in FLOPs (7.32 and 7.65 G; 7.76 and 7.84 G),
  although distillation leaves the network as it is.
- Table 1 prints Spikformer's X-View accuracy as 80.6 %, Table 2 as 80.1 %; the text gives the energy of the
  4-modality network without distillation as 0.67 mJ, Table 1 as 0.596 mJ.
- Table 2 cites MS-G3D as "Ke et al. 2018", which is another work; MS-G3D is Liu et al. 2020.
- Table 6: rows whose first cell is merged with the one above lost it (``STC1_res_lif`` stands where "Lay1" should);
  layer 4 has ``SA-SGC4_lif3`` where the other layers have ``lif2``; only layer 1 calls its attention
  ``SG-SA1_Conv1_...``. The names are kept as printed.
- Table 7's caption says NTU-RGB+D 60; the text uses the same networks for all three datasets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

MODALITIES = ("bone", "joint", "bone_motion", "joint_motion")
"""In the order of the paper's Eq. 24, [P_B, P_J, P_BM, P_JM]: the only order the paper gives."""


@dataclass(frozen=True)
class PrintedRow:
    """One network in one of the Tables 1-3.

    Parameters
    ----------
    name : str
        As the paper has it, without citation.
    kind : 'ANN' or 'SNN'
    parameters_m : Decimal or None
        Parameters, millions.
    ops_g : Decimal or None
        Operations, thousand millions: MACs of an ANN ("FLOPs"), SOPs of an SNN.
    flops_g : Decimal or None
        Table 1 only: FLOPs of the network on a GPU, thousand millions.
    power_mj : Decimal or None
        Energy per sample, mJ (the paper calls it power).
    accuracy : dict of str to Decimal
        Split to per cent.
    modalities : int or None
        Streams that the figures are for; None where the table does not say.
    distilled : bool
    """

    name: str
    kind: str
    parameters_m: Decimal | None
    ops_g: Decimal | None
    flops_g: Decimal | None
    power_mj: Decimal | None
    accuracy: dict[str, Decimal]
    modalities: int | None = None
    distilled: bool = False


def rounding(value: Decimal) -> tuple[Decimal, Decimal]:
    """Lowest and highest number that rounds to ``value`` at the digits it was printed with.

    Examples
    --------
    >>> rounding(Decimal("0.68"))
    (Decimal('0.675'), Decimal('0.685'))
    """
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "printed figures are finite"
    half = Decimal((0, (5,), exponent - 1))
    return value - half, value + half


def _figure(text: str) -> Decimal | None:
    return None if text in ("/", "-") else Decimal(text)


def _rows(text: str, splits: tuple[str, ...], columns: str) -> tuple[PrintedRow, ...]:
    """Rows of ``name | kind | columns | accuracies``, one a line."""
    rows = []
    for line in text.strip().splitlines():
        name, kind, *cells = (cell.strip() for cell in line.split("|"))
        figures = dict(zip(columns.split(), cells))
        accuracy = {split: Decimal(value) for split, value in zip(splits, cells[len(figures):]) if value != "/"}
        param, ops, flops, power = (_figure(figures.get(key, "/")) for key in ("param", "ops", "flops", "power"))
        rows.append(PrintedRow(
            name, kind, param, ops, flops, power, accuracy,
            modalities=int(figures["modalities"]) if "modalities" in figures else None,
            distilled=figures.get("distilled") == "yes"))
    return tuple(rows)


TABLE1 = _rows("""
ST-GCN               | ANN | 2.11 | 1 | /   | /    | 2.56  | 11.78 | 81.5 | 88.3
Base-SGN             | SNN | 2.07 | 1 | /   | 0.60 | 7.17  | 0.536 | 64.2 | 71.3
Spikformer           | SNN | 4.78 | 1 | /   | 1.69 | 24.07 | 2.17  | 73.9 | 80.6
MK-SGN               | SNN | 1.89 | 1 | /   | 0.64 | 7.32  | 0.573 | 74.5 | 80.9
MK-SGN               | SNN | 1.89 | 1 | yes | 0.66 | 7.65  | 0.582 | 75.9 | 82.1
MK-SGN               | SNN | 2.17 | 4 | /   | 0.67 | 7.76  | 0.596 | 76.1 | 82.6
MK-SGN               | SNN | 2.17 | 4 | yes | 0.68 | 7.84  | 0.614 | 78.5 | 85.6
""", ("NTU60 X-Sub", "NTU60 X-View"), "param modalities distilled ops flops power")
"""Ablation on NTU-RGB+D 60, T = 4."""

TABLE2 = _rows("""
Lie Group                | ANN | /    | /     | /      | 50.1 | 52.8 | /    | /
HBRNN                    | ANN | /    | /     | /      | 59.1 | 64.0 | /    | /
Deep LSTM                | ANN | /    | /     | /      | 60.7 | 67.3 | /    | /
ST-GCN                   | ANN | 2.11 | 2.56  | 11.78  | 81.5 | 88.3 | 70.7 | 73.2
2s-AGCN                  | ANN | 3.48 | 35.8  | 164.68 | 89.2 | 95.0 | 82.9 | 84.9
Shift-GCN                | ANN | /    | 10    | 46     | 90.7 | 96.5 | 85.9 | 87.6
MS-G3D                   | ANN | 3.19 | 67.63 | 311.09 | 91.5 | 96.2 | 86.9 | 88.4
CTR-GCN                  | ANN | 1.46 | 7.88  | 36.25  | 92.4 | 96.8 | 88.9 | 90.6
Base-SGN                 | SNN | 2.07 | 0.60  | 0.536  | 64.2 | 71.3 | 45.2 | 47.3
Spikformer               | SNN | 4.78 | 1.69  | 2.17   | 73.9 | 80.1 | 61.7 | 63.7
Spike-driven Transformer | SNN | 4.77 | 1.57  | 1.93   | 73.4 | 80.6 | 62.3 | 64.1
MK-SGN                   | SNN | 2.17 | 0.68  | 0.614  | 78.5 | 85.6 | 67.8 | 69.5
""", ("NTU60 X-Sub", "NTU60 X-View", "NTU120 X-Sub", "NTU120 X-View"), "param ops power")
"""NTU-RGB+D 60 and 120. OPs and energy of "existing multi-modal GCN methods"
are said to be those of one stream times the number of streams.

2s-AGCN is printed as "2S-AGCN". Table 2 calls the second split of NTU120 X-View; the dataset has X-Set there."""

TABLE3 = _rows("""
Lie Group                | ANN | - | -     | -     | 74.2
Actionlet ensemble       | ANN | - | -     | -     | 76.0
HBRNN-L                  | ANN | - | -     | -     | 78.5
Ensemble TS-LSTM         | ANN | - | -     | -     | 89.2
Shift-GCN                | ANN | - | 0.7   | 3.22  | 94.6
CTR-GCN                  | ANN | 1.46 | 2.48  | 12.15 | 96.5
Base-SGN                 | SNN | 2.07 | 0.151 | 0.195 | 86.4
Spikformer               | SNN | 4.78 | 0.513 | 0.673 | 85.4
Spike-driven Transformer | SNN | 4.77 | 0.501 | 0.643 | 83.4
MK-SGN                   | SNN | 2.17 | 0.165 | 0.207 | 92.3
""", ("NW-UCLA",), "param ops power")
"""NW-UCLA. The kind of a network, which Table 3 does not print, is Table 2's."""

_TABLE6 = """
SC1_lif 0.0446   SC2_lif 0.0865   SC3_lif 0.0702   SC4_lif 0.0480
SA-SGC1_lif1 0.0123   SA-SGC1_lif2 0.0141   SG-SA1_lifx 0.0095   SG-SA1_Conv1_lifq 0.0072   SG-SA1_Conv1_lifk 0.0103
SG-SA1_Conv1_lifv 0.0090   SG-SA1_Conv1_lifkv 0.0108   STC1_lif 0.0177   STC1_res_lif 0.0101
SA-SGC2_lif1 0.0101   SA-SGC2_lif2 0.0078   SG-SA2_lifx 0.0121   SG-SA2_lifq 0.0098   SG-SA2_lifk 0.0098
SG-SA2_lifv 0.0091   SG-SA2_lifkv 0.0143   STC2_lif 0.0117
SA-SGC3_lif1 0.0089   SA-SGC3_lif2 0.0105   SG-SA3_lifx 0.0121   SG-SA3_lifq 0.0087   SG-SA3_lifk 0.0135
SG-SA3_lifv 0.0116   SG-SA3_lifkv 0.0101   STC3_lif 0.0121   STC3_res_lif 0.0091
SA-SGC4_lif1 0.0089   SA-SGC4_lif3 0.0097   SG-SA4_lifx 0.0119   SG-SA4_lifq 0.0109   SG-SA4_lifk 0.0093
SG-SA4_lifv 0.0102   SG-SA4_lifkv 0.0124   STC4_lif 0.0090
SA-SGC5_lif1 0.0107   SA-SGC5_lif2 0.0119   SG-SA5_lifx 0.0119   SG-SA5_lifq 0.0093   SG-SA5_lifk 0.0094
SG-SA5_lifv 0.0103   SG-SA5_lifkv 0.0127   STC5_lif 0.0107   STC5_res_lif 0.0119
SA-SGC6_lif1 0.0093   SA-SGC6_lif2 0.0209   SG-SA6_lifx 0.0147   SG-SA6_lifq 0.0141   SG-SA6_lifk 0.0141
SG-SA6_lifv 0.0094   SG-SA6_lifkv 0.0090   STC6_lif 0.0150
FC_lif1 0.0163
"""

TABLE6_RATES: dict[str, float] = {name: float(rate) for name, rate in re.findall(r"(\S+) (\d\.\d+)", _TABLE6)}
"""Mean firing rates (spikes per neuron and step) of MK-SGN's populations on NTU-RGB+D 60, T = 4, by printed name."""

TABLE7: dict[str, dict[str, tuple[int, ...]]] = {
    "GCN": {"widths": (64,) * 4 + (128,) * 3 + (256,) * 3, "strides": (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)},
    "Base-SGN": {"widths": (64,) * 4 + (128,) * 3 + (256,) * 3, "strides": (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)},
    "MK-SGN": {"widths": (64, 64, 128, 128, 256, 256), "strides": (1, 1, 2, 1, 2, 1)},
    "Spikformer": {"widths": (256,) * 6, "strides": (1,) * 6},
}
"""Output channels and temporal strides of the layers, in order. The fire layer of the spiking networks, SC, is
printed as 3 -> 3 channels, and Spikformer's, SPS, as 3 -> 256; the last layer is GAP and FC."""


def table6_name(population: str) -> str | None:
    """The row of Table 6 that a population of our networks is, or None where the paper names no such population.

    Names as in :mod:`mksgn.networks.mksgn` (six layers):

    ===================================  =====================================================================
    ``sc``, ``sc.joint``                 SC2_lif, if Table 6 keeps Eq. 24's order (:data:`MODALITIES`); it does
                                         not say which coder is which
    ``sc.bone``, ``sc.bone_motion``,     SC1_lif, SC3_lif, SC4_lif, likewise
    ``sc.joint_motion``
    ``blockL.lif1``                      SA-SGC{L}_lif1; where the width stays, our lif1 is the population before
                                         it and has no name of its own
    ``blockL.lif2``                      SA-SGC{L}_lif2 (layer 4: printed as lif3)
    ``blockL.sgsa.x``, ``q k v kv``      SG-SA{L}_lifx, ... (layer 1: SG-SA1_Conv1_lifq, ...)
    ``blockL.res``                       STC{L}_res_lif, printed for layers 1, 3 and 5
    ``blockL.stc``                       STC{L}_lif
    ``head.gap``                         FC_lif1
    ===================================  =====================================================================

    The paper has no row for ``input``, ``blockL.mix`` (joint mixing as a population), ``blockL.sgsa.k_and_v``
    and ``blockL.sgsa.out`` (gates, which the paper computes as products), and ``head.fc``, which never fires.
    """
    if population == "head.gap":
        return "FC_lif1"
    if population == "sc" or population.startswith("sc."):
        modality = population[3:] or "joint"
        return f"SC{MODALITIES.index(modality) + 1}_lif" if modality in MODALITIES else None
    found = re.fullmatch(r"block(\d+)\.(.+)", population)
    if not found:
        return None
    layer, part = found.groups()
    patterns = {"lif1": ("SA-SGC{}_lif1",), "lif2": ("SA-SGC{}_lif2", "SA-SGC{}_lif3"), "res": ("STC{}_res_lif",),
                "stc": ("STC{}_lif",), **{f"sgsa.{letter}": (f"SG-SA{{}}_lif{letter}", f"SG-SA{{}}_Conv1_lif{letter}")
                                          for letter in ("x", "q", "k", "v", "kv")}}
    names = (pattern.format(layer) for pattern in patterns.get(part, ()))
    return next((name for name in names if name in TABLE6_RATES), None)
