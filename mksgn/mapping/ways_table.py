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
OF_A_FRAME = {"ms a clip": "µs a frame", "ms to answer": "µs to answer", "dynamic mJ": "dynamic nJ",
              "static mJ": "static nJ", "total mJ": "total nJ", "after last ms": "after frame ms"}
"""Headings of an endless stream that differ: a frame takes microseconds and nanojoules."""
NOTES = (
    "a range goes from the lowest to the highest value that a model's constants allow; before it stands the best "
    "estimate, where the model has one",
    "operations, updates: per clip; 'at rest' of them are of neurons between their frames, and do nothing",
    "ms a clip, dynamic, static: clips back to back at chip speed (a burst); ms to answer: of one clip alone",
    "of it extra: dynamic energy of neurons at rest, relays and clocks",
    f"after last ms and on: one clip at a time, its frames at {FRAMES_PER_SECOND:g} a second; the chip steps when "
    "there is something to do",
    "a frame at a time, the preprocessing still reads the whole clip first; all figures are modelled")


ENDLESS_NOTES = (
    "operations, updates, energy and time: per frame",
    "µs a frame, dynamic, static: frames back to back at chip speed (a burst); µs to answer: from a frame to the "
    "decision that it completes",
    f"after frame ms and on: frames at {FRAMES_PER_SECOND:g} a second; delays are counted in steps, so the chip makes "
    "no more steps for a frame than its own, and a decision that takes more waits for those of later frames",
    "all figures are modelled")


def placed_rows(ways: Sequence[Way]) -> Iterator[tuple[str, ...]]:
    """What each way takes on the board, and what its chips do for a clip."""
    for each in ways:
        placement, work, extra = each.placement, each.work, each.extra
        yield (_name(each), placement.objective, f"{placement.packing.cores:,}", f"{placement.chips:,}",
               f"{int(work.total('neurons')) - extra.relay_neurons:,}", f"{extra.relay_neurons:,}", str(work.steps),
               _millions(work.total("synops") + work.total("macs")), _millions(extra.operations_at_rest),
               _millions(work.total("neurons") * work.steps), _millions(extra.updates_at_rest))


def priced_rows(ways: Sequence[Way]) -> Iterator[tuple[str, ...]]:
    """Time and energy of each way by each model that has times; in µs and nJ for a frame of an endless stream."""
    for each in ways:
        endless = each.time == "endless"
        times, energies = (1e3, 1e6) if endless else (1.0, 1.0)
        for name, price in each.prices.items():
            sensor, total = price.sensor, None
            if price.period_ms is None or price.answer_ms is None or sensor is None:
                continue
            if price.static_mj is not None:
                total = Range.of(price.static_mj.values + price.cost.dynamic_mj.values)
            best = price.cost.best_estimate
            burst = (price.cost.dynamic_mj, price.extra_mj, price.static_mj, total)
            pace = (sensor.dynamic_mj, sensor.static_mj, sensor.total_mj)
            yield (_name(each), each.placement.objective, name, _text(price.period_ms, best, times),
                   _text(price.answer_ms, best, times), *(_text(value, best, energies) for value in burst),
                   _text(sensor.after_last_ms, best) if sensor.keeps_up else "too slow",
                   *(_text(value, best, energies) for value in pace))


def _name(each: Way) -> str:
    steps = each.work.steps
    return f"{each.time}, {steps} step{'s' * (steps > 1)}" if each.time == "endless" else each.time


def _text(value: Range | None, best_estimate: bool, scale: float = 1.0) -> str:
    if value is None:
        return "-"
    scaled = Range.of(value.values * scale)
    return scaled.best_text(3) if best_estimate else scaled.text(3)


def _millions(value: float) -> str:
    return f"{value / 1e6:.2f} M"
