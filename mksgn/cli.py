"""What the command-line programs share: errors as one message, progress bars, provenance."""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from mksgn import __version__
from mksgn.errors import MksgnError

USAGE_ERROR = 2
INTERRUPTED = 130
READER_GONE = 141
TERMINATED = 143
STDOUT = 1
FILE_WIDTH = 200
"""Columns within which tables wrap their prose where the output is no terminal."""


_SYSTEM_FIXES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free some space; a training continues with --resume"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "name a place that can be written to and read from"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit of open files (ulimit -n)"),
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "name another place: a part of the path is a file",
    errno.EEXIST: "name another place: there is a file where a folder is needed",
}
"""What to do about errors of the system that programs meet anywhere; others stay as they are."""


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn errors a user can cause into one message on stderr and exit code 2; Ctrl-C into 130, SIGTERM into 143.

    SIGTERM, which batch schedulers send, ends the program as an exception does: temporary files and the processes of
    Lava go with it. Where the reader of the output left, as ``head`` does, the program ends with 141 and says nothing,
    as others do. Characters that the output's encoding lacks are printed as escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _terminated) if main_thread else None
    try:
        yield
    except MksgnError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        if not _reader_gone():
            raise
        sys.exit(READER_GONE)
    except OSError as error:
        if error.errno not in _SYSTEM_FIXES:
            raise
        problem = MksgnError(f"the system refused: {error.strerror}", where=_shown(error.filename),
                             fix=_SYSTEM_FIXES[error.errno])
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    finally:
        if main_thread:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _terminated(number: int, frame: object) -> NoReturn:
    print("ended by SIGTERM", file=sys.stderr)
    sys.exit(TERMINATED)


def _shown(name: object) -> str:
    return "" if name is None else os.fsdecode(name) if isinstance(name, bytes) else str(name)


def _reader_gone() -> bool:
    """Whether it is standard output that nobody reads any more; what is left of it is thrown away then."""
    poll = select.poll()
    poll.register(STDOUT, 0)
    gone = any(event & select.POLLERR for _, event in poll.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
    return gone


def describe_commit() -> str:
    """Version and, inside a git checkout of this project, the commit (``-dirty`` when changed)."""
    folder = Path(__file__).resolve().parent.parent
    try:
        out = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=folder, capture_output=True,
                             text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        out = ""
    return f"mksgn {__version__}" + (f" ({out})" if out and (folder / ".git").exists() else "")


def print_table(console: Console, table: Table) -> None:
    """Print a table with every number and word whole, beyond the terminal's width if need be; only prose is wrapped."""
    free = console.options.update(width=10_000)
    for column in table.columns:
        cells = (column.header, *column.cells, column.footer)
        column.min_width = max(Measurement.get(console, free, cell).minimum for cell in cells)
    natural = Measurement.get(console, free, table)
    own = console.width
    table.width = min(natural.maximum, max(natural.minimum, own if console.is_terminal else FILE_WIDTH))
    console.width = natural.maximum
    try:
        console.print(table)
    finally:
        console.width = own


def sample_progress(console: Console) -> Progress:
    """A bar of samples, gone when it is done; nothing where the output is no terminal."""
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                    TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)


class EpochProgress:
    """A bar per epoch with time left, loss, accuracy and firing rate; a plain line per epoch when not on a terminal."""

    def __init__(self, console: Console, enabled: bool) -> None:
        self.console, self.enabled = console, enabled
        self.progress = Progress(
            TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=console, transient=True,
            disable=not enabled or not console.is_terminal)
        self.task: TaskID | None = None

    def epoch(self, label: str, total: int) -> EpochProgress:
        """Start the bar of one epoch."""
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.task = self.progress.add_task(label, total=total, note="")
        return self

    def advance(self, *, loss: float, accuracy: float, rate: float) -> None:
        """One step done, with running means."""
        assert self.task is not None, "epoch() comes first"
        note = f"loss {loss:.3f}  accuracy {accuracy:.1%}  firing rate {rate:.3f}"
        self.progress.update(self.task, advance=1, note=note)

    def report(self, stage: str, epoch: int, epochs: int, row: dict[str, float]) -> None:
        """One line for a finished epoch."""
        if self.enabled:
            val = f"  val {row['val_accuracy']:.1%}" if row["val_accuracy"] == row["val_accuracy"] else ""
            self.console.print(f"{stage:<5} {epoch:>3}/{epochs}  loss {row['loss']:.3f}  accuracy {row['accuracy']:.1%}"
                               f"{val}  firing rate {row['rate']:.3f}  {row['seconds']:.0f} s", highlight=False)


@contextmanager
def progress_bar(console: Console, enabled: bool) -> Iterator[EpochProgress]:
    """Progress of a training run."""
    bar = EpochProgress(console, enabled)
    with bar.progress:
        yield bar
