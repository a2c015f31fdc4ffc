"""An index of recordings: a CSV file that tells their classes, ids and named splits."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mksgn.data.pack import ID_NAMES
from mksgn.data.readers.files import read_text
from mksgn.errors import DataError

_LABEL = ("label", "class", "action")
_ID_MAX = 1 << 62


@dataclass(frozen=True)
class Row:
    """What the index says of one recording; a label is an index or a name, -1 where unknown."""

    label: int | str = -1
    ids: dict[str, int] = field(default_factory=dict)
    splits: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Index:
    """Rows by the names of recordings; ``places`` are the names in full of those in folders, by their last parts."""

    rows: dict[str, Row] = field(default_factory=dict)
    split_names: tuple[str, ...] = ()
    path: Path | None = None
    places: dict[str, str] = field(default_factory=dict)

    def row(self, name: str) -> Row:
        """What is said of a recording; in an index, of every recording something.

        Raises
        ------
        DataError
            When there is an index, and it does not name the recording.
        """
        if self.path is None:
            return Row()
        found = self.rows.get(name) or self.rows.get(self.places.get(name, ""))
        if found is None:
            raise DataError("The index does not name a recording", str(self.path), name, "a line for every recording",
                            "add it, or leave the recording out with --leave-out")
        return found


def read_index(path: Path) -> Index:
    """Read an index.

    The first line names the columns: ``name`` (of a recording, with or without folders and ending); ``label`` (also
    ``class`` or ``action``): a class name, or a number from 0 where all are numbers; ids such as ``subject`` or
    ``view``; and columns called ``split:NAME`` or ``test`` that hold 1 for the recordings of that part and 0 for the
    others.

    Raises
    ------
    DataError
        When a column is unknown, an id is no whole number, or a recording is named twice.
    """
    reader = csv.reader(read_text(path).splitlines())
    head = [column.strip().lower() for column in next(reader, [])]
    if "name" not in head:
        raise DataError("The index has no column 'name'", str(path), ", ".join(head)[:100], _columns())
    splits = tuple(column.removeprefix("split:") for column in head if column.startswith("split:") or column == "test")
    strange = [c for c in head if c not in ("name", "test", *_LABEL, *ID_NAMES) and not c.startswith("split:")]
    if strange:
        raise DataError("The index has an unknown column", str(path), ", ".join(strange)[:100], _columns())
    rows: dict[str, Row] = {}
    for number, cells in enumerate(reader, 2):
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{path}, line {number}"
        if len(cells) != len(head):
            raise DataError("A line has another number of cells than the first", where, str(len(cells)), str(len(head)))
        values = {column: cell.strip() for column, cell in zip(head, cells)}
        name = Path(values["name"]).as_posix()
        # A name may carry its file's ending, or a dot of its own.
        name = name.removesuffix(Path(name).suffix) if Path(name).suffix.lower() in _ENDINGS else name
        if name in rows:
            raise DataError("The index names a recording twice", where, name, "once")
        label = next((values[column] for column in _LABEL if values.get(column)), "-1")
        rows[name] = Row(label, {c: _whole(values[c], c, where) for c in head if c in ID_NAMES},
                         frozenset(s for s in splits if _yes(values[s if s == "test" else f"split:{s}"], s, where)))
    if all(isinstance(row.label, str) and row.label.lstrip("-").isdecimal() for row in rows.values()):
        rows = {name: Row(max(-1, _whole(str(row.label), "label", str(path))), row.ids, row.splits)
                for name, row in rows.items()}
    rows = {name: Row(-1, row.ids, row.splits) if row.label == "-1" else row for name, row in rows.items()}
    counts = Counter(Path(name).name for name in rows)
    return Index(rows, splits, path, {Path(name).name: name for name in rows if counts[Path(name).name] == 1})


_ENDINGS = (".json", ".csv", ".npy", ".bvh", ".txt", ".skeleton", ".mp4", ".avi", ".mov", ".mkv", ".webm")


def _columns() -> str:
    return f"name; label; {', '.join(ID_NAMES)}; test; split:NAME"


def _whole(text: str, column: str, where: str) -> int:
    try:
        value = int(text)
        if abs(value) > _ID_MAX:
            raise ValueError
    except ValueError:
        raise DataError(f"The {column} is no whole number", where, repr(text[:40]), "0, 1, 2, ...") from None
    return value


def _yes(text: str, column: str, where: str) -> bool:
    if text.lower() not in ("0", "1", "false", "true", "no", "yes", ""):
        raise DataError(f"The column of split {column} says neither yes nor no", where, repr(text[:40]), "1 or 0")
    return text.lower() in ("1", "true", "yes")
