"""A stream on the terminal: a line for every frame, and a table at the end; or lines of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from mksgn.files import printable
from mksgn.programs.console import print_prose, print_table
from mksgn.stream.records import BeginRecord, FrameRecord, NoteRecord, Record, SummaryRecord

_CLASS = 24
"""Columns of a class's name."""


def write_line(record: Record) -> None:
    """A record as a line of JSON on standard output, at once."""
    sys.stdout.write(json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


class JsonLines:
    """Tells every record as a line of JSON.

    Parameters
    ----------
    write : callable
        Takes each record.
    """

    def __init__(self, write: Callable[[Record], None] = write_line) -> None:
        self.write = write

    def begin(self, record: BeginRecord) -> None:
        """What runs on what."""
        self.write(record)

    def frame(self, record: FrameRecord, joints: np.ndarray, raster: dict[str, np.ndarray]) -> None:
        """A frame and its decision."""
        self.write(record)

    def note(self, record: NoteRecord) -> None:
        """Something happened."""
        self.write(record)

    def summary(self, record: SummaryRecord) -> None:
        """The stream is over."""
        self.write(record)


class TextLines:
    """Tells a stream in words.

    Parameters
    ----------
    console : Console
    """

    def __init__(self, console: Console) -> None:
        self.console = console

    def begin(self, record: BeginRecord) -> None:
        """What runs on what."""
        print_prose(self.console, f"{record['source']}; backend {record['backend']}; {record['decider']}")

    def frame(self, record: FrameRecord, joints: np.ndarray, raster: dict[str, np.ndarray]) -> None:
        """A line for a frame."""
        self._line(frame_text(record))

    def note(self, record: NoteRecord) -> None:
        """A line for what happened."""
        self._line(f"  -- {record['kind']}: {printable(record['text'])}", "yellow")

    def summary(self, record: SummaryRecord) -> None:
        """The table at the end."""
        self.console.print()
        print_table(self.console, summary_table(record))

    def _line(self, text: str, style: str = "") -> None:
        self.console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def frame_text(record: FrameRecord) -> str:
    """One line on a frame: its number and time, class, confidence and latency."""
    name, confidence = record["class_name"], record["confidence"]
    shown = name or ("undecided" if record["persons"] else "nobody")
    sure = "" if confidence is None else f"{confidence:.3f}"
    behind = record["latency_frames"]
    frames = "" if behind is None else f" {behind} frames" if behind != 1 else " 1 frame"
    marks = " final" if record["final"] else ""
    marks += " late" if record["late"] else ""
    return (f"{record['frame']:>6} {record['time']:>9.3f} s  {shown:<{_CLASS}.{_CLASS}} {sure:>5}  "
            f"{record['latency_ms']:>7.1f} ms{frames}{marks}")


def summary_table(record: SummaryRecord) -> Table:
    """What adds up over a stream."""
    table = Table(box=None, pad_edge=False, header_style="", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    mean = record["events_per_frame"]
    median, tail = record["latency_ms_median"], record["latency_ms_p95"]
    rows = [
        ("frames", f"{record['frames']:,}", f"decided on, of {record['came']:,} that came"),
        ("dropped", f"{record['dropped']:,}", "the queue was full; the oldest go first"),
        ("late", f"{record['late']:,}", "decided later than --late allows"),
        ("out of order", f"{record['out_of_order']:,}", "not after the frame before: left out"),
        ("bad lines", f"{record['bad_lines']:,}", "left out"),
        ("nobody", f"{record['nobody']:,}", "frames without the person who is watched"),
        ("missing joints", f"{record['missing_joints']:,}", "held from the frames before"),
        ("begun anew", f"{record['restarts']:,}", "another recording or person, or a gap"),
        ("decisions", f"{record['decisions']:,}", "computed"),
        ("final", f"{record['finals']:,}", f"early exits; {record['skipped']:,} decisions need not be computed, about "
         f"{record['saved_synops']:,.0f} synops"),
        ("frames/s", f"{record['frames_per_second']:,.1f}", f"over {record['seconds']:.1f} s"),
        ("latency, ms", "-" if median is None else f"{median:.1f}",
         "" if tail is None else f"median; 95 %: {tail:.1f}"),
        ("spikes", f"{mean['spikes']:,.0f}", "per frame, counted"),
        ("synops", f"{mean['synops']:,.0f}", "per frame, counted"),
        ("MACs", f"{mean['macs']:,.0f}", "per frame, counted"),
        ("energy, mJ", f"{record['energy_mj']:.6f}", f"in all; {record['energy_mj_per_frame']:.6f} per frame; "
         f"{record['energy']}"),
    ]
    always = {"frames", "dropped", "late", "decisions", "frames/s", "latency, ms", "spikes", "synops", "MACs",
              "energy, mJ"}
    for name, value, words in rows:
        if name in always or value != "0":
            table.add_row(name, value, words)
    return table
