"""What a net says of the classes: scores, the best five, accuracy per class, and the samples it took for others."""

from __future__ import annotations

import numpy as np
from rich.table import Table
from rich.text import Text

from mksgn.data.selection import Selection
from mksgn.ir import LOGIT_SCALE, Graph
from mksgn.report.run_file import ClassRow, Scores
from mksgn.run.backend import class_sums

ROWS = 20
"""Rows of a table that can have more."""
BEST = 5


def scores(graph: Graph, output: np.ndarray) -> tuple[np.ndarray | None, str]:
    r"""Probabilities of the classes, and why there are none (else an empty str).

    .. math:: p_j = \exp(v_j / (64 s)) / \sum_k \exp(v_k / (64 s))

    v is the readout's voltage after the sample's last step; v / 64, an integer, is ``output``. s, the net's
    ``logit_scale``, is what of it makes one logit of the network that was trained, so that the probabilities are those
    that training optimised. For networks side by side it is the mean of their logits that is taken.

    Parameters
    ----------
    graph : Graph
    output : int64 ndarray (N, J)
        Of a :class:`~mksgn.run.backend.RunResult`.

    Returns
    -------
    float64 ndarray (N, J) or None, str
    """
    if graph.output.role != "readout":
        return None, "the net's output are spikes, which are no logits"
    scale = graph.meta.get(LOGIT_SCALE)
    if type(scale) is not int or scale < 1:
        return None, f"the net does not say what makes a logit (no attribute {LOGIT_SCALE}); export it again"
    logits = output / scale
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True), ""


def best(output: np.ndarray) -> np.ndarray:
    """Indices of the five best classes, or of all where there are fewer, best first: int64 (N, min(J, 5)).

    The first is the prediction: of equals the one with the lower index comes first.
    """
    return np.argsort(-class_sums(output), axis=1, kind="stable")[:, :BEST]


def scores_section(graph: Graph, selection: Selection, output: np.ndarray, predictions: np.ndarray) -> Scores:
    """The section :class:`mksgn.report.run_file.Scores` of a run: output int64 (N, J), predictions int64 (N,)."""
    probabilities, why = scores(graph, output)
    return {"scores": None if probabilities is None else probabilities.tolist(), "scores_note": why or None,
            "logit_scale": graph.meta.get(LOGIT_SCALE), "top5": best(output).tolist(),
            "classes": per_class(selection, predictions)}


def per_class(selection: Selection, predictions: np.ndarray) -> list[ClassRow]:
    """One row per class that has samples: name, samples, right, accuracy, and what it is most often taken for.

    ``taken_for`` and ``times`` are None and 0 where every sample is right.
    """
    rows: list[ClassRow] = []
    for label in np.unique(selection.labels[selection.labels >= 0]):
        found = predictions[selection.labels == label]
        others, times = np.unique(found[found != label], return_counts=True)
        rows.append({"class": class_name(selection, label), "samples": len(found),
                     "right": int((found == label).sum()), "accuracy": float((found == label).mean()),
                     "taken_for": class_name(selection, others[times.argmax()]) if len(others) else None,
                     "times": int(times.max(initial=0))})
    return rows


def classes_table(rows: list[ClassRow], everything: bool) -> Table:
    """The rows of :func:`per_class`; without ``everything`` only the lowest accuracies where there are many classes."""
    shown = rows
    if len(rows) > ROWS and not everything:
        worst = sorted(range(len(rows)), key=lambda index: rows[index]["accuracy"])[:ROWS]
        shown = [rows[index] for index in sorted(worst)]
    table = _table("class", "samples", "right", "%", "most often taken for",
                   caption=f"the {ROWS} of {len(rows)} classes with the lowest accuracies; --all shows all"
                   if len(shown) < len(rows) else None)
    for row in shown:
        taken = f"{row['taken_for']} ({row['times']})" if row["taken_for"] else ""
        table.add_row(Text(row["class"]), str(row["samples"]), str(row["right"]), f"{row['accuracy']:.1%}"[:-1],
                      Text(taken))
    return table


def samples_table(selection: Selection, predictions: np.ndarray, probabilities: list[list[float]] | None,
                  everything: bool) -> Table | None:
    """Samples that were taken for another class, or all samples where there are no labels; None where none is.

    Without ``everything`` the first of them. The score is that of the prediction.
    """
    labelled = bool((selection.labels >= 0).any())
    chosen = np.flatnonzero((selection.labels >= 0) & (predictions != selection.labels)) if labelled else np.arange(
        len(selection))
    if not len(chosen):
        return None
    shown = chosen if everything else chosen[:ROWS]
    more = f"the first {ROWS} of {len(chosen)}; --all shows all" if len(shown) < len(chosen) else None
    headings = ["wrong sample", "is", "taken for"] if labelled else ["sample", "prediction"]
    table = _table(*headings, *([] if probabilities is None else ["score"]), caption=more)
    for index in shown:
        names = (selection.labels[index], predictions[index]) if labelled else (predictions[index],)
        score = [] if probabilities is None else [f"{probabilities[index][predictions[index]]:.2f}"]
        table.add_row(Text(selection.names[index]), *(Text(class_name(selection, name)) for name in names), *score)
    return table


def class_name(selection: Selection, index: int) -> str:
    """Name of a class of the net; its number where the net does not name its classes."""
    return selection.class_names[index] if index < len(selection.class_names) else str(int(index))


def _table(*headings: str, caption: str | None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", caption_justify="left", caption_style="none",
                  caption=caption)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in ("samples", "right", "%", "score") else "left",
                         overflow="fold")
    return table
