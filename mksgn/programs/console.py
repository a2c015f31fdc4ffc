"""What the command-line programs share: errors as one message, lines, tables and progress bars, provenance."""

from __future__ import annotations

import errno
import io
import os
import select
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from mksgn.errors import MksgnError

USAGE_ERROR = 2
INTERRUPTED = 130
READER_GONE = 141
TERMINATED = 143
STDOUT = 1
FILE_WIDTH = 200
"""Columns within which tables wrap their prose where the output is no terminal."""
BAR = 12
"""Columns of a bar that stands beside a note."""
GAP = "  "
FIGURES = {"loss": "loss {:.3f}", "accuracy": "accuracy {:.1%}", "val_accuracy": "val {:.1%}",
           "rate": "firing rate {:.3f}", "lr": "learning rate {:.2g}"}
"""How a training's figures are shown, in this order; others stand in its log alone."""


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

    What a program's KeyboardInterrupt says, such as how to go on, is printed with it. SIGTERM, which batch schedulers
    send, ends the program as an exception does: temporary files and the processes of Lava go with it. Where the reader
    of the output left, as ``head`` does, the program ends with 141 and says nothing, as others do. Characters that the
    output's encoding lacks are printed as escapes.
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
    except KeyboardInterrupt as stop:
        print("\n".join(["interrupted", *map(str, stop.args)]), file=sys.stderr)
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


def print_command(console: Console, *words: object) -> None:
    """Print the command to type next. It is never wrapped, and its words are quoted: it can be copied whole."""
    console.print(f"next:  {shlex.join(map(str, words))}", markup=False, highlight=False, soft_wrap=True)


def print_prose(console: Console, text: str, style: str = "") -> None:
    """Print a sentence or two: wrapped between words on a terminal, one line where the output is no terminal."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def print_warning(console: Console, text: str) -> None:
    """Print what a user should know before believing a result."""
    print_prose(console, f"note: {text}", style="yellow")


def print_table(console: Console, table: Table) -> None:
    """Print a table with every number and word whole, beyond the terminal's width if need be; only prose is wrapped.

    A table that is too wide for a terminal has its headings wrapped and its columns moved together.
    """
    free = console.options.update(width=10_000)
    for column in table.columns:
        cells = (column.header, *column.cells, column.footer)
        column.min_width = max(Measurement.get(console, free, cell).minimum for cell in cells)
    if console.is_terminal and Measurement.get(console, free, table).minimum > console.width:
        _narrow(console, free, table)
    natural = Measurement.get(console, free, table)
    own = console.width
    table.width = min(natural.maximum, max(natural.minimum, own if console.is_terminal else FILE_WIDTH))
    console.width = natural.maximum
    try:
        console.print(table)
    finally:
        console.width = own


def _narrow(console: Console, free: ConsoleOptions, table: Table) -> None:
    """Wrap the headings of columns whose cells are not to be wrapped, and leave one blank between columns."""
    table.padding = (0, 1, 0, 0)
    for column in table.columns:
        if column.no_wrap:
            cells = (*column.cells, column.footer)
            column.min_width = column.max_width = max(
                Measurement.get(console, free, column.header).minimum,
                *(Measurement.get(console, free, cell).maximum for cell in cells))
            column.header = Text.from_markup(column.header) if isinstance(column.header, str) else column.header
            if isinstance(column.header, Text):
                column.header.no_wrap = False


def sample_progress(console: Console) -> Progress:
    """A bar of samples, gone when it is done; nothing where the output is no terminal."""
    return Progress(TextColumn("{task.description}"), BarColumn(), *_times(), console=console, transient=True,
                    disable=not console.is_terminal)


@contextmanager
def count_progress(console: Console, unit: str) -> Iterator[Callable[[int], None]]:
    """A bar of unknown length, gone when it is done: what is yielded is told how many are done.

    Nothing is shown where the output is no terminal.
    """
    progress = Progress(TextColumn("{task.completed:,.0f} {task.description}"), BarColumn(), TimeElapsedColumn(),
                        console=console, transient=True, disable=not console.is_terminal)
    with progress:
        task = progress.add_task(unit, total=None)
        yield lambda done: progress.update(task, completed=done)


def _times() -> Iterator[ProgressColumn]:
    """Steps done, time passed and time left, which are never cut."""
    for kind in (MofNCompleteColumn, TimeElapsedColumn, TimeRemainingColumn):
        yield kind(table_column=Column(no_wrap=True))


class NoteColumn(ProgressColumn):
    """The field ``note`` of a task, a tuple of str: as many of them as fit."""

    def render(self, task: Task) -> _Note:
        return _Note(task.fields["note"])


class _Note:
    """Parts of a note, the first of which fit."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        self.parts = parts

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(0, min(len(GAP.join(self.parts)), options.max_width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = list(self.parts)
        while shown and len(GAP.join(shown)) > options.max_width:
            shown.pop()
        yield Text(GAP.join(shown))


class TrainingProgress:
    """A bar per epoch with time left and figures, and a line for every finished epoch."""

    def __init__(self, console: Console, enabled: bool) -> None:
        self.console, self.enabled = console, enabled
        self.reported = 0
        self.progress = Progress(TextColumn("{task.description:<13}"), BarColumn(BAR), *_times(), NoteColumn(),
                                 console=console, transient=True, disable=not enabled or not console.is_terminal)
        self.task: TaskID | None = None

    def epoch(self, label: str, steps: int) -> None:
        """Start the bar of one epoch."""
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.task = self.progress.add_task(label, total=steps, note=())

    def advance(self, means: Mapping[str, float]) -> None:
        """One step done; the means of the epoch so far."""
        assert self.task is not None, "epoch() comes first"
        self.progress.update(self.task, advance=1, note=_figures(means))

    def report(self, label: str, epoch: int, epochs: int, row: Mapping[str, float], later: int = 0) -> None:
        """One line for a finished epoch; after the second, how long the rest and ``later`` epochs will take.

        Parameters
        ----------
        label : str
            Of the stage.
        epoch, epochs : int
            Epochs of the stage that are done, and all of them.
        row : mapping
            Figures of the epoch, of which those in ``FIGURES`` are shown, and its ``seconds``.
        """
        if not self.enabled:
            return
        seconds = f"{row['seconds']:.0f} s"
        self.console.print(GAP.join((f"{label} {epoch:>3}/{epochs}", *_figures(row), seconds)), highlight=False,
                           soft_wrap=True)
        self.reported += 1
        left = epochs - epoch + later
        if self.reported == 2 and left:  # the first epoch compiles the kernels
            self.console.print(f"about {max(1, round(left * row['seconds'] / 60))} min to go: {left} more epochs of "
                               f"{seconds}", highlight=False)


def _figures(row: Mapping[str, float]) -> tuple[str, ...]:
    """The figures of ``row`` that are shown, in words; numbers that are not known (NaN) are left out."""
    return tuple(form.format(row[name]) for name, form in FIGURES.items() if name in row and row[name] == row[name])


@contextmanager
def training_progress(console: Console, enabled: bool) -> Iterator[TrainingProgress]:
    """Progress of a training. The bar is gone when it is done, and there is none where the output is no terminal.

    Parameters
    ----------
    enabled : bool
        Whether anything is shown: of several processes one shows it.
    """
    shown = TrainingProgress(console, enabled)
    with shown.progress:
        yield shown
