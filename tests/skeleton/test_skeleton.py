"""Joint graphs: the usual bodies, their adjacencies against references written here, and arbitrary graphs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mksgn.errors import DataError
from mksgn.skeleton import NTU25, UCLA20, Body, body_of, normalized_adjacency, parents, spatial_partitions


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[int, int]], int]:
    joints = draw(st.integers(1, 9))
    pairs = [(a, b) for a in range(joints) for b in range(joints) if a != b]
    return draw(st.lists(st.sampled_from(pairs), max_size=14)) if pairs else [], joints


def hops(edges: list[tuple[int, int]], joints: int) -> list[list[float]]:
    """All-pairs distances by Floyd and Warshall, as an independent reference."""
    far = float("inf")
    d = [[0.0 if a == b else far for b in range(joints)] for a in range(joints)]
    for a, b in edges:
        d[a][b] = d[b][a] = 1.0
    for k in range(joints):
        for a in range(joints):
            for b in range(joints):
                d[a][b] = min(d[a][b], d[a][k] + d[k][b])
    return d


def test_known_bodies() -> None:
    assert (UCLA20.num_joints, len(UCLA20.edges), UCLA20.center) == (20, 19, 1)
    assert (NTU25.num_joints, len(NTU25.edges), NTU25.center) == (25, 24, 20)
    assert UCLA20.joint_names is not None
    assert UCLA20.joint_names[UCLA20.center] == "spine"
    assert NTU25.joint_names is not None
    assert NTU25.joint_names[NTU25.center] == "spine_shoulder"
    assert body_of(UCLA20.edges.copy(), 20, UCLA20.joint_names) == UCLA20
    assert UCLA20 != NTU25
    with pytest.raises(ValueError, match="read-only"):
        UCLA20.edges[0, 0] = 5


@pytest.mark.parametrize(("body", "file"), [(UCLA20, "nw_ucla.npz"), (NTU25, "ntu_fixture18.npz")])
def test_constants_are_those_of_the_data(body: Body, file: str, data_dir) -> None:
    with np.load(data_dir / file, allow_pickle=False) as archive:
        np.testing.assert_array_equal(body.edges, archive["edges"])
        assert body.joint_names == tuple(archive["joint_names"].tolist())


def test_normalized_adjacency_by_hand() -> None:
    # A path of three joints: degrees with self connections are 2, 3, 2.
    got = normalized_adjacency(body_of([(0, 1), (1, 2)], 3))
    s6 = 1 / np.sqrt(6)
    np.testing.assert_allclose(got, np.array([[1 / 2, s6, 0], [s6, 1 / 3, s6], [0, s6, 1 / 2]]), atol=1e-7)
    assert got.dtype == np.float32


@pytest.mark.parametrize("body", [UCLA20, NTU25, UCLA20.repeat(2)])
def test_normalized_adjacency_is_symmetric_with_radius_one(body: Body) -> None:
    a = normalized_adjacency(body).astype(np.float64)
    np.testing.assert_array_equal(a, a.T)
    assert np.abs(np.linalg.eigvalsh(a)).max() == pytest.approx(1.0, abs=1e-6)


def test_partitions_by_hand() -> None:
    # Joints 1, 2 and 3 hang on the centre 0; 1 and 2 are joined, at equal distance.
    s = spatial_partitions(Body(4, np.array([(0, 1), (0, 2), (0, 3), (1, 2)]), center=0))
    np.testing.assert_array_equal(s[0], np.eye(4))
    np.testing.assert_array_equal(s[1], [[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]])
    third = 1 / 3
    outward = np.array([[0.0, third, third, third], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(s[2], outward, atol=1e-7)


@given(graphs())
@settings(max_examples=60, derandomize=True, deadline=None)
def test_partitions_of_any_graph(graph: tuple[list[tuple[int, int]], int]) -> None:
    edges, joints = graph
    body = body_of(edges, joints)
    s = spatial_partitions(body)
    linked = np.eye(joints, dtype=bool)
    for a, b in edges:
        linked[a, b] = linked[b, a] = True
    assert s.shape == (3, joints, joints)
    np.testing.assert_array_equal((s > 0).sum(axis=0), linked)
    sums = s.sum(axis=2)
    assert np.all((np.abs(sums - 1) < 1e-6) | (sums == 0))
    # The centripetal neighbours of a joint are nearer to the centre of its component, the centrifugal ones are not.
    distance = hops(edges, joints)
    near = [distance[body.center][v] for v in range(joints)]
    for _, v, w in np.argwhere(s[1:] > 0):
        if np.isfinite(near[v]):
            assert (s[1, v, w] > 0) == (near[w] < near[v])


@given(graphs())
@settings(max_examples=60, derandomize=True, deadline=None)
def test_center_is_the_most_central_joint_of_the_largest_component(graph: tuple[list[tuple[int, int]], int]) -> None:
    edges, joints = graph
    distance = hops(edges, joints)
    component = [[w for w in range(joints) if np.isfinite(distance[v][w])] for v in range(joints)]
    largest = max(range(joints), key=lambda v: (len(component[v]), -v))
    eccentricity = {v: max(distance[v][w] for w in component[v]) for v in component[largest]}
    assert body_of(edges, joints).center == min(eccentricity, key=lambda v: (eccentricity[v], v))


@given(graphs(), st.integers(1, 3))
@settings(max_examples=30, derandomize=True, deadline=None)
def test_repeated_bodies_are_block_diagonal(graph: tuple[list[tuple[int, int]], int], persons: int) -> None:
    edges, joints = graph
    one = body_of(edges, joints)
    many = one.repeat(persons)
    assert many.num_joints == persons * joints
    for k, partition in enumerate(spatial_partitions(many)):
        np.testing.assert_array_equal(partition, np.kron(np.eye(persons), spatial_partitions(one)[k]))
    np.testing.assert_array_equal(normalized_adjacency(many), np.kron(np.eye(persons), normalized_adjacency(one)))
    expected = np.concatenate([parents(one) + m * joints for m in range(persons)])
    np.testing.assert_array_equal(parents(many), expected)


def test_repeat_keeps_a_chosen_center_in_every_copy() -> None:
    chosen = Body(3, np.array([(0, 1), (1, 2)]), center=0, joint_names=("a", "b", "c"))
    twice = chosen.repeat(2)
    np.testing.assert_array_equal(twice.hops_to_center(), [0, 1, 2, 0, 1, 2])
    assert twice.joint_names == ("a.0", "b.0", "c.0", "a.1", "b.1", "c.1")
    assert chosen.repeat(1) == chosen


@pytest.mark.parametrize("body", [UCLA20, NTU25])
def test_parents_lead_to_the_center(body: Body) -> None:
    up = parents(body)
    assert up[body.center] == body.center
    linked = body.adjacency()
    for v in range(body.num_joints):
        steps = 0
        while v != body.center:
            assert linked[v, up[v]]
            v, steps = int(up[v]), steps + 1
            assert steps < body.num_joints


@pytest.mark.parametrize(("edges", "joints", "message"), [
    ([(0, 3)], 3, "does not exist"),
    ([(-1, 0)], 3, "does not exist"),
    ([(1, 1)], 3, "to itself"),
    ([(0, 1, 2)], 3, "pairs"),
    ([(0.5, 1.0)], 3, "pairs"),
    ([], 0, "needs joints"),
])
def test_impossible_graphs(edges: list, joints: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        body_of(edges, joints)


def test_impossible_bodies() -> None:
    none = np.zeros((0, 2), dtype=np.int64)
    with pytest.raises(DataError, match="centre"):
        Body(3, none, center=3)
    with pytest.raises(DataError, match="one name per joint"):
        Body(3, none, center=0, joint_names=("a",))
    with pytest.raises(DataError, match="divide"):
        Body(3, none, center=0, persons=2)
    with pytest.raises(DataError, match="fewer than once"):
        UCLA20.repeat(0)
