"""Part of streaming.py: accuracy while a clip is seen, for all nets; its page and its picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from _streaming_decisions import (
    AFTER,
    CONFIDENCES,
    HOLDS,
    PARTS,
    courses,
    early_exit,
    foreseeing_exit,
    observed,
    seen,
    stable,
    stitched_courses,
)

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.emulator import Emulator
from mksgn.energy import events_energy_mj
from mksgn.ir import Graph
from mksgn.programs.samples import preprocess_of
from mksgn.report.figures import LEGEND_LINE, legend_below, standard_error, svg
from mksgn.run.backend import class_sums
from mksgn.stream.framewise import FramewiseDecider, why_clips

COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7")
LOSS = 0.005
"""Accuracy that an early exit may cost."""


def decisions(graph: Graph, net: Path, pack: Pack, indices: np.ndarray, clean: np.ndarray | None,
              threads: int) -> dict[str, Any]:
    """How soon a net knows the clips of a data set.

    Parameters
    ----------
    graph : Graph
        Of a clip.
    net : Path
        Names it in errors.
    pack : Pack
    indices : int64 ndarray
        Its clips that are shown.
    clean : bool ndarray, optional
        Which of them repeat no training sequence.
    threads : int
    """
    preprocess = preprocess_of(graph, net)
    if why_clips(graph, preprocess):
        return {"clips": len(indices)} | _windows(graph, preprocess, pack, indices)
    decider = FramewiseDecider(graph, net, threads)
    found = list(courses(decider, pack, indices))
    frames = sum(len(course.decided) for course in found)
    totals = {kind: int(sum(getattr(course, kind).sum() for course in found)) for kind in ("spikes", "synops", "macs")}
    filling = decider.filling
    made: dict[str, Any] = {"clips": len(found), "frames": frames} | observed(found)
    if clean is not None:
        kept = [course for course, each in zip(found, clean) if each]
        made["clean"] = {"clips": len(kept)} | observed(kept)
    made["events_per_frame"] = {kind: number / frames for kind, number in totals.items()}
    made["events_per_clip"] = {kind: number / len(found) for kind, number in totals.items()}
    made["energy_per_frame_mj"] = events_energy_mj(totals["macs"], totals["synops"]) / frames
    made["filling"] = {"frames": preprocess.frames - 1, **filling.record()}
    whole = early_exit(found, 2.0)
    made["early_exit"] = [early_exit(found, confidence, hold) for hold in HOLDS for confidence in CONFIDENCES] + [whole]
    made["foreseeing_exit"] = foreseeing_exit(found)
    for each in (*made["early_exit"], made["foreseeing_exit"]):
        each["share_of_synops"] = each["synops"] / whole["synops"]
    made["stitched"] = stable(stitched_courses(decider, pack, indices))
    decider.close()
    return made


def _windows(graph: Graph, preprocess: Preprocess, pack: Pack, indices: np.ndarray) -> dict[str, Any]:
    """The same of a net that takes clips: what was seen so far is one, computed anew for every decision."""
    labels, right, synops = pack.labels[indices], {}, []
    with Emulator(graph) as emulator:
        for part in PARTS:
            x = np.stack([preprocess(pack.sequence(int(i))[:seen(int(pack.lengths[i]), part)], pack.body)
                          for i in indices])
            result = emulator.run(x)
            right[part] = float((np.argmax(class_sums(result.output), axis=1) == labels).mean())
            synops.append(sum(result.counts.synops.values()) / len(x))
    return {"accuracy_by_percent": right, "area": float(np.mean(list(right.values()))),
            "events_per_decision": {"synops": float(np.mean(synops))}}


def cheapest(found: Mapping[str, Any]) -> dict[str, Any]:
    """The early exit of the fewest operations that costs at most :data:`LOSS` of the accuracy of whole clips."""
    whole = found["early_exit"][-1]
    return min((each for each in found["early_exit"] if each["accuracy"] >= whole["accuracy"] - LOSS),
               key=lambda each: each["synops"])


def markdown(rows: Mapping[str, Mapping[str, Any]], command: str, where: str) -> str:
    """The page for benchmarks/results: nets by name."""
    clips = next(iter(rows.values()))["clips"]
    lines = ["# Decisions while a clip is seen", "", f"`{command}`", "",
             f"{where}. {clips} test clips, emulator. A net that takes clips decides from what was seen so far, "
             "resampled as one clip and computed anew. A net for streams decides at every frame, from a state in which "
             "nobody was seen. How: [docs/live.md](../../docs/live.md).", "",
             "![accuracy against the part of a clip that was seen, and against operations](streaming_decisions.svg)",
             "", "| top-1 after | " + " | ".join(f"{part} %" for part in PARTS) + " | mean |",
             "|" + "---|" * (len(PARTS) + 2)]
    for name, found in rows.items():
        for title, each in ((name, found), *(((f"{name}, clean {found['clean']['clips']}", found["clean"]),)
                                             if "clean" in found else ())):
            lines.append(f"| {title} | " + " | ".join(f"{100 * each['accuracy_by_percent'][part]:.1f}"
                                                      for part in PARTS) + f" | {100 * each['area']:.1f} |")
    for name, found in rows.items():
        if "early_exit" in found:
            lines += ["", f"## {name}", "", *_stream_lines(found)]
    return "\n".join(lines) + "\n"


def _stream_lines(found: Mapping[str, Any]) -> list[str]:
    per_frame, filling, stream, exit_ = (found["events_per_frame"], found["filling"], found["stitched"],
                                         cheapest(found))
    lines = [f"A frame takes {per_frame['synops'] / 1e3:,.0f} thousand synaptic operations, "
             f"{per_frame['macs'] / 1e3:,.0f} thousand multiply-accumulates and {per_frame['spikes']:,.0f} spikes "
             f"(means of {found['frames']:,} frames). At the paper's prices these counted events take "
             f"{1e6 * found['energy_per_frame_mj']:,.0f} nJ, modelled. {filling['frames']} frames without anybody fill "
             f"the network before a clip. They take {filling['synops'] / 1e6:,.2f} million operations, which are not "
             "in the table.",
             "", f"Early exit: a decision of this confidence that was the same in so many frames is final, from frame "
             f"{AFTER} on. Rows that no clip ends early are left out.", "",
             "| frames | confidence | top-1, % | ends at frame | of the clip, % | synaptic operations, M | of all, % |",
             "|---|---|---|---|---|---|---|"]
    for each in found["early_exit"]:
        if each["share_of_synops"] == 1 and each["confidence"] <= 1:
            continue
        name = "- | none" if each["confidence"] > 1 else f"{each['hold']} | {each['confidence']:g}"
        lines.append(f"| {name} | {100 * each['accuracy']:.2f} | {each['frames']:.1f} | "
                     f"{100 * each['part_of_the_clip']:.0f} | {each['synops'] / 1e6:.2f} | "
                     f"{100 * each['share_of_synops']:.0f} |")
    lines += ["", f"At a cost of at most {100 * LOSS:g} points an early exit takes "
              f"{100 * exit_['share_of_synops']:.0f} % of the operations, with a confidence of {exit_['confidence']:g} "
              f"in {exit_['hold']} frames. These were read off these test clips. No exit that leaves all decisions as "
              f"they are takes fewer than {100 * found['foreseeing_exit']['share_of_synops']:.0f} %: one that takes as "
              "many knows at every frame what the last frame will decide.", "",
              f"The actions of each person were also shown as one stream, {stream['actions']} actions in all. Nothing "
              "tells the network where one ends. "
              f"It knows {100 * stream['settled']:.1f} % of them at their last frame, and it decides "
              f"{100 * stream['frames_right']:.1f} % of all frames rightly."]
    if stream["settled"]:
        lines[-1] += (f" A decision that stays right comes after {stream['median_frames']:.0f} frames (median; 90 % of "
                      f"them: {stream['frames_90_percent']:.0f}).")
    return lines


def draw(rows: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Top-1 over the part of a clip that was seen, and over synaptic operations with early exit."""
    clips = next(iter(rows.values()))["clips"]
    with svg(path, 2, (9.6, 4.2 + LEGEND_LINE * len(rows))) as (by_part, by_events):
        for (name, found), colour in zip(rows.items(), COLOURS):
            accuracy = [found["accuracy_by_percent"][part] for part in PARTS]
            by_part.errorbar(PARTS, [100 * each for each in accuracy],
                             [100 * standard_error(each, clips) for each in accuracy], fmt="o-", color=colour,
                             capsize=2, linewidth=1.2, markersize=4, elinewidth=0.8,
                             label=name + (", frame by frame" if "early_exit" in found else
                                           ", a window computed anew for each decision"))
            if "early_exit" in found:
                for hold, style in zip(HOLDS, ("o-", "s--", "^:")):
                    exits = [each for each in found["early_exit"] if each["hold"] == hold]
                    by_events.plot([each["synops"] / 1e6 for each in exits],
                                   [100 * each["accuracy"] for each in exits], style, color=colour, markersize=4,
                                   linewidth=1.2)
            else:
                by_events.plot(found["events_per_decision"]["synops"] / 1e6, 100 * accuracy[-1], "D", color=colour)
        by_part.set_xlabel("part of the clip that was seen, %")
        by_part.set_ylabel(f"top-1 on {clips} test clips, %\n(bars: binomial standard error)")
        by_events.set_xlabel("synaptic operations per clip, million (counted)\ndiamonds: one window; lines: early exit "
                             f"when the same in\n{HOLDS[0]} frame (dots), {HOLDS[1]} (squares), {HOLDS[2]} (triangles)")
        by_events.set_ylabel("top-1, %")
        for axis in (by_part, by_events):
            axis.grid(alpha=0.3)
        legend_below(by_part)
