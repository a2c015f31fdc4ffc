"""docs/paper-equations.md: every equation of the paper has a place and a test, and both exist."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/paper-equations.md"
EQUATIONS = range(1, 38)


def rows() -> dict[int, tuple[list[str], list[str]]]:
    """Places and tests of each equation, as the page names them."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 4 and cells[0].strip().isdigit():
            found[int(cells[0])] = (re.findall(r"`(mksgn[\w.]+)`", cells[2]), re.findall(r"`(tests/[^`]+)`", cells[3]))
    return found


ROWS = rows()


def exists(dotted: str) -> bool:
    """Whether ``dotted`` is a module, or what a module holds: a function, a class, a method."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            place = import_module(".".join(parts[:count]))
        except ModuleNotFoundError as error:
            if error.name is None or not dotted.startswith(error.name):
                raise
            continue
        for name in parts[count:]:
            if not hasattr(place, name):
                return False
            place = getattr(place, name)
        return True
    return False


def test_every_equation_has_a_row():
    assert sorted(ROWS) == list(EQUATIONS)


@pytest.mark.parametrize("number", EQUATIONS)
def test_the_places_of_an_equation_exist(number):
    places, _ = ROWS[number]
    assert places, f"Eq. {number} has no place"
    assert [place for place in places if not exists(place)] == [], f"Eq. {number}: name where it is now"


@pytest.mark.parametrize("number", EQUATIONS)
def test_the_tests_of_an_equation_exist(number):
    _, tests = ROWS[number]
    assert tests, f"Eq. {number} has no test"
    for node in tests:
        file, _, function = node.partition("::")
        assert (ROOT / file).is_file(), f"Eq. {number}: {file} is gone"
        assert re.search(rf"^def {re.escape(function)}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), \
            f"Eq. {number}: {file} has no {function}"


def test_a_name_that_is_gone_is_noticed():
    assert exists("mksgn.ir.Graph.into") and exists("mksgn.errors")
    assert not exists("mksgn.ir.Nothing") and not exists("mksgn.nowhere.at_all")
