"""MSR-Action3D text: ``a##_s##_e##_skeleton3D.txt``, 20 lines a frame, each x, y, z and a confidence.

Li, Zhang, Liu, "Action recognition based on a bag of 3D points", CVPR workshops 2010; the order of the joints is that
of the release's drawing script. Metres, y up. Subjects 1, 3, 5, 7 and 9 train in the usual cross-subject test.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np

from mksgn.data.facts import Facts
from mksgn.data.pack import Pack
from mksgn.data.readers.clips import Clip, Recording, collect, recordings_at
from mksgn.data.readers.files import read_text
from mksgn.data.readers.options import ReadOptions
from mksgn.errors import DataError
from mksgn.skeleton.bodies import MSR20

NAME = re.compile(r"a(\d{2})_s(\d{2})_e(\d{2})(_skeleton3D)?")
CLASSES = ("high arm wave", "horizontal arm wave", "hammer", "hand catch", "forward punch", "high throw", "draw x",
           "draw tick", "draw circle", "hand clap", "two hand wave", "side boxing", "bend", "forward kick",
           "side kick", "jogging", "tennis swing", "tennis serve", "golf swing", "pick up and throw")
_JOINTS = MSR20.body.num_joints


def read_msr(path: Path, options: ReadOptions) -> Pack:
    """Read a file, or a folder of them. Names tell action, subject and trial; the named splits are ``msr-xsub_...``.

    Raises
    ------
    DataError
        A file that is not 4 numbers a line and 20 lines a frame; nobody in it; an unknown action.
    """
    recordings = recordings_at(path, (".txt",), options)
    subjects = {each.name: int(match[2]) for each in recordings if (match := NAME.fullmatch(each.name))}
    splits = {f"msr-xsub_{half}": {name for name, subject in subjects.items() if subject % 2 == odd}
              for half, odd in (("train", 1), ("test", 0))} if len(subjects) == len(recordings) > 1 else {}
    return collect(((each, partial(_read, each)) for each in recordings), MSR20.body, Facts("m", "+y", "msr-action3d"),
                   options, class_names=CLASSES, splits=splits, where=str(path))


def _read(recording: Recording) -> Clip:
    file = recording.files[0]
    values = read_table(file, 4)
    if len(values) % _JOINTS:
        raise DataError("The lines are not 20 joints for each frame", str(file), f"{len(values)} lines",
                        f"a multiple of {_JOINTS}", "copy or download it again")
    values = values.reshape(-1, 1, _JOINTS, 4)
    match = NAME.fullmatch(recording.name)
    if match and not 1 <= int(match[1]) <= len(CLASSES):
        raise DataError("The file name tells an unknown action", str(file), f"a{match[1]}", f"a01..a{len(CLASSES)}")
    # A joint with confidence 0 was inferred and has a place; one at 0, 0, 0 was not found.
    missing = ~values[..., :3].any(axis=3)
    points = np.where((missing & ~missing.all(axis=2, keepdims=True))[..., None], np.nan, values[..., :3])
    ids = dict(zip(("action_id", "subject", "trial"), map(int, match.groups()[:3]))) if match else {}
    return Clip(points, values[..., 3], ids["action_id"] - 1 if ids else -1, ids)


def read_table(path: Path, columns: int) -> np.ndarray:
    """The numbers of a text file of ``columns`` per line, float64.

    Raises
    ------
    DataError
        Naming the first line that holds something else.
    """
    rows = [(number, line.split()) for number, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
    table = np.empty((len(rows), columns))
    for i, (number, words) in enumerate(rows):
        try:
            if len(words) != columns:
                raise ValueError
            table[i] = [float(word) for word in words]
        except ValueError:
            raise DataError("A line does not hold the numbers of a joint", f"{path}, line {number}",
                            repr(" ".join(words)[:60]), f"{columns} numbers", "copy or download it again") from None
    return table
