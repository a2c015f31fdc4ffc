"""Tables of cost models: those that come with the package, a user's own, and those that are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from core_work import PJ, work

from mksgn.energy.costs import CostModel, Range, cost_models, load_cost_model
from mksgn.errors import ConfigError


def test_every_constant_has_a_source_and_loihi_2_is_named_by_its_own_table_alone() -> None:
    assert set(cost_models()) == {"horowitz-fp32", "horowitz-int8", "lemaire", "loihi1", "loihi1-fitted",
                                  "loihi1-intel-factors", "loihi2-fitted"}
    for name, model in cost_models().items():
        assert ("loihi2" in name) == model.title.startswith("Loihi 2") == model.best_estimate
        assert len(model.constants) >= 11 and model.about
        for key, constant in model.constants.items():
            if constant.source.startswith("none"):
                assert constant.basis in ("assumed", "not modelled"), f"{name}: {key}"
            if constant.basis == "assumed":
                assert constant.note or not constant.source.startswith("none"), f"{name}: {key}"


def test_derived_tables_agree_with_what_they_derive_from() -> None:
    base, divided = cost_models()["loihi1"], cost_models()["loihi1-intel-factors"]
    assert base.times is not None and divided.times is not None
    assert divided.energies == base.energies and divided.static_chip_mw == base.static_chip_mw
    for name, factor in (("synop", 5), ("mac", 5), ("update_active", 2), ("update_idle", 2), ("message_in", 10),
                         ("message_out", 10)):
        np.testing.assert_allclose(getattr(divided.times, name).bounds, getattr(base.times, name).bounds / factor)
    # Frady et al.: the barrier of 4 x 64 and of 12 x 64 chips, from corner to corner.
    for way, microseconds in ((3 + 63, 14.3), (11 + 63, 16.2)):
        low = 465 + way * base.times.barrier_chip.low
        high = 465 + way * base.times.barrier_chip.high
        assert low <= microseconds * 1e3 + 50 and high >= microseconds * 1e3 - 50


def test_a_record_is_plain_data() -> None:
    for model in cost_models().values():
        record = json.loads(json.dumps(model.price(work()).as_record(), allow_nan=False))
        assert record["model"] == model.name and len(record["core_mj"]) == 2
        assert (record["streaming"] is None) == (model.times is None)
        assert ("middle" in record) == (model.name == "loihi2-fitted")


def constant(value: str = "value = 1", unit: str = "pJ", rest: str = "") -> str:
    return f'{value}\nunit = "{unit}"\nsource = "a datasheet"\nbasis = "measured"\n{rest}\n'


HEAD = 'title = "mine"\nabout = "a chip of mine"\n'


def save(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_a_users_table_changes_a_built_in_one(tmp_path: Path) -> None:
    path = save(tmp_path, HEAD + 'base = "loihi1"\n[energy.synop]\n' + constant("low = 5\nhigh = 7"))
    model = load_cost_model(path)
    assert (model.name, model.title) == ("mine", "mine")
    assert model.energies == replace(cost_models()["loihi1"].energies, synop=Range(5, 7))
    assert model.times == cost_models()["loihi1"].times
    np.testing.assert_allclose(model.price(work()).terms_mj["synops"].bounds, np.array([5, 7]) * 1340 * PJ)
    assert model.constants["energy.synop"].basis == "measured"


def test_a_table_of_a_users_own(tmp_path: Path) -> None:
    whole: dict[str, Any] = {"energy": cost_models()["loihi1"].energies, "time": cost_models()["loihi1"].times}
    text = HEAD
    for section, values in whole.items():
        for name in vars(values):
            text += f"[{section}.{name}]\n" + constant("value = 2", "ns" if section == "time" else "pJ")
    text += "[static.chip]\n" + constant("value = 50", "mW") + "[static.core]\n" + constant("value = 2", "mW")
    model = load_cost_model(save(tmp_path, text))
    cost = model.price(work())
    assert cost.step is not None and cost.streaming is not None and cost.streaming.static_mj is not None
    assert cost.terms_mj["host messages"].low == pytest.approx(12 * PJ)
    assert cost.streaming.static_mj.low == pytest.approx((50 * 2 + 2 * 3) * 1e-3 * cost.streaming.period_ms.low)


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)
    return change


SYNOP = HEAD + 'base = "loihi1"\n[energy.synop]\n' + constant()


@pytest.mark.parametrize(("change", "message"), [
    (replaced("value = 1", "value = -1"), ("negative", "energy.synop", "-1")),
    (replaced("value = 1", "value = nan"), ("not finite", "energy.synop", "nan")),
    (replaced("value = 1", "value = inf"), ("not finite", "energy.synop", "inf")),
    (replaced("value = 1", "value = 1" + "0" * 400), ("not finite", "energy.synop")),
    (replaced("value = 1", "value = true"), ("must be a number", "energy.synop", "True")),
    (replaced("value = 1", 'value = "1"'), ("must be a number", "energy.synop")),
    (replaced("value = 1", "low = 1"), ("a low and a high", "energy.synop", "low")),
    (replaced("value = 1", "value = 1\nlow = 1\nhigh = 2"), ("a low and a high", "value, low, high")),
    (replaced("value = 1", "low = 2\nhigh = 1"), ("wrong order", "energy.synop")),
    (replaced("value = 1", "low = 1\nmiddle = 3\nhigh = 2"), ("wrong order", "1.0 to 3.0 to 2.0")),
    (replaced("value = 1", "low = 1\nmiddle = 3"), ("a low and a high", "low, middle")),
    (replaced("[energy.synop]", "[slowest.synop]"), ("wrong unit", "slowest.synop", "ns")),
    (replaced("value = 1", ""), ("a low and a high", "none")),
    (replaced('unit = "pJ"', 'unit = "nJ"'), ("wrong unit", "energy.synop", "nJ", "pJ")),
    (replaced('unit = "pJ"', ""), ("no unit", "energy.synop")),
    (replaced('source = "a datasheet"', ""), ("no source", "energy.synop")),
    (replaced('source = "a datasheet"', 'source = " "'), ("no source", "energy.synop")),
    (replaced('"measured"', '"heard"'), ("unknown basis", "heard", "published")),
    (replaced('"measured"', '"not modelled"'), ("not modelled has a value", "energy.synop")),
    (replaced('basis = "measured"', 'basis = "measured"\nnote = 3'), ("note must be text", "energy.synop")),
    (replaced('basis = "measured"', 'basis = "measured"\nsorce = "x"'), ("unknown key", "sorce", "source")),
    (replaced("[energy.synop]", "[energy.synops]"), ("unknown constant", "synops", "did you mean synop?")),
    (replaced("[energy.synop]", "[energies.synop]"), ("unknown entry", "energies")),
    (replaced("[energy.synop]", "[energy]\nsynop = 3\n[access.sram_8kib]"), ("value, a unit and a source",)),
    (replaced("[energy.synop]", "[time.synop]"), ("wrong unit", "time.synop", "ns")),
    (replaced('base = "loihi1"', 'base = "loihi2"'), ("does not exist", "loihi2", "loihi1")),
    (replaced('base = "loihi1"', ""), ("lacks constants", "[energy]", "mac", "update_idle")),
    (replaced('base = "loihi1"', 'base = "horowitz-fp32"\n[static.chip]\n' + constant(unit="mW")),
     ("static power without times", "[static]")),
    (replaced('base = "loihi1"', 'base = "loihi1"\n[access.queue_memory]\n' + constant(unit="B")),
     ("lacks constants", "[access]", "sram_8kib")),
    (replaced('title = "mine"', ""), ("lacks an entry", "title")),
    (replaced('title = "mine"', "title = 3"), ("must be text", "title")),
    (replaced('title = "mine"', "title = "), ("not valid TOML",)),
    (replaced("[energy.synop]", "energy = 3\n[x]"), ("unknown entry", "x")),
    (lambda text: HEAD + "energy = 3", ("must hold constants", "energy")),
    (lambda text: HEAD, ("lacks a section", "[energy]")),
    (lambda text: "", ("lacks an entry", "title")),
    (lambda text: "a = " + "[" * 5000, ("not valid TOML",)),
])
def test_a_bad_table_gives_one_clear_error(tmp_path: Path, change: Callable[[str], str],
                                           message: tuple[str, ...]) -> None:
    path = save(tmp_path, change(SYNOP))
    with pytest.raises(ConfigError) as caught:
        load_cost_model(path)
    text = str(caught.value)
    assert str(path) in text
    for part in message:
        assert part in text


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_cost_model(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_cost_model(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe9"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_cost_model(tmp_path / "latin.toml")


def test_built_in_models_cannot_be_replaced() -> None:
    model: CostModel = cost_models()["loihi1"]
    with pytest.raises(TypeError):
        cost_models()["other"] = model  # type: ignore[index]
