"""Recordings of a data set, played frame by frame as a sensor would give them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mksgn.data.pack import Pack
from mksgn.errors import ConfigError
from mksgn.stream.frames import Frame, person_of
from mksgn.stream.sources import Say


@dataclass(eq=False)
class Playback:
    """Recordings, one after the other.

    Parameters
    ----------
    told : str
    pack : Pack
    indices : int64 ndarray
        Which sequences.
    fps : float
        Frames per second.
    """

    told: str
    pack: Pack
    indices: np.ndarray
    fps: float
    live: bool = field(default=False, init=False)
    bad_lines: int = field(default=0, init=False)

    def frames(self, stop: threading.Event, say: Say) -> Iterator[Frame]:
        """The frames; the time goes on from recording to recording."""
        number = 0
        for index in self.indices:
            sequence, scores = self.pack.sequence(int(index)), self.pack.scores_of(int(index))
            title = self.title(int(index))
            for at in range(len(sequence)):
                persons = []
                for place, points in enumerate(sequence[at]):
                    given = np.ones(len(points)) if scores is None else scores[at, place]
                    gone = (given <= 0) & ~points.any(axis=1)
                    if points.any():
                        persons.append(person_of(np.where(gone[:, None], np.nan, points), given, place))
                yield Frame(number / self.fps, tuple(persons), title)
                number += 1

    def title(self, index: int) -> str:
        """Name of a recording, and its class where it is known."""
        label = int(self.pack.labels[index])
        return str(self.pack.names[index]) + (f" ({self.pack.class_names[label]})" if label >= 0 else "")


def find_recordings(pack: Pack, first: str | None, count: int) -> np.ndarray:
    """Which sequences are played: ``count``, from the one of this name or number on.

    Raises
    ------
    ConfigError
        When there are not so many.
    """
    where = 0
    if first is not None:
        found = np.flatnonzero(pack.names == first)
        if not found.size and not (first.isdecimal() and int(first) < len(pack)):
            raise ConfigError("there is no such recording", where="--recording", got=first[:80],
                              allowed=f"a name such as {pack.names[0]}, or a number from 0 to {len(pack) - 1}")
        where = int(found[0]) if found.size else int(first)
    if where + count > len(pack):
        raise ConfigError("there are not so many recordings", where="--recordings", got=str(count),
                          allowed=f"up to {len(pack) - where} from {pack.names[where]} on")
    return np.arange(where, where + count)
