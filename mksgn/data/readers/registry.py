"""Every reader in one list: what it reads, how it knows its files, and what reads them.

Help, errors and documents take their lists from here (:func:`formats`, :func:`table`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mksgn.data import npz
from mksgn.data.npy_folder import array_shapes as folder_shapes
from mksgn.data.pack import FOLDER_SUFFIX, REQUIRED, Pack, load_pack
from mksgn.data.readers import bvh, ctrgcn, mediapipe, msr, ntu, nw_ucla, plain, pose_json, pyskl
from mksgn.data.readers.files import is_companion, read_json
from mksgn.data.readers.options import ReadOptions
from mksgn.data.traps import refuse_scores_as_coordinates
from mksgn.errors import ConfigError, DataError

_NOTES = (".txt", ".csv")
_TRIED = 64
"""Files of a folder that are looked at until one is recognised."""
_HEAD = 1 << 16
"""Bytes of a file that are looked at to recognise it."""


@dataclass(frozen=True)
class Reader:
    """One format.

    Parameters
    ----------
    name : str
    title : str
        What it reads, in one line.
    endings : tuple of str
        How its files end.
    recognise : callable
        Whether a file, of one of the endings and not empty, is of the format: by its first bytes, running nothing.
    read : callable
        Reads a file, or a folder of files.
    folder : bool
        Whether it reads folders of recordings.
    """

    name: str
    title: str
    endings: tuple[str, ...]
    recognise: Callable[[Path], bool]
    read: Callable[[Path, ReadOptions], Pack]
    folder: bool = True


def head_of(path: Path) -> str:
    """The first bytes of a file as text; what is no text becomes question marks.

    Raises
    ------
    DataError
        When it cannot be opened.
    """
    return _first_bytes(path, _HEAD).decode("utf-8", "replace")


def _first_bytes(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise DataError("The file cannot be read", str(path), str(error), fix="check its permissions") from None


def _says(pattern: str) -> Callable[[Path], bool]:
    compiled = re.compile(pattern)
    return lambda path: compiled.search(head_of(path)) is not None


def _first_row(path: Path) -> list[str]:
    lines = head_of(path).splitlines()
    return next(csv.reader(lines[:1]), []) if lines else []


def _is_ctrgcn(path: Path) -> bool:
    return path.suffix.lower() == ".npz" and any(name in npz.array_shapes(path) for name in ctrgcn.ARRAYS)


def _is_pickle(path: Path) -> bool:
    """A pickle of protocol 2 or later begins with byte 80 hex and its protocol."""
    head = _first_bytes(path, 2)
    return len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def _is_numbers(path: Path) -> bool:
    """Lines of four numbers."""
    lines = head_of(path).splitlines()[:20]
    return bool(lines) and all(len(line.split()) == 4 for line in lines) and \
        all(re.fullmatch(r"[-+0-9.eE\s]+", line) for line in lines)


def _read_pack(path: Path, _: ReadOptions) -> Pack:
    pack = load_pack(path)
    if not pack.facts and pack.data.shape[3] == 3 and len(pack.data):
        start = len(pack.data) // 2  # a look at frames of the middle: nobody said what the numbers are
        for part in (pack.data[:4096], pack.data[start:start + 4096]):
            refuse_scores_as_coordinates(part.reshape(-1, *part.shape[2:]), str(path))
    return pack


READERS: tuple[Reader, ...] = (
    Reader("pack", "pack, mksgn's own format: an .npz file, or a folder NAME.pack that is mapped", (".npz",),
           lambda path: not _is_ctrgcn(path), _read_pack, folder=False),
    Reader("ctrgcn", "CTR-GCN / HD-GCN archive of NTU RGB+D (x_train, y_train, x_test, y_test)", (".npz",), _is_ctrgcn,
           lambda path, options: ctrgcn.read_ctrgcn(path, options.frames("data")), folder=False),
    Reader("nw-ucla", "NW-UCLA JSON of the all_sqe release (a##_s##_e##_v##.json)", (".json",),
           _says(r'"skeletons"\s*:'),
           lambda path, o: nw_ucla.read_nw_ucla(path, o.leave_out, o.frames("data"))),
    Reader("ntu", "NTU RGB+D 60 and 120 .skeleton text", (".skeleton",), lambda path: True,
           lambda path, o: ntu.read_ntu(path, "skip" if o.skip_bad else "error", o.leave_out, o.frames("data"))),
    Reader("pyskl", "pyskl / MMAction2 pickle of annotations (2-D COCO-17, 3-D NTU-25)", (".pkl", ".pickle"),
           _is_pickle, pyskl.read_pyskl, folder=False),
    Reader("openpose", "OpenPose JSON, BODY_25 or 18 joints, one file a frame or one a clip", (".json",),
           _says(r'"people"\s*:|"pose_keypoints(_2d)?"\s*:'), pose_json.read_openpose),
    Reader("yolo", "YOLO pose results JSON (Results.to_json), one file an image or one a clip", (".json",),
           _says(r'"keypoints"\s*:\s*\{\s*"(x|y|visible)"'), pose_json.read_yolo),
    Reader("coco", "COCO key point results and AlphaPose JSON, COCO-17 or Halpe-26, one file a clip", (".json",),
           _says(r'"image_id"\s*:'), pose_json.read_coco),
    Reader("mediapipe", "MediaPipe Pose, 33 landmarks a frame, JSON or CSV, one file a clip", (".json", ".csv"),
           lambda path: (mediapipe.is_landmark_table(_first_row(path)) if path.suffix.lower() == ".csv" else
                         re.search(r'"[^"]*([lL]andmarks|[kK]eypoints)[^"]*"\s*:\s*\[|^\s*\[+\s*\{\s*"(x|y|z|name)"',
                                   head_of(path)) is not None), mediapipe.read_mediapipe),
    Reader("bvh", "BVH motion capture: joint positions by forward kinematics", (".bvh",),
           _says(r"^\s*HIERARCHY"), bvh.read_bvh),
    Reader("msr-action3d", "MSR-Action3D text of 20 joints (a##_s##_e##_skeleton3D.txt)", (".txt",), _is_numbers,
           msr.read_msr),
    Reader("plain", "plain table (CSV with columns frame, joint, x, y, z, score) or .npy array, with --body or --edges",
           (".csv", ".npy"), lambda path: path.suffix.lower() == ".npy" or plain.is_plain_table(_first_row(path)),
           plain.read_plain),
)

_BY_NAME = {reader.name: reader for reader in READERS}


def reader_named(name: str) -> Reader:
    """The reader of a format by its name.

    Raises
    ------
    ConfigError
        When there is none.
    """
    if name not in _BY_NAME:
        raise ConfigError("no reader has this name", "--format", repr(name)[:60], ", ".join(_BY_NAME))
    return _BY_NAME[name]


def is_recording(path: Path) -> bool:
    """Whether a path is a single recording by its name: a file of a format whose files are recordings."""
    return path.suffix.lower() in {ending for r in READERS if r.folder for ending in r.endings} and path.is_file()


def formats() -> str:
    """What can be read, in one sentence: for errors and help."""
    files = [f"{reader.name} ({', '.join(reader.endings)})" for reader in READERS]
    folders = [reader.name for reader in READERS if reader.folder]
    return f"a file of a format that is known: {', '.join(files)}; or a folder of files of {', '.join(folders)}"


def listing() -> str:
    """The readers, one line each: for help."""
    width = max(map(len, _BY_NAME))
    return "\n".join(f"    {reader.name:<{width}}  {reader.title} ({', '.join(reader.endings)})" for reader in READERS)


def table() -> str:
    """The readers as a Markdown table: for documents."""
    rows = [f"| `{r.name}` | {r.title} | {', '.join(f'`{e}`' for e in r.endings)} | {'yes' if r.folder else 'no'} |"
            for r in READERS]
    return "\n".join(["| Name | What it reads | Endings | Folders |", "|---|---|---|---|", *rows])


def find(path: Path, name: str = "") -> Reader:
    """The reader of a file or folder, by the content, or by its name where one is given.

    Raises
    ------
    DataError
        When the path does not exist, is empty, mixes formats, or is of a format that no reader knows.
    ConfigError
        When no reader has the name, or the one that has it reads no folders and the path is one.
    """
    if not path.exists():
        raise DataError("There is no such file or folder", str(path), "nothing", formats(), "check the path")
    if name:
        reader = reader_named(name)
        if path.is_dir() and not reader.folder and reader.name != "pack":
            raise ConfigError("this format is read from a file", "--format", f"{name}, {path} is a folder",
                              ", ".join(each.name for each in READERS if each.folder), "name the file itself")
        return reader
    if path.is_dir():
        return _of_folder(path)
    if path.stat().st_size == 0:
        raise DataError("The file is empty", str(path), "0 bytes", formats(), "copy or download it again")
    found = _of_file(path)
    if found is not None:
        return found
    suffix = path.suffix.lower()
    if suffix == ".json":
        content = read_json(path)
        raise DataError("The JSON is not a NW-UCLA recording, nor the output of a pose estimator that is known",
                        str(path), f"keys {sorted(map(str, content))}"[:120] if isinstance(content, dict) else
                        f"{type(content).__name__}: {content!r:.60}", "; ".join(
                            reader.title for reader in READERS if ".json" in reader.endings))
    head = f", it begins with {head_of(path)[:30]!r}" if any(suffix in r.endings for r in READERS) else ""
    raise DataError("The file is of no known skeleton format", str(path), f"'{path.suffix}'{head}", formats(),
                    "convert it to one of these formats")


def _of_file(path: Path) -> Reader | None:
    suffix = path.suffix.lower()
    return next((r for r in READERS if suffix in r.endings and r.recognise(path)), None)


def _of_folder(path: Path) -> Reader:
    if path.suffix == FOLDER_SUFFIX or set(REQUIRED) <= set(folder_shapes(path)):
        return reader_named("pack")
    by_ending: dict[str, list[Path]] = {}
    known = {ending for reader in READERS if reader.folder for ending in reader.endings}
    try:
        for file in _files_in(path):
            by_ending.setdefault(file.suffix.lower(), []).append(file)
    except OSError as error:
        raise DataError("The folder cannot be read", str(path), str(error), fix="check its permissions") from None
    got = ", ".join(f"{len(files)} x '{suffix}'" for suffix, files in sorted(by_ending.items())) or "no files"
    candidates = {suffix: files for suffix, files in sorted(by_ending.items()) if suffix in known}
    # A list of names or a note beside recordings is none: .txt and .csv count where nothing else does.
    strong = {suffix: files for suffix, files in candidates.items() if suffix not in _NOTES} or candidates
    if len(strong) > 1 and not set(strong) <= set(_NOTES):
        raise DataError("The folder mixes two formats", str(path), got, "one format", "separate them")
    for files in strong.values():
        found = _of_some(files)
        if found is not None:
            return found
    if len(candidates) == 1:
        return find(next(iter(candidates.values()))[0])  # whose error tells why no reader takes it
    raise DataError("The folder holds no skeleton recordings", str(path), got, formats(),
                    "name the folder that holds the recordings themselves, or one .npz file")


def _of_some(files: list[Path]) -> Reader | None:
    """The reader that knows the first of many files that any knows: some may be empty, damaged, or hold nobody."""
    spread = [files[i * len(files) // _TRIED] for i in range(_TRIED)] if len(files) > _TRIED else files
    return next((found for file in spread if file.stat().st_size
                 and (found := _of_file(file)) is not None and found.folder), None)


def _files_in(path: Path) -> list[Path]:
    """Files of a folder; of the folders in it where it holds no recordings itself, at most three deep."""
    level, files = [path], []
    for _ in range(4):
        entries = [each for folder in level for each in sorted(folder.iterdir()) if not is_companion(each)]
        files = [each for each in entries if each.is_file()]
        level = [each for each in entries if each.is_dir()]
        if any(file.suffix.lower() in reader.endings for file in files for reader in READERS if reader.folder
               and file.suffix.lower() not in (".txt", ".csv")) or not level:
            break
    return files
