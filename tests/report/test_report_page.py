"""The report as a document: what it says, that it loads nothing, that names stay text, that bad records are refused."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from report_document import Document
from report_record import SAMPLES, shipped_record

from mksgn.energy.tags import TAGS
from mksgn.errors import MksgnError
from mksgn.report import RecordError, example, page
from mksgn.report.formatting import THIN
from mksgn.report.headline import SECTIONS

MOST_BYTES = 3_000_000
HOSTILE = "</script><script>alert('1')</script><img src=x onerror=alert(2)> \"'&amp; {{ 7*7 }}\u2028"
Row = dict[str, Any]


@pytest.fixture(scope="module")
def shipped() -> Row:
    return shipped_record()


@pytest.fixture
def record(shipped: Row) -> Row:
    raster = shipped["example"]["raster"]  # large, and no test changes its lists
    return copy.deepcopy(shipped | {"example": shipped["example"] | {"raster": {}}}) | {
        "example": copy.deepcopy(shipped["example"] | {"raster": {}}) | {"raster": dict(raster)}}


# The document


def test_the_page_is_one_small_file_that_loads_nothing(shipped: Row) -> None:
    text = page(shipped)
    document = Document(text)
    assert len(text.encode()) < MOST_BYTES
    assert not document.unbalanced and not document.open
    ids = document.attributes("id")
    assert len(ids) == len(set(ids))
    assert all(link.startswith("#") and link[1:] in ids for link in document.attributes("href"))
    assert not document.attributes("src", "srcset", "data", "poster", "xlink:href", "action", "background")
    assert not {tag for tag, _ in document.elements} & {"link", "iframe", "object", "embed", "img", "base", "form"}
    # The namespace of SVG is a name, not an address.
    assert set(re.findall(r"https?://[^\"'\s)]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert set(re.findall(r"url\(([^)]*)\)|@import", text)) <= {"#ramp"}
    policy = next(attrs["content"] for tag, attrs in document.elements if attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none'") and "unsafe-inline'; script" in policy
    assert "unsafe" not in policy.split("script-src")[1]


def test_the_page_shows_the_figures_of_the_record(shipped: Row) -> None:
    text = Document(page(shipped)).text.replace(THIN, " ")
    assert "87.07 %" in text and "85.37 %" in text and "369 samples" in text
    assert f"{shipped['mapping']['cores']:,} cores" in text
    assert "0.187 mJ" in text and "0.194 mJ with the first layer at every step" in text
    assert "0.920–3.10 ms" in text and "3.45–7.33 mJ" in text
    assert f"{shipped['mapping']['traffic']['messages']:,.0f} messages to cores" in text
    assert "MK-SGN, joint, T = 2 nw-ucla-joint/mksgn.net : 10 classes" in text
    assert "68 populations of neurons" in text
    for row in shipped["layers"]:
        assert f"{row['counted']:,.0f}" in text
    for row in shipped["populations"]:
        assert row["name"] in text
        assert f"{row['rate']:.4f}" in text
    for synapse in shipped["synapses"]:
        assert f"{synapse['theoretical_sops']:,.0f}" in text
    for label in shipped["confusion"]["labels"]:
        assert label in text


def test_the_headline_shows_every_model_with_its_range(shipped: Row) -> None:
    text = page(shipped)
    section = text[text.index('<section id="figures"'):text.index('<section id="network"')]
    words = Document(section).text.replace(THIN, " ")
    assert "5.50 µJ – 7.33 mJ" in words and "lowest to highest of 5 models" in words
    assert "The paper's formula, Eq. 34" in words
    for model in shipped["cost_models"]:
        assert model["title"] in words
    assert section.count('class="range"') == 1, "of the one model that has a range"
    assert "0.920–3.10 ms" in words and "1 of 4 cost models give it" in words


def test_every_headline_figure_carries_a_tag(shipped: Row) -> None:
    text = page(shipped)
    (figures,) = re.findall(r'<dl class="figures">(.*?)</dl>', text, re.S)
    values = re.findall(r'class="value[^"]*">[^<]*</span>(<span class="tag (\w+)" title)?', figures)
    assert len(values) == 9
    assert [kind for _, kind in values] == ["counted"] * 6 + ["modelled"] * 3
    kinds = set(re.findall(r'class="tag (?:mini )?(\w+)"', text))
    assert kinds == set(TAGS), "the legend explains all three"
    assert text.count('class="tag measured"') == 1, "where no chip was measured, only the legend says the word"
    # Each table says what its numbers are: in itself, or in the heading above it.
    for start in (found.start() for found in re.finditer("<table", text)):
        table = text[start:text.index("</table>", start)]
        heading = text[text.rfind("<h3", 0, start):start].partition("</h3>")[0]
        assert 'class="tag' in table or 'class="tag' in heading, table[:200]


def test_charts_have_names_and_regions_can_be_reached(shipped: Row) -> None:
    document = Document(page(shipped))
    for tag, attrs in document.elements:
        if tag == "svg":
            assert attrs.get("aria-hidden") == "true" or attrs.get("aria-label") or attrs.get("id") == "body" \
                or (attrs.keys() <= {"x", "width", "height"}), attrs
        if attrs.get("class") == "scroll":
            assert attrs.get("tabindex") == "0" and attrs.get("aria-label")
    labelled = [attrs["aria-labelledby"] for tag, attrs in document.elements if tag == "section"]
    assert labelled and set(labelled) <= set(document.attributes("id"))


def hostile(value: Any, path: tuple[str, ...] = ()) -> Any:
    """``value`` with every free text replaced by ``HOSTILE``, made unique by what it replaces."""
    if isinstance(value, dict):
        keep = path[-1:] in {("net",), ("run",), ("totals",), ("paper",), ("counted",), ("mapping",), ("samples",),
                             ("confusion",), ("example",), ("traffic",), ("busiest",)} or len(path) == 0 \
            or path[-1].isdigit() or path[-2:-1] == ("subsets",)
        return {key if keep else key + HOSTILE: hostile(inner, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner, (*path, str(i))) for i, inner in enumerate(value)]
    return value + HOSTILE if isinstance(value, str) and path[-1] not in ("role", "kind", "objective") else value


def test_names_from_files_stay_text(record: Row) -> None:
    del record["mapping"]["limits"]["core_mesh"], record["mapping"]["limits"]["cores_per_chip"]
    clean, dirty = Document(page(record)), Document(page(hostile(record)))
    assert not dirty.unbalanced and not dirty.open
    assert [tag for tag, _ in dirty.elements].count("script") == [tag for tag, _ in clean.elements].count("script")
    assert {tag for tag, _ in dirty.elements} == {tag for tag, _ in clean.elements}
    names = {name for _, attrs in dirty.elements for name in attrs}
    assert names == {name for _, attrs in clean.elements for name in attrs}
    assert not [name for name in names if name.startswith("on")]
    assert dirty.text.count("<script>alert('1')</script>") > 100
    assert "&amp; {{ 7*7 }}" in dirty.text  # neither evaluated nor unescaped twice
    data = example_data(page(hostile(record)))
    assert data["rasters"][0]["name"] == "sc" + HOSTILE


def example_data(text: str) -> Row:
    (data,) = re.findall(r'<script type="application/json" id="example-data">(.*?)</script>', text, re.S)
    return cast(Row, json.loads(data))


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_that_is_absent_is_named_and_nothing_breaks(record: Row, section: str) -> None:
    del record[section]
    document = Document(page(record))
    assert not document.unbalanced
    assert f"Not in this run: {SECTIONS[section]}." in document.text


def test_net_and_run_alone_make_a_page(record: Row) -> None:
    document = Document(page({"net": record["net"], "run": record["run"] | {"accuracy": None}}))
    assert all(title in document.text for title in SECTIONS.values())
    assert document.text.count("not counted") == 5  # the clean subset still has its accuracy
    assert document.text.count("not modelled") == 3
    ids = document.attributes("id")
    assert all(link[1:] in ids for link in document.attributes("href"))


def test_measured_on_a_chip_is_shown_as_such(record: Row) -> None:
    figure = {"unit": "mJ", "spread": 0.02, "runs": 5, "status": "measured", "tag": "measured"}
    record["measured"] = {"energy": {"total": figure | {"value": 1.661}, "dynamic": figure | {"value": None, "status":
                          "below the noise floor"}}, "cores": [{"chip": 0}], "notes": ["one board"], "tag": "measured"}
    text = Document(page(record)).text.replace(THIN, " ")
    assert "energy total 1.66 ± 0.0200 mJ 5" in text and "energy dynamic below the noise floor" in text
    assert "one board" in text and "no chip was measured" not in text
    assert "energy, on the chip 1.66 ± 0.0200 mJ measured" in text


# What is refused


def change(*path: Any, value: Any) -> Callable[[Row], None]:
    def apply(record: Row) -> None:
        inner: Any = record
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
    return apply


@pytest.mark.parametrize(("damage", "words"), [
    (lambda r: r.pop("net"), 'missing required key.*"net"'),
    (change("surprise", value=1), 'unexpected extra key.*"surprise"'),
    (lambda r: r["populations"][3].pop("rate"), "item 3 .*populations.*missing.*rate"),
    (change("populations", 3, "rate", value="fast"), "rate.*item 3.*populations"),
    (change("populations", 3, "rate", value=1.5), r"populations\[3\].rate"),
    (change("populations", 3, "spikes", value=float("nan")), r"populations\[3\].spikes"),
    (change("populations", 3, "spikes", value=-1.0), r"populations\[3\].spikes"),
    (change("populations", 3, "shape", value=[3, 4]), "C, F, V"),
    (change("populations", 1, "name", value="input"), "one name.*\n.*populations"),
    (change("synapses", 2, "target", value="nowhere"), r"synapses\[2\].*\n.*nowhere"),
    (change("synapses", 2, "sources", value=[]), "needs a source"),
    (change("synapses", 2, "kind", value="lstm"), "kind"),
    (change("synapses", 2, "synops", value=float("inf")), r"synapses\[2\].synops"),
    (change("run", "accuracy", value=87.0), "run.accuracy"),
    (change("run", "subsets", "clean", "accuracy", value=1.01), "subsets.clean"),
    (change("run", "samples", value=0), "at least one sample"),
    (change("cost_models", 0, "total_mj", value=[2.0, 1.0]), "low and a high"),
    (change("cost_models", 0, "breakdown_mj", "synops", value=[1.0, 2.0, 3.0]), "low and a high"),
    (change("mapping", "busiest", "index", value=10**6), "busiest core"),
    (change("mapping", "core_list", 1, "index", value=0), "one name"),
    (change("samples", "correct", value=[True]), "right or wrong"),
    (change("confusion", "matrix", 0, value=[1]), "row and a column"),
    (change("example", "edges", 0, value=[0, 20]), r"edges\[0\]"),
    (change("example", "edges", 0, value=[0]), r"edges\[0\]"),
    (change("example", "skeleton", 0, 0, value=[0.0, 1.0]), "skeleton"),
    (change("example", "skeleton", 0, 0, value=[0.0, 1.0, float("nan")]), "skeleton"),
    (change("example", "raster", "sc", value=[[1, 2], [3]]), "raster.sc"),
    (change("example", "raster", "sc", value=[[-1, 2]]), "raster.sc"),
    (change("example", "raster", "sc", value=[[0.5, 2]]), "raster.sc"),
    (change("example", "raster", "sc", value=[]), "raster.sc"),
    (change("example", "prediction", value=10), "example.prediction"),
])
def test_a_malformed_record_is_one_clear_error(record: Row, damage: Callable[[Row], Any], words: str) -> None:
    damage(record)
    with pytest.raises(RecordError, match=words) as caught:
        page(record)
    assert isinstance(caught.value, MksgnError) and "record" in str(caught.value)


@pytest.mark.parametrize("nonsense", [None, [], "record", 3])
def test_what_is_no_record_is_refused(nonsense: Any) -> None:
    with pytest.raises(RecordError):
        page(nonsense)


# What is inside


def decoded(raster: Row) -> np.ndarray:
    counts = np.frombuffer(base64.b64decode(raster["data"]), np.uint8).reshape(raster["channels"], raster["frames"])
    return counts * raster["unit"]


def test_no_spikes_at_all_are_an_honest_zero(record: Row) -> None:
    for row in record["populations"]:
        row |= {"spikes": 0.0, "rate": 0.0}
    for row in record["synapses"]:
        row |= {"theoretical_sops": 0.0, "synops": 0.0, "macs": 0.0, "rate": 0.0, "ratio": None, "causes": {}}
    for model in record["cost_models"]:
        model |= {"breakdown_mj": dict.fromkeys(model["breakdown_mj"], 0.0), "dynamic_mj": 0.0, "total_mj": 0.0,
                  "by_layer_mj": dict.fromkeys(model["by_layer_mj"], 0.0)}
    for core in record["mapping"]["core_list"]:
        core |= {"load": 0.0, "synops": 0.0}
    record["samples"]["synops"] = [0.0] * SAMPLES
    record["example"]["raster"] = {"sc": [[0, 0]]}
    text = page(record)
    assert not Document(text).unbalanced and "nan" not in text.lower().split("<main")[1].split("<script")[0]


def test_many_classes_become_a_map(record: Row) -> None:
    classes = 120
    matrix = (np.eye(classes, dtype=int) * 20 + np.eye(classes, k=1, dtype=int)).tolist()
    record["confusion"] = {"labels": [f"class {i}" for i in range(classes)], "matrix": matrix}
    text = page(record)
    assert 'class="confusion-map"' in text and 'table class="confusion"' not in text
    assert len(text.encode()) < MOST_BYTES
    assert text.count('width="1" height="1"') == 2 * classes - 1


def test_counts_above_a_byte_are_scaled_and_what_is_too_large_is_named(
        record: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    record["example"]["raster"] = {"big": [[0, 510], [51, 1000]], "block1.mix": [[1] * 30], "sc": [[7]]}
    monkeypatch.setattr(example, "MOST_CELLS", 10)
    text = page(record)
    sc, big = example_data(text)["rasters"]  # in the network's order, others last
    assert (sc["name"], big["name"]) == ("sc", "big")
    np.testing.assert_allclose(decoded(big), [[0, 510], [51, 1000]], atol=1000 / 255 / 2)
    assert "Left out to keep this file small: block1.mix." in Document(text).text


def test_labels_by_index_or_absent(record: Row) -> None:
    record["example"] |= {"label": 0, "prediction": 1}
    text = Document(page(record)).text
    assert "true class pick up with one hand , predicted pick up with two hands ✗" in text
    record["example"] |= {"label": None, "prediction": "throw"}
    assert "Clip a09_s03_e02_v03 , number 18 of the 464 samples of this run: predicted throw" in \
        Document(page(record)).text


def test_the_rasters_of_the_page_are_those_of_the_record(shipped: Row) -> None:
    data = example_data(page(shipped))
    assert [raster["name"] for raster in data["rasters"]] == list(shipped["example"]["raster"])
    for raster in data["rasters"]:
        np.testing.assert_array_equal(decoded(raster), shipped["example"]["raster"][raster["name"]])
    assert np.abs(np.array(data["skeleton"])).max() == example.UNITS
    assert data["edges"] == shipped["example"]["edges"]
