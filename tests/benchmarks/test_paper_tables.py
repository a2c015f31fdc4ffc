"""python benchmarks/paper and the paper's tables as data: transcription, hand counts, formula = counting."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from network_of import network_of
from programs import program_module

from mksgn.energy.printed import TABLE1, TABLE2, TABLE3, TABLE6_RATES, TABLE7, rounding, table6_name
from mksgn.errors import ConfigError
from mksgn.skeleton import UCLA20

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = "benchmarks/paper"
RESULTS = ROOT / "benchmarks" / "results" / "paper_tables.md"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch):
    """Imports a helper of the program by name."""
    monkeypatch.syspath_prepend(str(ROOT / PROGRAM))

    def load(name: str) -> ModuleType:
        return __import__(name)

    return load


@pytest.fixture
def audit() -> Iterator[ModuleType]:
    """The program as a module."""
    with program_module(PROGRAM) as module:
        yield module


# ---------------------------------------------------------------- the paper's tables as data
@pytest.fixture
def paper(data_dir: Path) -> str:
    """The paper's text, kept beside the data."""
    path = data_dir.parent / "paper" / "mk-sgn.txt"
    if not path.is_file():
        pytest.skip(f"no text of the paper at {path}")
    return path.read_text(encoding="utf-8")


def test_table6_is_the_papers(paper):
    section = paper[paper.index("Table 6: Layer") : paper.index("Table 7: Model")]
    assert {name: float(rate) for name, rate in re.findall(r"(\S+)\t(0\.\d+)", section)} == TABLE6_RATES
    assert len(TABLE6_RATES) == 56


@pytest.mark.parametrize("start,end,table", [("Table 1:", "EXPERIMENTS", TABLE1), ("Table 2:", "Table 3:", TABLE2),
                                             ("Table 3:", "sumption.", TABLE3)])
def test_tables_1_to_3_are_the_papers(paper, start, end, table):
    """Every row's figures stand in one line of the table, in the table's order and to the digit."""
    section = paper[paper.index(start) :]
    lines = [re.sub(r"\([^)]*\)", "", line).split("\t") for line in section[: section.index(end)].splitlines()]
    for row in table:
        figures = [row.parameters_m, row.ops_g, row.flops_g, row.power_mj, *row.accuracy.values()]
        wanted = [str(figure) for figure in figures if figure is not None]
        found = [line for line in lines if row.name.lower() in " ".join(line[:3]).lower()
                 and [cell for cell in line if cell in wanted] == wanted
                 and ("✓" in line) == row.distilled]
        assert len(found) == 1, (row, found)


@given(st.decimals(min_value=0, max_value=1000, places=3))
def test_rounding_brackets_what_was_printed(value):
    for places in (0, 1, 2):
        printed = round(value, places)
        low, high = rounding(printed)
        assert low <= value <= high
        assert high - low == Decimal(1).scaleb(-places)


def test_our_populations_have_their_row_of_table6():
    net = network_of(body=UCLA20, classes=4, frames=8, widths=(4, 4, 8, 8, 16, 16),
                     strides=TABLE7["MK-SGN"]["strides"])
    named = {name: table6_name(name) for name in ["input", *net.names, "head.fc"]}
    assert all(row in TABLE6_RATES for row in named.values() if row)
    rows = [row for row in named.values() if row]
    assert len(set(rows)) == len(rows), "two populations share a row"
    assert {re.sub(r"\d", "", name) for name, row in named.items() if row is None} == {
        "input", "block.mix", "block.sgsa.k_and_v", "block.sgsa.out", "head.fc"}
    # What Table 6 has and we do not: three coders, lif1 where the width stays, a residual where nothing changes shape.
    assert set(TABLE6_RATES) - set(rows) == {"SC1_lif", "SC3_lif", "SC4_lif", "SA-SGC1_lif1", "SA-SGC2_lif1",
                                             "SA-SGC4_lif1", "SA-SGC6_lif1", "STC1_res_lif"}
    assert named["block4.lif2"] == "SA-SGC4_lif3" and named["block1.sgsa.q"] == "SG-SA1_Conv1_lifq"
    assert table6_name("block7.stc") is None and table6_name("sc.velocity") is None


