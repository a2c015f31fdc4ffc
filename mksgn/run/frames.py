"""What runs a stream frame by frame: a frame in, what follows from it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mksgn.errors import DataError
from mksgn.ir import Graph, Population
from mksgn.ir.messages import check_messages


@dataclass(frozen=True, eq=False)
class FrameResult:
    """What one call of :meth:`FrameStream.push` computed.

    Parameters
    ----------
    number : int
        The frame that entered, from 0.
    output : ndarray or None
        What the output gives in this frame: int64 (C F V,) of a readout, its v / 64 rounded down; else spikes, int8
        (C, 1, V, T). None: the output has no frame now.
    first : int or None
        The first frame that ``output`` looks at: of a clip, its frame 0.
    spikes, active, synops, macs : int
        Events of this call in all populations: :class:`mksgn.counts.Counts`.
    """

    number: int
    output: np.ndarray | None
    first: int | None
    spikes: int
    active: int
    synops: int
    macs: int


class FrameStream(Protocol):
    """A stream that takes a frame per call and carries its state from call to call.

    Attributes
    ----------
    graph : Graph
        Endless.
    steps : int
        T of a frame.
    """

    graph: Graph
    steps: int

    def lag(self, population: str) -> int:
        """Frames by which ``population`` works later than the frame that enters."""
        ...

    def push(self, frame: np.ndarray) -> FrameResult:
        """Let a frame enter, int (C, 1, V) or (C, 1, V, T), and compute what follows from it."""
        ...

    def spikes(self, population: str) -> np.ndarray:
        """What ``population`` sent in the last frame: int8 (C, 1, V, T). It works :meth:`lag` frames late."""
        ...

    def reset(self) -> None:
        """Forget all frames, as if the stream began anew."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


def checked_frame(frame: np.ndarray, entry: Population, steps: int, number: int) -> np.ndarray:
    """A frame as messages (C, 1, V, 1) that are the same at every step, or (C, 1, V, T).

    Parameters
    ----------
    frame : int array_like (C, 1, V) or (C, 1, V, T)
    entry : Population
        The input.
    steps : int
        T.
    number : int
        Of the frame, from 0; for errors.

    Raises
    ------
    DataError
        When the frame has another shape, or values that the input cannot send.
    """
    frame, shape = np.asarray(frame), tuple(entry.shape)
    if frame.shape not in (shape, (*shape, steps)):
        raise DataError("a frame does not fit the net's input", where=f"frame {number}", got=str(frame.shape),
                        allowed=f"{shape}, or the same with {steps} steps")
    check_messages(frame[None], entry, "frame")
    return frame if frame.ndim == 4 else frame[..., None]
