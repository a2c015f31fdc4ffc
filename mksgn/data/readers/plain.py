"""The plain layout for everything that has no reader of its own: CSV tables and NumPy arrays.

- CSV, one line a joint of a frame: columns ``frame``, ``joint`` (a number or a name), ``x``, ``y``, and, where there
  are such, ``z``, ``score``, ``person``.
- ``.npy``: (frames, joints, C) or (frames, persons, joints, C); C is said by ``--channels``: ``xy``, ``xyz``, ``xys``
  or ``xyzs``, s the score. Without it 2 numbers are x, y and 3 are x, y, z.

The body is named (``--body``), or its bones are given (``--edges``). NaN, or an absent line, is a missing joint.
"""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import numpy as np

from mksgn.data.facts import Facts
from mksgn.data.pack import Pack
from mksgn.data.readers.clips import Clip, Recording, collect, frames_in_order, recordings_at
from mksgn.data.readers.files import read_text
from mksgn.data.readers.options import ReadOptions
from mksgn.data.traps import refuse_scores_as_coordinates
from mksgn.errors import ConfigError, DataError
from mksgn.skeleton import Body, body_of
from mksgn.skeleton.bodies import BODIES, body_named
from mksgn.skeleton.body import JOINTS_MAX

CHANNELS = ("xy", "xyz", "xys", "xyzs")
_NEEDED = ("frame", "joint", "x", "y")
_KNOWN = (*_NEEDED, "z", "score", "person")
_PERSONS_MAX = 64


def is_plain_table(head: list[str]) -> bool:
    """Whether a CSV file's first line names the columns of the plain layout."""
    return set(_NEEDED) <= {cell.strip().lower() for cell in head}


def read_plain(path: Path, options: ReadOptions) -> Pack:
    """Read a .csv or .npy file, or a folder of them, one file a clip.

    Raises
    ------
    DataError
        A table or array of another layout; scores where coordinates belong.
    ConfigError
        When the body is neither named nor given.
    """
    if options.channels not in ("", *CHANNELS):
        raise ConfigError("unknown channels", "--channels", options.channels, ", ".join(CHANNELS))
    recordings = recordings_at(path, (".csv", ".npy"), options)
    names: tuple[str, ...] = ()
    if recordings[0].files[0].suffix.lower() == ".csv":
        names = tuple(dict.fromkeys(row[1] for row in _table(recordings[0].files[0])[1]))
    body = _body(options, names, str(path))

    def read(recording: Recording) -> Clip:
        file = recording.files[0]
        return _from_csv(file, body) if file.suffix.lower() == ".csv" else _from_npy(file, options.channels, body)

    return collect(((each, partial(read, each)) for each in recordings), body, Facts(source="plain"), options,
                   where=str(path))


def _body(options: ReadOptions, names: tuple[str, ...], where: str) -> Body:
    """The body that is named or given, or whose joints are named as a known body's."""
    if options.edges is not None:
        return read_edges(options.edges, names if not all(name.isdecimal() for name in names) else ())
    if options.body:
        return body_named(options.body).body
    for each in BODIES.values():
        if names and set(names) <= set(each.joint_names):
            return each.body
    raise ConfigError("the plain layout does not tell which joints have a bone between them", where,
                      f"joints {', '.join(names)[:60]}" if names else "an array",
                      f"--body {{{', '.join(BODIES)}}}, or --edges FILE", "name the body, or list its bones")


def read_edges(path: Path, names: tuple[str, ...] = ()) -> Body:
    """A body from a text file of bones, two joints a line: numbers from 0, or names.

    Parameters
    ----------
    names : tuple of str
        Joints in order; by default those of the file, in the order in which it names them.

    Raises
    ------
    DataError
        When a line is no pair of joints.
    """
    pairs = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.split("#")[0].replace(",", " ").split()
        if len(words) == 2:
            pairs.append(words)
        elif words:
            raise DataError("A line is no bone", f"{path}, line {number}", repr(line[:60]), "two joints")
    if all(word.isdecimal() and len(word) < 6 for pair in pairs for word in pair):
        edges = [(int(a), int(b)) for a, b in pairs]
        count = len(names) or max((max(edge) for edge in edges), default=0) + 1
        return body_of(edges, count, names or tuple(f"joint {v}" for v in range(min(count, JOINTS_MAX))))
    joints = names or tuple(dict.fromkeys(word for pair in pairs for word in pair))
    strange = [word for pair in pairs for word in pair if word not in joints]
    if strange:
        raise DataError("A bone names a joint that the data has not", str(path), strange[0], ", ".join(joints)[:200])
    return body_of([(joints.index(a), joints.index(b)) for a, b in pairs], len(joints), joints)


