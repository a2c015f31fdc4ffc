"""Both ways of running a network side by side, as rows of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mksgn.energy.costs import Range
from mksgn.mapping.both_ways import FRAMES_PER_SECOND, Way

PLACED = ("", "placed for", "cores", "chips", "neurons", "relays", "steps", "operations", "at rest", "updates",
          "at rest")
"""Headings of :func:`placed_rows`."""
PRICED = ("", "placed for", "model", "ms a clip", "ms to answer", "dynamic mJ", "of it extra", "static mJ", "total mJ",
          "after last ms", "dynamic mJ", "static mJ", "total mJ")
"""Headings of :func:`priced_rows`: the clip at chip speed, then at the pace of a sensor from 'after last ms' on."""
NOTES = (
    "a range goes from the lowest to the highest value that a model's constants allow; before it stands the best "
    "estimate, where the model has one",
    "operations, updates: per clip; 'at rest' of them are of neurons between their frames, and do nothing",
    "ms a clip, dynamic, static: clips back to back at chip speed (a burst); ms to answer: of one clip alone",
    "of it extra: dynamic energy of neurons at rest, relays and clocks",
    f"after last ms and on: one clip at a time, its frames at {FRAMES_PER_SECOND:g} a second; the chip steps when "
    "there is something to do",
    "a frame at a time, the preprocessing still reads the whole clip first; all figures are modelled")


def placed_rows(ways: Sequence[Way]) -> Iterator[tuple[str, ...]]:
    """What each way takes on the board, and what its chips do for a clip."""
    for each in ways:
        placement, work, extra = each.placement, each.work, each.extra
        yield (each.time, placement.objective, f"{placement.packing.cores:,}", f"{placement.chips:,}",
               f"{int(work.total('neurons')) - extra.relay_neurons:,}", f"{extra.relay_neurons:,}", str(work.steps),
               _millions(work.total("synops") + work.total("macs")), _millions(extra.operations_at_rest),
               _millions(work.total("neurons") * work.steps), _millions(extra.updates_at_rest))


def priced_rows(ways: Sequence[Way]) -> Iterator[tuple[str, ...]]:
    """Time and energy of each way by each model that has times."""
    for each in ways:
        for name, price in each.prices.items():
            alone, sensor, total = price.cost.single_shot, price.sensor, None
            if price.period_ms is None or alone is None or sensor is None:
                continue
            if price.static_mj is not None:
                total = Range.of(price.static_mj.values + price.cost.dynamic_mj.values)
            burst = (price.period_ms, alone.latency_ms, price.cost.dynamic_mj, price.extra_mj, price.static_mj, total)
            paced = (sensor.after_last_ms, sensor.dynamic_mj, sensor.static_mj, sensor.total_mj)
            texts = [_text(value, price.cost.best_estimate) for value in (*burst, *paced)]
            if not sensor.keeps_up:
                texts[len(burst)] = "too slow"
            yield (each.time, each.placement.objective, name, *texts)


def _text(value: Range | None, best_estimate: bool) -> str:
    return "-" if value is None else value.best_text(3) if best_estimate else value.text(3)


def _millions(value: float) -> str:
    return f"{value / 1e6:.2f} M"
