"""What is said of a stream, as JSON-ready records: beginning, frames, what happened, the sum (docs/live.md)."""

from __future__ import annotations

from typing import Literal, NamedTuple

from typing_extensions import TypedDict

Kind = Literal["recording", "person", "entered", "left", "gap", "dropped", "late", "out-of-order", "silent",
               "back", "bad-line", "file", "final", "again", "interrupted"]
"""What can happen in a stream; docs/live.md explains each."""
ENERGY = "modelled: Eq. 33-37 of the paper, 45 nm"
COUNTED_ENERGY = "modelled: counted events at the paper's prices (Eq. 36 and 37), 45 nm"


class Note(NamedTuple):
    """Something that happened: its kind, and a sentence."""

    kind: Kind
    text: str


class EventsRecord(TypedDict):
    """Counted events: spikes of neurons, accumulates, multiply-accumulates."""

    spikes: int
    synops: int
    macs: int


class BeginRecord(TypedDict):
    """The first line: what runs on what. ``energy``: what the energies of all later lines are."""

    type: Literal["begin"]
    net: str
    backend: str
    source: str
    decider: str
    classes: list[str]
    energy: str
    commit: str


class FrameRecord(TypedDict):
    """A frame and the decision at it; the fields of the decision are None where there is none.

    ``frame`` counts the frames that came. ``latency_ms`` runs from the frame's arrival to its decision,
    ``latency_frames`` counts the frames since the newest one that the decision has looked at. ``events`` are those of a
    computation at this frame, None where the decision before it stands. ``energy_mj`` is that of the stream so far.
    """

    type: Literal["frame"]
    frame: int
    time: float
    recording: str | None
    class_name: str | None
    class_number: int | None
    confidence: float | None
    scores: list[float] | None
    final: bool
    latency_ms: float
    latency_frames: int | None
    late: bool
    waiting: int
    persons: int
    missing_joints: int
    events: EventsRecord | None
    energy_mj: float


class NoteRecord(TypedDict):
    """Something that happened; ``frame``: the last frame that had come to a decision before it, None for none."""

    type: Literal["note"]
    kind: str
    frame: int | None
    text: str


class SummaryRecord(TypedDict):
    """The last line. Latencies are those of the last :data:`mksgn.stream.tally.KEPT` frames.

    ``decisions`` counts computations, ``skipped`` those that early exits made needless, and ``saved_synops`` is an
    estimate: ``skipped`` times the mean of those that were made.
    """

    type: Literal["summary"]
    frames: int
    came: int
    dropped: int
    late: int
    out_of_order: int
    bad_lines: int
    nobody: int
    missing_joints: int
    restarts: int
    decisions: int
    finals: int
    skipped: int
    saved_synops: float
    seconds: float
    frames_per_second: float
    latency_ms_median: float | None
    latency_ms_p95: float | None
    events: EventsRecord
    events_per_frame: dict[str, float]
    energy_mj: float
    energy_mj_per_frame: float
    energy: str


Record = BeginRecord | FrameRecord | NoteRecord | SummaryRecord
