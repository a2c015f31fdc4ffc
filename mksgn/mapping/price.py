"""What a sample takes on a board by the cost model that was fitted to its generation of chips."""

from __future__ import annotations

from mksgn.energy.costs import Cost, Range, cost_models
from mksgn.energy.work import CoreWork
from mksgn.mapping.boards import Board
from mksgn.mapping.schema import Modelled

FITTED = {"Loihi 1": "loihi1-fitted", "Loihi 2": "loihi2-fitted"}
"""Cost model by generation."""


def modelled(board: Board, work: CoreWork) -> Modelled | None:
    """Time and energy of a sample, samples being back to back; None for a generation without a model.

    Every figure is [low, middle, high].
    """
    name = FITTED.get(board.generation)
    if name is None:
        return None
    cost: Cost = cost_models()[name].price(work)
    pace = cost.streaming
    assert pace is not None and cost.step is not None and pace.static_mj is not None
    return {"model": name, "decided_by": cost.step.kind, "step_us": _all(cost.step.ns, 1e-3),
            "period_ms": _all(pace.period_ms), "dynamic_mj": _all(cost.dynamic_mj), "static_mj": _all(pace.static_mj)}


def modelled_line(row: Modelled, of: str = "sample") -> str:
    """The same in one line; ``of`` a sample, or a frame of a stream without ends."""
    step, period, dynamic, static = (_text(row[key]) for key in ("step_us", "period_ms", "dynamic_mj", "static_mj"))
    return (f"modelled by {row['model']}, best estimate (range): {step} µs a step, decided by {row['decided_by']}; "
            f"{period} ms a {of}, back to back; {dynamic} mJ dynamic and {static} mJ static")


def _all(value: Range, scale: float = 1.0) -> list[float]:
    return (value.values * scale).tolist()


def _text(values: list[float]) -> str:
    low, middle, high = values
    return Range(low, high, middle).best_text(3)
