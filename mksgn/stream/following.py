"""Who is who, frame by frame: the person who is watched, those beside, and who takes the place of whom.

Persons are told apart by their tracker's numbers; where it gives none, each is the person of the frames before whose
joints are nearest, in units of the body's size. Nobody takes the place of the person who is watched before that person
was away for :attr:`Follower.absence` seconds: a detector that blinks changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mksgn.data.readers.tracks import FAR, Found, distance_between
from mksgn.stream.frames import Frame, Person
from mksgn.stream.records import Note

ABSENCE_S = 1.0


@dataclass(eq=False)
class _Track:
    """Somebody who was seen a short while ago."""

    name: str
    person: Person
    time: float


@dataclass(frozen=True, eq=False)
class Placed:
    """The persons of a frame in the places of a network.

    Parameters
    ----------
    joints : float32 ndarray (M, V, 3)
        NaN where a joint is missing, or a person is.
    scores : float32 ndarray (M, V)
    watched : bool
        Whether the first place, the person who is watched, is seen.
    persons : int
        Everybody in the frame.
    restart : bool
        Whether everything before this frame is to be forgotten.
    notes : tuple of Note
    """

    joints: np.ndarray
    scores: np.ndarray
    watched: bool
    persons: int
    restart: bool
    notes: tuple[Note, ...]

    @property
    def missing(self) -> int:
        """Joints that are missing of persons who are seen."""
        gone = np.isnan(self.joints).any(axis=2)
        return int(gone[~gone.all(axis=1)].sum())


@dataclass
class Follower:
    """Gives persons their places.

    Parameters
    ----------
    places : int
        M, those of the network.
    joints : int
        V of the body.
    absence : float
        Seconds after which somebody who was not seen is gone, and after which a stream begins anew.
    least : float
        Joints of a lower score are missing.
    """

    places: int
    joints: int
    absence: float = ABSENCE_S
    least: float = 0.0
    _tracks: list[_Track] = field(default_factory=list)
    _placed: list[_Track | None] = field(default_factory=list)
    _last: Frame | None = None
    _met: int = 0

    def place(self, frame: Frame) -> Placed:
        """Give the persons of the next frame their places."""
        notes: list[Note] = []
        last, self._last = self._last, frame
        restart = False
        if last is not None and frame.recording != last.recording:
            restart = True
        elif last is not None and abs(passed := frame.time - last.time) > self.absence:
            restart = True
            what = f"no frame for {passed:.2f} s" if passed > 0 else f"the sensor's clock went back by {-passed:.2f} s"
            notes.append(Note("gap", f"{what}: begun anew"))
        if restart:
            self._tracks, self._placed = [], []
        if frame.recording and (last is None or restart):
            self._met = 0
            notes.append(Note("recording", frame.recording))
        persons = [self._clear(person) for person in frame.persons]
        present, new = self._match([person for person in persons if person.seen.any()], frame.time)
        fresh = not self._placed
        changed = self._fill(present, frame, notes)
        watched = self._placed[0] if self._placed else None
        if not fresh:
            notes += [Note("entered", f"{track.name} entered" + self._beside(track)) for track in new
                      if track is not watched]
        self._forget(frame.time, notes)
        shown = [track if track is not None and track.time == frame.time else None for track in self._placed]
        joints = np.full((self.places, self.joints, 3), np.nan, np.float32)
        scores = np.zeros((self.places, self.joints), np.float32)
        for place, track in enumerate(shown):
            if track is not None:
                joints[place], scores[place] = track.person.joints, track.person.scores
        return Placed(joints, scores, bool(shown) and shown[0] is not None, len(present), restart or changed,
                      tuple(notes))

    def _clear(self, person: Person) -> Person:
        """Without the joints of too low a score."""
        low = person.scores < self.least
        if not low.any():
            return person
        return Person(np.where(low[:, None], np.float32(np.nan), person.joints), np.where(low, 0, person.scores),
                      person.identity)

    def _match(self, persons: list[Person], time: float) -> tuple[list[_Track], list[_Track]]:
        """The tracks of these persons, and those of them that are new."""
        mine: dict[int, _Track] = {}
        free = list(self._tracks)
        for number, person in enumerate(persons):
            found = next((track for track in free if person.identity is not None
                          and track.person.identity == person.identity), None)
            if found is not None:
                mine[number] = found
                free.remove(found)
        pairs = sorted((distance_between(_found(track.person), _found(person)), t, number)
                       for t, track in enumerate(free) for number, person in enumerate(persons)
                       if number not in mine and (track.person.identity is None or person.identity is None))
        taken: set[int] = set()
        for far, t, number in pairs:
            if far < FAR and t not in taken and number not in mine:
                mine[number] = free[t]
                taken.add(t)
        new = []
        for number, person in enumerate(persons):
            if number not in mine:
                self._met += 1
                name = f"person {self._met}" + ("" if person.identity is None else f" (id {person.identity})")
                mine[number] = _Track(name, person, time)
                new.append(mine[number])
            mine[number].person, mine[number].time = person, time
        self._tracks += new
        return list(mine.values()), new

    def _fill(self, present: list[_Track], frame: Frame, notes: list[Note]) -> bool:
        """Fill the places that are free; whether the person who is watched is another one."""
        self._placed = self._placed or [None] * self.places
        before = self._placed[0]
        for place, track in enumerate(self._placed):
            if track is None or frame.time - track.time > self.absence:
                waiting = [each for each in present if each not in self._placed]
                best = max(waiting, key=lambda each: each.person.weight, default=None)
                if best is not None or place > 0:
                    self._placed[place] = best
        now = self._placed[0]
        if now is None:
            self._placed = []
            return False
        if now is before:
            return False
        if before is None:
            if not frame.recording:  # whoever is in it
                notes.append(Note("person", f"{now.name} is watched"))
            return False
        notes.append(Note("person", f"{now.name} is watched in place of {before.name}: begun anew"))
        self._placed = [now, *([None] * (self.places - 1))]
        return True

    def _beside(self, track: _Track) -> str:
        """What becomes of somebody who entered."""
        watched = self._placed[0] if self._placed else None
        if track in self._placed:
            return f", beside {watched.name}" if watched is not None else ""
        return f"; {watched.name} stays the one who is watched" if watched is not None else ""

    def _forget(self, time: float, notes: list[Note]) -> None:
        """Let those go who were away for too long."""
        gone = [track for track in self._tracks if time - track.time > self.absence]
        self._tracks = [track for track in self._tracks if track not in gone]
        notes += [Note("left", f"{track.name} left") for track in gone]


def _found(person: Person) -> Found:
    return Found(person.joints, person.scores)
