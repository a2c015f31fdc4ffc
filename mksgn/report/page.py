"""A run as one HTML file that needs nothing else: no network, no fonts, no libraries; SVG and a small script inside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from mksgn.energy.tags import TAGS
from mksgn.mapping.packing import OBJECTIVES
from mksgn.report.activity import causes_of_ratio, histogram, operations_chart, rate_chart
from mksgn.report.checks import checked
from mksgn.report.classes import class_view
from mksgn.report.cores import core_view, named
from mksgn.report.drawing import draw
from mksgn.report.energy_view import energy_chart, totals_chart
from mksgn.report.example import player
from mksgn.report.formatting import FILTERS
from mksgn.report.headline import headline, missing, provenance
from mksgn.report.measured import measured_view
from mksgn.report.schema import Record


def page(record: Mapping[str, Any]) -> str:
    """The report of a run: HTML with everything inside it, a few hundred KB.

    Parameters
    ----------
    record : mapping
        JSON-compatible, as :class:`mksgn.report.schema.Record` describes it. Sections that are absent are left out, and
        the page says so.

    Returns
    -------
    str
        The document, UTF-8 when written. Names from the record appear as text only, whatever they contain.

    Raises
    ------
    mksgn.report.RecordError
        When the record is malformed; see :func:`mksgn.report.checks.checked`.
    """
    known = checked(record)
    style, script = _asset("style.css"), _asset("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _environment().get_template("page.html.j2").render(
        record=known, **_views(known), figures=headline(known), provenance=provenance(known), missing=missing(known),
        style=Markup(style), script=Markup(script), script_hash=digest, named=named)


def _views(record: Record) -> dict[str, Any]:
    """What the templates draw; sections without content are absent."""
    populations, synapses = record.get("populations", []), record.get("synapses", [])
    views: dict[str, Any] = {"totals": totals_chart(record)}
    if populations:
        views["rates"] = rate_chart(populations)
        views["network"] = draw(populations, synapses)
    if synapses:
        views |= {"operations": operations_chart(synapses), "steps": causes_of_ratio(synapses)}
    if record.get("cost_models"):
        views["energy"] = energy_chart(record["cost_models"])
    if record.get("measured"):
        views["measured"] = measured_view(record["measured"])
    if "mapping" in record:
        views["cores"] = core_view(record["mapping"])
    if "samples" in record:
        views["spread"] = histogram(record["samples"])
    if record.get("confusion", {}).get("labels"):
        views["classes"] = class_view(record["confusion"])
    if "example" in record:
        views["player"] = player(record["example"], record["net"]["classes"], populations)
    return views


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(loader=jinja2.PackageLoader(__package__, "templates"), autoescape=True,
                                     undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(FILTERS)
    environment.globals.update(tags=TAGS, objectives=OBJECTIVES)
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment
