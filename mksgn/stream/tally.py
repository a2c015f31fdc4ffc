"""What adds up over a stream: frames, events, energy, and how long decisions took. Its memory does not grow."""

from __future__ import annotations

from collections import deque

import numpy as np

from mksgn.stream.decider import Step
from mksgn.stream.records import EventsRecord, SummaryRecord

KEPT = 10_000
"""Latencies that are kept: median and 95 % are those of so many last frames."""


class Tally:
    """Counters of a stream.

    Attributes
    ----------
    frames, late, out_of_order, nobody, missing_joints, restarts, decisions, finals, skipped : int
        As in :class:`~mksgn.stream.records.SummaryRecord`.
    energy_mj : float
    """

    def __init__(self) -> None:
        self.frames = self.late = self.out_of_order = self.nobody = self.missing_joints = self.restarts = 0
        self.decisions = self.finals = self.skipped = 0
        self.energy_mj = 0.0
        self._events: EventsRecord = {"spikes": 0, "synops": 0, "macs": 0}
        self._latencies: deque[float] = deque(maxlen=KEPT)

    def latency(self, seconds: float) -> None:
        """A frame's decision came so long after the frame."""
        self._latencies.append(seconds)

    def step(self, step: Step) -> None:
        """A decision was computed."""
        self.decisions += 1
        self.energy_mj += step.energy_mj
        self._events["spikes"] += step.spikes
        self._events["synops"] += step.synops
        self._events["macs"] += step.macs

    def summary(self, seconds: float, came: int, dropped: int, bad_lines: int, energy: str) -> SummaryRecord:
        """All of it, after so many seconds; ``energy`` says what the energies are."""
        frames, decisions = max(self.frames, 1), max(self.decisions, 1)
        times = np.array(self._latencies) * 1e3
        return {
            "type": "summary", "frames": self.frames, "came": came, "dropped": dropped, "late": self.late,
            "out_of_order": self.out_of_order, "bad_lines": bad_lines, "nobody": self.nobody,
            "missing_joints": self.missing_joints, "restarts": self.restarts, "decisions": self.decisions,
            "finals": self.finals, "skipped": self.skipped,
            "saved_synops": self.skipped * self._events["synops"] / decisions,
            "seconds": seconds, "frames_per_second": self.frames / seconds if seconds > 0 else 0.0,
            "latency_ms_median": float(np.median(times)) if times.size else None,
            "latency_ms_p95": float(np.percentile(times, 95)) if times.size else None,
            "events": self._events, "events_per_frame": {
                "spikes": self._events["spikes"] / frames, "synops": self._events["synops"] / frames,
                "macs": self._events["macs"] / frames},
            "energy_mj": self.energy_mj, "energy_mj_per_frame": self.energy_mj / frames, "energy": energy}
