"""Bodies: a number of joints, the bones between them, and the joint they are centred on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mksgn.errors import DataError

JOINTS_MAX = 1 << 10
"""Of all persons: distances between all of them are kept."""


@dataclass(frozen=True, eq=False)
class Body:
    """An undirected joint graph. Several persons are disjoint copies: joint v of person m is ``m * V + v``.

    Parameters
    ----------
    num_joints : int
        Joints of all persons together.
    edges : int64 ndarray (E, 2)
        Bones as 0-based joint pairs, in no particular direction; stored read-only.
    center : int
        Joint that distances are measured from, of the first person.
    joint_names : tuple of str, or None
        One name per joint.
    persons : int
        Number of equal disjoint copies the joints are made of.

    Raises
    ------
    DataError
        When an edge names an absent joint or joins a joint to itself, when the centre is absent, when the
        number of names differs from the number of joints, or when ``persons`` does not divide the joints.
    """

    num_joints: int
    edges: np.ndarray
    center: int
    joint_names: tuple[str, ...] | None = None
    persons: int = 1

    def __post_init__(self) -> None:
        edges = _edge_array(self.edges, self.num_joints)
        edges.setflags(write=False)
        object.__setattr__(self, "edges", edges)
        if not 0 <= self.center < self.num_joints:
            raise DataError("The centre of a body is not one of its joints", "Body.center", str(self.center),
                            f"0..{self.num_joints - 1}", "leave it to body_of(), which finds it")
        if self.joint_names is not None and len(self.joint_names) != self.num_joints:
            raise DataError("A body needs one name per joint", "Body.joint_names", f"{len(self.joint_names)} names",
                            f"{self.num_joints} names, or None", "name every joint or none")
        if self.persons < 1 or self.num_joints % self.persons:
            raise DataError("The joints of a body do not divide into its persons", "Body.persons", str(self.persons),
                            f"a positive divisor of {self.num_joints}", "build one person and call repeat()")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Body):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self.num_joints, self.edges.tobytes(), self.center, self.joint_names, self.persons

    def repeat(self, persons: int) -> Body:
        """Return ``persons`` disjoint copies of this body on ``persons * num_joints`` joints.

        Raises
        ------
        DataError
            When ``persons`` is below one.
        """
        if persons < 1:
            raise DataError("A body cannot be repeated fewer than once", "Body.repeat", str(persons), "1 or more",
                            "pass the number of persons of the data")
        copies = [self.edges + m * self.num_joints for m in range(persons)]
        names = None
        if self.joint_names is not None:
            names = tuple(n if persons == 1 else f"{n}.{m}" for m in range(persons) for n in self.joint_names)
        return Body(persons * self.num_joints, np.concatenate(copies), self.center, names, persons * self.persons)

    def adjacency(self) -> np.ndarray:
        """Return the symmetric bool (V, V) matrix A of the bones, without self connections."""
        linked = np.zeros((self.num_joints, self.num_joints), dtype=bool)
        linked[self.edges[:, 0], self.edges[:, 1]] = True
        linked[self.edges[:, 1], self.edges[:, 0]] = True
        return linked

    def hops_to_center(self) -> np.ndarray:
        """Return int64 (V,): bones between each joint and the centre of its own connected component.

        The component of ``center`` is measured from ``center``, and so is its copy in every further person; any
        other component is measured from its joint of least eccentricity (ties: the lowest index).
        """
        size = self.num_joints // self.persons
        linked = self.adjacency()[:size, :size]
        distance = _distances(linked)
        hops = np.full(size, -1, dtype=np.int64)
        for component in _components(distance):
            root = self.center if self.center in component else _most_central(distance, component)
            hops[component] = distance[root, component]
        return np.tile(hops, self.persons)


def body_of(edges: Iterable[Sequence[int]] | np.ndarray, num_joints: int,
            joint_names: Sequence[str] | None = None) -> Body:
    """Build a body for any joint graph; its centre is the joint of least eccentricity (ties: the lowest index).

    In a graph of several components the centre is that of the largest one (ties: the one with the lowest joint),
    so that a stray joint without bones does not become the centre.

    Parameters
    ----------
    edges : (E, 2) integers
        0-based joint pairs; may be empty.
    num_joints : int
    joint_names : sequence of str, optional

    Raises
    ------
    DataError
        As :class:`Body`.
    """
    names = tuple(str(n) for n in joint_names) if joint_names is not None else None
    array = _edge_array(edges, num_joints)
    distance = _distances(Body(num_joints, array, 0, names).adjacency())
    largest = max(_components(distance), key=len)
    return Body(num_joints, array, _most_central(distance, largest), names)


def _edge_array(edges: Iterable[Sequence[int]] | np.ndarray, num_joints: int) -> np.ndarray:
    """Check the joint pairs and return an int64 (E, 2) copy."""
    if not 1 <= num_joints <= JOINTS_MAX:
        raise DataError("A body needs joints, and not too many", "Body.num_joints", str(num_joints),
                        f"1..{JOINTS_MAX}")
    array = np.array(edges if isinstance(edges, np.ndarray) else list(edges))
    if array.size == 0:
        return np.zeros((0, 2), dtype=np.int64)
    if array.ndim != 2 or array.shape[1] != 2 or not np.issubdtype(array.dtype, np.integer):
        raise DataError("Edges must be pairs of joint numbers", "edges", f"{array.dtype} array of shape {array.shape}",
                        "integers of shape (E, 2)", "list each bone once as (joint, joint), counted from 0")
    absent = (array < 0) | (array >= num_joints)
    if absent.any():
        row = int(np.flatnonzero(absent.any(axis=1))[0])
        raise DataError("An edge names a joint that does not exist", f"edge {row}", str(tuple(array[row].tolist())),
                        f"joints 0..{num_joints - 1}", "count joints from 0")
    loops = np.flatnonzero(array[:, 0] == array[:, 1])
    if loops.size:
        raise DataError("An edge joins a joint to itself", f"edge {loops[0]}", str(tuple(array[loops[0]].tolist())),
                        "two different joints", "drop it: self connections are added by the adjacency")
    return array.astype(np.int64)


def _distances(linked: np.ndarray) -> np.ndarray:
    """All-pairs hop counts of a bool adjacency by breadth-first search; -1 where there is no path."""
    size = len(linked)
    neighbours = [np.flatnonzero(row).tolist() for row in linked]
    distance = np.full((size, size), -1, dtype=np.int64)
    for start in range(size):
        distance[start, start] = 0
        queue = deque([start])
        while queue:
            joint = queue.popleft()
            for other in neighbours[joint]:
                if distance[start, other] < 0:
                    distance[start, other] = distance[start, joint] + 1
                    queue.append(other)
    return distance


def _components(distance: np.ndarray) -> list[np.ndarray]:
    """Joints of each connected component, ordered by their lowest joint."""
    reached = distance >= 0
    return [np.flatnonzero(row) for v, row in enumerate(reached) if int(np.argmax(row)) == v]


def _most_central(distance: np.ndarray, component: np.ndarray) -> int:
    eccentricity = distance[np.ix_(component, component)].max(axis=1)
    return int(component[int(np.argmin(eccentricity))])


_UCLA20_NAMES = (
    "hip_center", "spine", "shoulder_center", "head", "shoulder_left", "elbow_left", "wrist_left", "hand_left",
    "shoulder_right", "elbow_right", "wrist_right", "hand_right", "hip_left", "knee_left", "ankle_left", "foot_left",
    "hip_right", "knee_right", "ankle_right", "foot_right",
)
_KINECT_LIMBS = [(5, 4), (6, 5), (7, 6), (9, 8), (10, 9), (11, 10), (12, 0), (13, 12), (14, 13), (15, 14),
                 (16, 0), (17, 16), (18, 17), (19, 18)]

#: Kinect v1, 20 joints, as in NW-UCLA and MSR-Action3D.
UCLA20 = body_of([(0, 1), (1, 2), (3, 2), (4, 2), *_KINECT_LIMBS[:3], (8, 2), *_KINECT_LIMBS[3:]], 20, _UCLA20_NAMES)

#: Kinect v2, 25 joints, as in NTU RGB+D 60 and 120; edges of ST-GCN.
NTU25 = body_of(
    [(0, 1), (1, 20), (2, 20), (3, 2), (4, 20), *_KINECT_LIMBS[:3], (8, 20), *_KINECT_LIMBS[3:],
     (21, 22), (22, 7), (23, 24), (24, 11)], 25,
    ("spine_base", "spine_mid", "neck", *_UCLA20_NAMES[3:], "spine_shoulder", "hand_tip_left", "thumb_left",
     "hand_tip_right", "thumb_right"))
