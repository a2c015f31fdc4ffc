"""What the programs share: tables, lines and bars on a narrow terminal and in a file; readers that leave."""

from __future__ import annotations

import io
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from mksgn.extras import SLAYER, present
from mksgn.programs.console import (
    FILE_WIDTH,
    print_command,
    print_prose,
    print_table,
    sample_progress,
    training_progress,
)

NAME, NUMBER, PROSE = "block5.sgsa.k_accumulated", "1,234,567", "a reason of many short words " * 9


def console_of(width: int, terminal: bool = True) -> tuple[Console, io.StringIO]:
    """A terminal of ``width`` columns, or a file, and what is printed there."""
    file = io.StringIO()
    return Console(file=file, width=width, force_terminal=terminal, color_system=None, legacy_windows=False), file


def printed(width: int, terminal: bool, *, prose: str = PROSE) -> list[str]:
    """The lines of a table, printed on a terminal of ``width`` columns or into a file."""
    table = Table("population", *(f"column {number}" for number in range(6)), "why", box=None)
    table.add_row(NAME, *[NUMBER] * 6, prose)
    console, file = console_of(width, terminal)
    print_table(console, table)
    assert console.width == width
    return file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "terminal"), [(40, True), (80, True), (80, False), (300, True)])
def test_numbers_and_words_are_whole(width: int, terminal: bool) -> None:
    lines = printed(width, terminal)
    text = "\n".join(lines)
    assert "\N{HORIZONTAL ELLIPSIS}" not in text and NAME in lines[1] and lines[1].count(NUMBER) == 6
    assert " ".join(text.split()).count("words") == 9


def test_prose_is_wrapped_to_the_terminal_or_the_page() -> None:
    assert max(map(len, printed(160, True))) <= 160 < len(PROSE)
    assert max(map(len, printed(80, False))) <= FILE_WIDTH


def test_a_table_that_fits_takes_no_more_room_than_it_needs() -> None:
    assert max(map(len, printed(300, True, prose="short"))) < 130


def test_a_table_of_numbers_fits_a_terminal_by_its_headings() -> None:
    """Headings are wrapped between words, cells that must not be wrapped are not, and columns move together."""
    table = Table(box=None, pad_edge=False)
    table.add_column("population")
    for number in range(7):
        table.add_column(f"cut in {number} directions", justify="right", no_wrap=True)
    table.add_row(NAME[:6], *["1 x 4 x 7"] * 6, "1")
    console, file = console_of(92)
    print_table(console, table)
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 92 and len(lines) == 3
    assert lines[-1].count("1 x 4 x 7") == 6 and lines[1].split() == ["population"] + ["directions"] * 7


@pytest.mark.parametrize("terminal", [True, False])
def test_a_command_to_type_is_one_line_that_a_shell_takes(terminal: bool) -> None:
    console, file = console_of(80, terminal)
    print_command(console, "python", "deploy/run_lava.py", "--net", Path("runs") / ("long " * 30) / "mksgn.net")
    (line,) = file.getvalue().splitlines()
    assert len(line) > 150 and shlex.split(line)[1:4] == ["python", "deploy/run_lava.py", "--net"]
    assert shlex.split(line)[4].endswith("long /mksgn.net") and len(shlex.split(line)) == 5


def test_prose_is_wrapped_on_a_terminal_only() -> None:
    for terminal, lines in ((True, 4), (False, 1)):
        console, file = console_of(80, terminal)
        print_prose(console, PROSE)
        assert len(file.getvalue().splitlines()) == lines


def bar_at(width: int, kind: str) -> str:
    """The first line of a progress bar, half way, on a terminal of ``width`` columns."""
    console, file = console_of(width)
    if kind == "samples":
        progress = sample_progress(console)
        progress.add_task("emulator: starting", total=4640, completed=2320)
    else:
        label, figures = {"teacher": ("joint-motion 40/80", {"loss": 0.1234, "accuracy": 0.951}),
                          "epoch": ("float 100/120", {"loss": 0.1234, "accuracy": 0.951, "rate": 0.1234})}[kind]
        with training_progress(console, True) as bar:
            bar.epoch(label, 128)
            for _ in range(64):
                bar.advance(figures)
            progress = bar.progress
    file.seek(0)
    file.truncate()
    console.print(progress.get_renderable())
    return file.getvalue().splitlines()[0].rstrip()


@pytest.mark.parametrize(("width", "kind", "said"), [
    (80, "epoch", "loss 0.123  accuracy 95.1%"), (120, "epoch", "accuracy 95.1%  firing rate 0.123"),
    (60, "epoch", "64/128"), (80, "teacher", "loss 0.123"), (80, "samples", "emulator: starting")])
def test_a_progress_bar_cuts_its_note_and_never_its_times(width: int, kind: str, said: str) -> None:
    line = bar_at(width, kind)
    assert len(line) <= width and said in line and "\N{HORIZONTAL ELLIPSIS}" not in line
    assert line.count(":") >= 4, "time passed and time left"


@pytest.mark.parametrize(("raised", "code", "said"), [
    ("", 141, ""), ("raise BrokenPipeError('of another pipe')", 1, "of another pipe")])
def test_a_reader_that_leaves_is_no_error(raised: str, code: int, said: str) -> None:
    body = raised or "while True: print(1)"
    program = f"from mksgn.programs.console import exit_on_error\nwith exit_on_error():\n    {body}"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        if not raised:
            assert process.stdout.readline() == b"1\n"
            process.stdout.close()
        errors = process.stderr.read().decode()
    assert process.returncode == code and (said in errors if said else not errors)


@pytest.mark.skipif(not present(SLAYER), reason="needs SLAYER: extra lava (CPython 3.10)")
def test_networks_are_imported_without_notices() -> None:
    done = subprocess.run([sys.executable, "-c", "import mksgn.nn.network"], capture_output=True, text=True, check=True)
    assert not done.stdout + done.stderr