def _table(path: Path) -> tuple[list[str], list[tuple[int, str, int, tuple[float, ...], int]]]:
    """Columns of numbers, and rows (frame, joint, person, numbers, line)."""
    reader = csv.reader(read_text(path).splitlines())
    head = [cell.strip().lower() for cell in next(reader, [])]
    strange = [cell for cell in head if cell not in _KNOWN]
    if strange or not is_plain_table(head) or len(set(head)) < len(head):
        raise DataError("The columns are not those of the plain layout", str(path), ", ".join(head)[:100],
                        ", ".join(_KNOWN), "name the columns so")
    numbers: list[str] = [name for name in ("x", "y", "z", "score") if name in head]
    place = {name: head.index(name) for name in head}
    rows = []
    for line, cells in enumerate(reader, 2):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            if len(cells) != len(head):
                raise ValueError(f"{len(cells)} cells")
            rows.append((int(cells[place["frame"]]), cells[place["joint"]].strip(),
                         int(cells[place["person"]]) if "person" in place else 0,
                         tuple(float(cells[place[n]]) if cells[place[n]].strip() else np.nan for n in numbers), line))
        except ValueError as error:
            raise DataError("A line is not that of a joint", f"{path}, line {line}", f"{', '.join(cells)[:60]} "
                            f"({error})"[:120], f"{', '.join(head)}: whole numbers and numbers") from None
    return numbers, rows


def _from_csv(path: Path, body: Body) -> Clip:
    numbers, rows = _table(path)
    if not rows:
        raise DataError("The table has no lines", str(path), "0", "one or more", "leave it out")
    names = body.joint_names or ()
    index = {name: v for v, name in enumerate(names)} | {str(v): v for v in range(body.num_joints)}
    frames, count = frames_in_order([row[0] for row in rows], str(path))
    people = {person: m for m, person in enumerate(sorted({row[2] for row in rows}))}
    if len(people) > _PERSONS_MAX:
        raise DataError("The table has too many persons", str(path), str(len(people)), f"up to {_PERSONS_MAX}")
    axes = [k for k, name in enumerate(numbers) if name != "score"]
    points = np.full((count, len(people), body.num_joints, len(axes)), np.nan)
    scores = np.zeros(points.shape[:3])
    filled = np.zeros(scores.shape, dtype=bool)
    for frame, (_, joint, person, values, line) in zip(frames, rows):
        if joint not in index:
            raise DataError("A line names a joint that the body has not", f"{path}, line {line}", joint[:40],
                            f"0..{body.num_joints - 1}, or {', '.join(names)[:160]}")
        at = int(frame), people[person], index[joint]
        if filled[at]:
            raise DataError("A joint is there twice in a frame", f"{path}, line {line}", joint[:40], "once")
        filled[at] = True
        points[at] = [values[k] for k in axes]
        scores[at] = values[-1] if numbers[-1] == "score" else 1
    points[~filled.any(axis=2)] = 0  # an absent person
    refuse_scores_as_coordinates(points.reshape(-1, *points.shape[2:]), str(path))
    return Clip(points, scores if "score" in numbers else None)


def _from_npy(path: Path, channels: str, body: Body) -> Clip:
    try:
        array = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            raise ValueError(f"{getattr(array, 'dtype', type(array))}")
    except Exception as error:
        raise DataError("The array cannot be read", str(path), f"{type(error).__name__}: {error}"[:160],
                        "a .npy file of numbers; pickled objects are never loaded", "save it with numpy.save") from None
    array = array[:, None] if array.ndim == 3 else array
    channels = channels or {2: "xy", 3: "xyz", 4: "xyzs"}.get(array.shape[-1] if array.ndim else 0, "")
    if array.ndim != 4 or array.shape[-1] != len(channels) or not 1 <= array.shape[1] <= _PERSONS_MAX:
        raise DataError("The array has the wrong shape", str(path), str(array.shape),
                        f"(frames, joints, {len(channels) or 'numbers'}) or (frames, persons, joints, "
                        f"{len(channels) or 'numbers'})", "say what the numbers are with --channels")
    scored = channels.endswith("s")
    points = array[..., :len(channels) - scored].astype(np.float64)
    if not scored:
        refuse_scores_as_coordinates(points.reshape(-1, *points.shape[2:]), str(path))
    missing = ~points.any(axis=3) & points.any(axis=(2, 3))[:, :, None]
    points = np.where((missing & scored)[..., None], np.nan, points)
    return Clip(points, array[..., -1] if scored else None)
