"""Names of networks in tables, titles and legends: they say what a network is, never the folder of its run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from mksgn.errors import NetFileError

NAMES = {"mksgn": "MK-SGN", "base-sgn": "Base-SGN", "spikformer": "Spikformer",
         "spike-driven": "Spike-driven Transformer", "ctr-gcn": "CTR-GCN", "st-gcn": "ST-GCN"}
SHORT = re.compile(r"T = \d+|for streams|states carried from frame to frame|smf|\d+ nets side by side|taught by .*|"
                   r"base width .*")
"""Parts of a variant that a short name shows."""


def title(meta: Mapping[str, Any], where: str) -> str | None:
    """The short name of a network by the recipe in its file; None for a file without one, such as a converted net.

    Raises
    ------
    NetFileError
        When the recipe cannot be read.
    """
    if "recipe" not in meta:
        return None
    try:
        return short_name(described(json.loads(meta["recipe"]), meta))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NetFileError("the recipe stored in the net cannot be read", where=f"{where}, attribute 'recipe'",
                           got=f"{meta['recipe']!r:.120} ({type(error).__name__}: {error})",
                           fix="export the net again") from None


def short_name(row: Mapping[str, Any]) -> str:
    """Network, modalities and the parts of its variant that tell most: ``MK-SGN, joint, T = 2``."""
    return ", ".join([row["network"], modalities_of(row["modalities"]), *short_parts(row["variant"])])


def labels(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The name of each row's run in a legend: its short name and, where several share one, what tells them apart."""
    found: dict[str, str] = {}
    for row in rows:
        alike = [other for other in rows if short_name(other) == short_name(row)]
        common = set.intersection(*(set(parts_of(other["variant"])) for other in alike))
        extra = [part for part in parts_of(row["variant"]) if part not in common]
        for key, word in (("epochs", "epochs"), ("seed", "seed")):
            if len({str(other[key]) for other in alike}) > 1:
                value = " + ".join(str(part) for part in row[key] if part) if key == "epochs" else row[key]
                extra.append(f"{value} {word}" if key == "epochs" else f"{word} {value}")
        found[row["run"]] = ", ".join([short_name(row), *extra])
    return found


def modalities_of(names: list[str]) -> str:
    """Modalities as a table names them."""
    return "all four modalities" if len(names) == 4 else ", ".join(names)


def parts_of(variant: str) -> list[str]:
    """The parts of a variant, each of which says one thing."""
    return re.split(r", (?![^(]*\))", variant)  # a comma inside brackets separates nothing


def short_parts(variant: str) -> list[str]:
    """The parts of a variant that a short name shows."""
    return [part for part in parts_of(variant) if SHORT.fullmatch(part)]


def described(recipe: dict[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    """The names and words for a network in the tables, by its recipe and what else its file says."""
    modalities = [recipe["modality"]] if isinstance(recipe["modality"], str) else list(recipe["modality"])
    distil = recipe.get("distil")
    widths = "-".join(map(str, dict.fromkeys(recipe["widths"])))
    parts = [f"T = {recipe['time_steps']}", f"widths {widths}"]
    if recipe["network"] in ("mksgn", "base-sgn"):
        parts.append(f"graph {recipe['graph_conv']}")
    if recipe.get("coding") == "causal":
        parts.append("for streams")
    if recipe.get("frame_state") == "carried":
        parts.append("states carried from frame to frame")
    if len(modalities) > 1:
        parts.append(recipe["fusion"])
    parts += motion_scale(recipe, modalities)
    if distil:
        features = ", features" if distil["gamma"][2] else ""
        others = sorted({text.split(" ")[0] for text in distil["teachers"]} - {"ctr-gcn"})
        who = " ".join([str(len(distil["teachers"])), *(NAMES[name] for name in others)])
        parts.append(f"taught by {who} ({distil['loss']}, {distil['soft_labels']}{features})")
    if recipe.get("mixup"):
        parts.append(f"mixup {recipe['mixup']:g}")
    averaged = averaging(recipe)
    if averaged:
        parts += averaged
    elif recipe.get("average_part") and not recipe["epochs"]:
        parts.append("averaged weights, rounded anew")
    if recipe.get("residual_synapses", 1) > 1:
        parts.append(f"residuals of {recipe['residual_synapses']} synapses")
    if recipe.get("synop_weight"):
        parts.append(f"synops priced above {recipe['synop_target'] / 1e6:g} M")
    if not recipe["tune_epochs"]:
        parts.append("rounded, not fine-tuned")
    if "integers" in meta:
        parts.append("fine-tuned or rounded")
    if "members" in meta:  # of train/join_runs.py
        parts.append(f"{len(meta['members'])} nets side by side")
    return {"network": NAMES[recipe["network"]], "kind": "SNN", "modalities": modalities, "distilled": bool(distil),
            "variant": ", ".join(parts), "seed": recipe["seed"]}


def averaging(recipe: dict[str, Any]) -> list[str]:
    """Words for averaged weights, where a recipe averages any."""
    averaged = round(recipe.get("average_part", 0) * recipe["epochs"]) - 1
    return [f"weights averaged over {averaged} epochs"] if averaged > 0 else []


def motion_scale(recipe: dict[str, Any], modalities: list[str]) -> list[str]:
    """Words for the scale of motions, where there are any."""
    part = recipe.get("motion_range")
    return [f"motion to {part:g} of the body"] if part and any(name.endswith("motion") for name in modalities) else []
