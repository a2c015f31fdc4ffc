"""Gathering sequences of frames in one array, in memory or elsewhere, and packs made of other packs that way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mksgn.data.blocks import frame_blocks
from mksgn.data.pack import Pack


class Frames:
    """Sequences of frames, one after the other in one float32 array that grows, so that memory holds them once."""

    def __init__(self) -> None:
        self._data: np.ndarray | None = None
        self._shape: tuple[int, ...] = ()
        self._total = 0
        self.lengths: list[int] = []

    def append(self, frames: np.ndarray) -> None:
        """Add a sequence (F, ...); all have the same shape but for F."""
        if self._data is None:
            self._data = np.empty(0, np.float32)
            self._shape = frames.shape[1:]
        used, size = self._used, frames.size
        if used + size > self._data.size:
            # Growing by a quarter leaves the copying to the system, which moves pages rather than numbers.
            self._data.resize(max(used + size, self._data.size + self._data.size // 4), refcheck=False)
        self._data[used:used + size] = frames.reshape(-1)
        self.lengths.append(len(frames))
        self._total += len(frames)

    def array(self) -> np.ndarray:
        """All frames, float32 (total, ...). Nothing can be appended afterwards."""
        assert self._data is not None, "there is a sequence"
        self._data.resize(self._used, refcheck=False)
        return self._data.reshape(-1, *self._shape)

    def close(self) -> None:
        """Let go of what was gathered, where it is not wanted."""

    def like(self) -> Frames:
        """An empty one of the same kind, for frames that replace these."""
        return Frames()

    @property
    def offsets(self) -> np.ndarray:
        """int64 (N + 1,), as a pack has them."""
        return np.cumsum([0, *self.lengths], dtype=np.int64)

    @property
    def _used(self) -> int:
        return self._total * int(np.prod(self._shape, dtype=np.int64))


def rewritten(array: np.ndarray, frames: Frames, change: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
    """An array made of another one block by block: memory holds one block, and what ``frames`` keeps.

    Parameters
    ----------
    array : float32 ndarray (frames, ...)
    frames : Frames
        Empty; gathers the new array.
    change : callable
        Makes the new block of (number of its first frame, block).
    """
    for start, block in frame_blocks(array):
        frames.append(change(start, block))
    return frames.array()


def kept(pack: Pack, mask: np.ndarray, gather: Callable[[str], Frames]) -> Pack:
    """The pack of the sequences that ``mask`` (N,) marks, as :meth:`~mksgn.data.pack.Pack.subset`.

    Parameters
    ----------
    gather : callable
        Makes what the frames of ``data`` and of ``scores`` were gathered in.
    """
    lasting = np.repeat(mask, pack.lengths)

    def of(array: np.ndarray, name: str) -> np.ndarray:
        return rewritten(array, gather(name).like(), lambda start, block: block[lasting[start:start + len(block)]])

    scores = None if pack.scores is None else of(pack.scores, "scores")
    per_sequence: dict[str, Any] = {name: None if getattr(pack, name) is None else getattr(pack, name)[mask]
                    for name in ("labels", "names", "test", "test_dup_of_train")}
    return replace(pack, data=of(pack.data, "data"), scores=scores,
                   offsets=np.concatenate([[0], np.cumsum(pack.lengths[mask])]),
                   ids={name: values[mask] for name, values in pack.ids.items()},
                   splits={name: values[mask] for name, values in pack.splits.items()}, **per_sequence)