# ---------------------------------------------------------------- formulas
def test_a_convolution_counted_with_loops(bench):
    layers = bench("_layers")
    table = layers._Table(layers.Setting(persons=3))
    table.conv("c", 4, 6, (5, 2), taps=3, groups=2)
    (row,) = table.layers
    loops = sum(1 for _ in itertools.product(range(3), range(6), range(5), range(2), range(4 // 2), range(3)))
    assert row.macs == loops and row.parameters == 6 * 2 * 3 + 6


@pytest.mark.parametrize("frames,joints,persons,classes", [(64, 25, 2, 60), (16, 20, 1, 7)])
def test_formula_and_counting_agree(bench, frames, joints, persons, classes):
    """Not only at the paper's size: every network, every synapse of ours."""
    found = bench("_sections").agreements(bench("_layers").Setting(frames, joints, persons, classes))
    assert [item.network for item in found] == ["ST-GCN", "2s-AGCN", "Shift-GCN", "MS-G3D", "CTR-GCN", "Base-SGN",
                                                "MK-SGN"]
    for item in found:
        assert item.exact, item
        assert item.explained == 0 or item.difference, "a difference without a name"
    assert [item.synapses for item in found[-2:]] == [53, 91]


def test_a_wrong_formula_is_noticed(bench, monkeypatch):
    sections, layers = bench("_sections"), bench("_layers")
    small = layers.Setting(16, 20, 1, 7)
    monkeypatch.setattr(sections, "st_gcn", lambda setting: layers.st_gcn(setting, taps=7))
    monkeypatch.setattr(sections, "mk_sgn", lambda setting: bench("_spiking").mk_sgn(
        setting, bench("_spiking").Variant(taps=7)))
    by_name = {item.network: item for item in sections.agreements(small)}
    assert not by_name["ST-GCN"].exact and by_name["2s-AGCN"].exact
    assert by_name["MK-SGN"].unequal == tuple(f"block{number}.stc.0" for number in range(1, 7))
    text = {row[0]: row[3] for row in sections.agreed(list(by_name.values())).rows}
    assert text["ST-GCN"].startswith("NO") and "block1.stc.0" in text["MK-SGN"]


def test_table6_on_two_layers_by_hand(bench):
    spiking = bench("_spiking")
    layers = [spiking.SpikingLayer("sc", "coder", (1, 1, 1), 1000, 0, ("input",)),
              spiking.SpikingLayer("a", "conv", (1, 1, 1), 500, 0, ("sc",)),
              spiking.SpikingLayer("b", "gate", (1, 1, 1), 300, 0, ("block1.sgsa.k_and_v", "block1.stc"))]
    one = spiking.apply_table6(layers, 1)
    assert one.sops == pytest.approx(4 * (500 * 0.0865 + 300 * (0.0090 + 0.0177)))
    assert one.energy_mj == pytest.approx((4.6 * 1000 + 0.9 * one.sops) * 1e-9)
    assert one.effective_rate == pytest.approx(one.sops / (4 * 800)) and one.flops == 1800
    four = spiking.apply_table6(layers, 4, "conv")
    assert four.sops == pytest.approx(4 * 500 * (0.0446 + 0.0865 + 0.0702 + 0.0480))
    assert four.first_layer_macs == 4000


def test_first_layer_interval_by_hand(bench):
    readings = bench("_readings")
    table = {row.name: row for row in TABLE3}
    # (0.2065 - 0.9 x 0.1655) / 4.6 and (0.2075 - 0.9 x 0.1645) / 4.6 mJ / pJ, in millions.
    assert readings.first_layer_interval(table["MK-SGN"]) == pytest.approx((12.5109, 12.9239), abs=1e-3)
    distilled = next(row for row in TABLE1 if row.modalities == 1 and row.distilled)
    assert readings.first_layer_interval(distilled)[1] == pytest.approx((0.5825 - 0.9 * 0.655) / 4.6 * 1e3)


def test_the_estimator_is_an_lstm_and_fc(bench):
    """Its size and its products against torch's own modules."""
    layers, readings = bench("_layers"), bench("_readings")
    size = readings.estimator(layers.NTU60, 4)
    lstm, fc = torch.nn.LSTM(size.features, size.hidden), torch.nn.Linear(size.hidden, 1)
    assert size.parameters == sum(p.numel() for module in (lstm, fc) for p in module.parameters())
    assert size.input_macs == 50 * lstm.weight_ih_l0.numel()
    assert size.state_macs == 50 * (lstm.weight_hh_l0.numel() + fc.weight.numel())
    assert size.passes == 12
    assert readings.estimator_parameters() == pytest.approx(0.28e6)
    cost = readings.fusion_cost(size)
    assert cost.sops == pytest.approx(6 * cost.sop_mc) and cost.real_energy_mj > cost.energy_mj


def test_conventions_hold_what_they_say(bench):
    readings = bench("_readings")
    found = readings.conventions()
    assert len(found) == 48 and [c.worst() for c in found] == sorted(c.worst() for c in found)
    by_label = {convention.label: convention.factors for convention in found}
    one, two = (by_label[f"as ours: 9 x 1, K = 3; 2 persons; T not in FLOPs; {text}"]
                for text in ("1 FLOP per MAC", "2 FLOPs per MAC"))
    with_t = by_label["as ours: 9 x 1, K = 3; 2 persons; T in FLOPs; 1 FLOP per MAC"]
    for name in one:
        doubled = 1 if name.endswith("parameters") else 2
        assert one[name] == pytest.approx(doubled * two[name])
        in_flops = 4 if name in ("Base-SGN FLOPs", "MK-SGN FLOPs") else 1
        assert one[name] == pytest.approx(in_flops * with_t[name]), "T is in SOPs already, and not in a GCN"
    # Two persons and a doubling are one person and T = 4 once more, for everything but the GCN and the parameters.
    twice = by_label["as ours: 9 x 1, K = 3; 1 person; T in FLOPs and again in SOPs; 1 FLOP per MAC"]
    for name in ("Base-SGN FLOPs", "MK-SGN FLOPs", "MK-SGN SOPs"):
        assert twice[name] == pytest.approx(two[name], rel=0.05)


# ---------------------------------------------------------------- the program
def test_the_program_and_its_committed_output(program, tmp_path):
    out, page = tmp_path / "audit.json", tmp_path / "audit.md"
    done = program("--json", out, "--markdown", page)
    assert done.code == 0, done.out[-2000:] + done.err[-2000:]
    result = json.loads(out.read_text())
    assert all(item["exact"] for item in result["agreement"])
    rows = {(row["table"], row["network"], row["quantity"]): row for row in result["rows"]}
    sops = rows[1, "MK-SGN, 1 modality", "SOPs"]
    assert sops["factor"] == pytest.approx(sops["printed"] / sops["ours"])
    assert rows[2, "CTR-GCN", "FLOPs"]["reproduced"] == "yes"
    assert rows[2, "2s-AGCN", "FLOPs"]["reproduced"] == "by another reading"
    assert rows[1, "Base-SGN", "SOPs"]["ours"] is None and rows[1, "Base-SGN", "SOPs"]["factor"] is None
    total = sum(layer["macs"] for layer in result["layers"]["MS-G3D"])
    assert total == next(item["counted"] for item in result["agreement"] if item["network"] == "MS-G3D")

    def body(text: str) -> list[str]:
        return [line for line in text.splitlines() if not line.startswith("commit ")]

    assert body(page.read_text()) == body(RESULTS.read_text()), "run the command at its head again"


def test_every_figure_of_the_docs_is_printed():
    """What docs/paper-audit.md quotes stands in the committed output, which the test above compares with a run."""
    text = (ROOT / "docs" / "paper-audit.md").read_text(encoding="utf-8").replace("2404.10210", "")
    quoted = set(re.findall(r"(?<![\d.])\d+\.\d{2,}", text))
    printed = set(re.findall(r"(?<![\d.])\d+\.\d+", RESULTS.read_text(encoding="utf-8")))
    assert len(quoted) > 60
    assert quoted <= printed, sorted(quoted - printed)


def test_layers_of_one_network(audit, capsys):
    assert audit.main(audit.Options(layers="Shift-GCN")) == 0
    printed = capsys.readouterr().out
    assert "761,461,760" in printed and "690,291" in printed


@pytest.mark.parametrize("options,message", [
    ({"layers": "ResNet"}, "no layer table"), ({"layers": "ST-GCN", "json": Path("x.json")}, "--layers only prints"),
    ({"json": Path("no/such/folder/x.json")}, "does not exist"), ({"markdown": ROOT}, "not a file name")])
def test_bad_options(audit, options, message):
    with pytest.raises(ConfigError, match=message):
        audit.main(audit.Options(**options))


def test_a_bad_option_is_one_message_and_exit_code_2(program):
    done = program("--layers", "ResNet")
    assert done.code == 2 and "no layer table" in done.err


def test_exit_code_1_when_formula_and_counting_disagree(audit, bench, monkeypatch):
    """The program says so itself; the page would otherwise be committed with a wrong table."""
    right = bench("_sections").agreements
    monkeypatch.setattr(bench("_audit"), "agreements", lambda: [replace(item, macs=item.macs + 1) for item in right()])
    assert audit.main(audit.Options()) == 1
