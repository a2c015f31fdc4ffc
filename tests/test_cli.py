"""What the programs share: tables with whole numbers on a narrow terminal and in a file; readers that leave."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from rich.console import Console
from rich.table import Table

from mksgn.cli import FILE_WIDTH, print_table

NAME, NUMBER, PROSE = "block5.sgsa.k_accumulated", "1,234,567", "a reason of many short words " * 9


def printed(width: int, terminal: bool, *, prose: str = PROSE) -> list[str]:
    """The lines of a table, printed on a terminal of ``width`` columns or into a file."""
    table = Table("population", *(f"column {number}" for number in range(6)), "why", box=None)
    table.add_row(NAME, *[NUMBER] * 6, prose)
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None, legacy_windows=False)
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


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("raised", "code", "said"), [
    ("", 141, ""), ("raise BrokenPipeError('of another pipe')", 1, "of another pipe")])
def test_a_reader_that_leaves_is_no_error(raised: str, code: int, said: str) -> None:
    program = f"from mksgn.cli import exit_on_error\nwith exit_on_error():\n    {raised or 'while True: print(1)'}"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        if not raised:
            assert process.stdout.readline() == b"1\n"
            process.stdout.close()
        errors = process.stderr.read().decode()
    assert process.returncode == code and (said in errors if said else not errors)


@pytest.mark.timeout(120)
def test_networks_are_imported_without_notices() -> None:
    done = subprocess.run([sys.executable, "-c", "import mksgn.nn"], capture_output=True, text=True, check=True)
    assert not done.stdout + done.stderr
