"""Converting sets that are larger than memory: recordings go to disk as they are read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from mksgn.data import npy_folder, npz
from mksgn.data.frames import Frames
from mksgn.data.pack import FOLDER_SUFFIX, Pack, arrays_of, writing
from mksgn.data.readers.options import ReadOptions
from mksgn.data.readers.recognise import read
from mksgn.errors import ConfigError
from mksgn.files import replacing


class FramesOnDisk(Frames):
    """As :class:`~mksgn.data.frames.Frames`, in a ``.npy`` file: memory holds the sequence being added."""

    def __init__(self, path: Path, progress: Callable[[int], object] = lambda done: None) -> None:
        super().__init__()
        self._path = path
        self._progress = progress
        self._file: IO[bytes] | None = None

    def append(self, frames: np.ndarray) -> None:
        """Add a sequence (F, ...); all have the same shape but for F."""
        if self._file is None:
            self._shape = frames.shape[1:]
            self._file = self._path.open("wb")
            self._file.write(npy_folder.npy_header((0, *self._shape), np.dtype(np.float32)))
        if frames.shape[1:] != self._shape:
            raise ValueError(f"a sequence of shape {frames.shape} after others of (F, *{self._shape})")
        self._file.write(np.ascontiguousarray(frames, np.float32).data)
        self.lengths.append(len(frames))
        self._total += len(frames)
        self._progress(len(self.lengths))

    def array(self) -> np.ndarray:
        """All frames as a read-only map of the file. Nothing can be appended afterwards."""
        assert self._file is not None, "there is a sequence"
        self._file.seek(0)
        self._file.write(npy_folder.npy_header((self._total, *self._shape), np.dtype(np.float32)))
        self._file.close()
        return npy_folder.read_arrays(self._path.parent, {self._path.stem})[self._path.stem] \
            if self._path.stem in npy_folder.MAPPED else np.load(self._path, mmap_mode="r", allow_pickle=False)

    def close(self) -> None:
        """Close the file, which goes with its folder."""
        if self._file is not None:
            self._file.close()

    def like(self) -> Frames:
        """An empty one in a file beside, which takes this one's name when it is whole."""
        return _Successor(self._path)


class _Successor(FramesOnDisk):
    """Frames that replace those of a file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.with_suffix(".new"))
        self._target = path

    def array(self) -> np.ndarray:
        assert self._file is not None, "there is a sequence"
        self._file.flush()
        os.replace(self._path, self._target)
        self._path = self._target
        return super().array()


def convert(source: str | os.PathLike[str], out: str | os.PathLike[str], options: ReadOptions | None = None,
            progress: Callable[[int], object] = lambda done: None) -> Pack:
    """Read skeleton data of any known format and write it as a pack; memory holds one recording at a time.

    Parameters
    ----------
    source : path
        What :func:`mksgn.data.readers.read` knows.
    out : path
        ``NAME.pack``, a folder that :func:`~mksgn.data.pack.load_pack` maps, or ``NAME.npz``, which is compressed and
        read whole. It appears whole or not at all.
    options : ReadOptions, optional
    progress : callable
        Told, after each sequence, how many are read.

    Returns
    -------
    Pack
        Without its data being read: a map of ``out`` where that is a folder; else of nothing that is left, so that only
        its numbers, names and labels are of use.

    Raises
    ------
    DataError
        As :func:`~mksgn.data.readers.read`; when it cannot be written.
    ConfigError
        When ``out`` has another ending.
    """
    out = Path(out)
    if out.suffix not in (FOLDER_SUFFIX, ".npz"):
        raise ConfigError("a pack's name ends in .npz or .pack", got=out.name, allowed="NAME.npz, NAME.pack")
    folder = out if out.suffix == FOLDER_SUFFIX else out.with_suffix(FOLDER_SUFFIX + "-parts")
    with writing(out):
        if out.suffix == FOLDER_SUFFIX:
            with npy_folder.replacing_folder(folder) as temporary:
                pack = _read_into(source, temporary, options, progress)
                npy_folder.write_arrays(temporary, arrays_of(pack))
                if pack.scores is None:
                    (temporary / "scores.npy").unlink(missing_ok=True)
        else:
            with npy_folder.scratch(folder) as temporary:
                pack = _read_into(source, temporary, options, progress)
                with replacing(out) as file:
                    npz.write_arrays(file, arrays_of(pack))
    return pack


def _read_into(source: str | os.PathLike[str], folder: Path, options: ReadOptions | None,
               progress: Callable[[int], object]) -> Pack:
    asked = options or ReadOptions()
    return read(source, options=replace(asked, frames=lambda name: FramesOnDisk(
        folder / f"{name}.npy", *([progress] if name == "data" else []))))
