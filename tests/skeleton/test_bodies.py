"""Bodies by name, and their drawings."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from mksgn.errors import ConfigError
from mksgn.skeleton import NTU25, UCLA20, body_of
from mksgn.skeleton.bodies import ALIASES, BODIES, body_named, name_of, sides_of
from mksgn.skeleton.drawing import as_svg, as_text, overview, places


@pytest.mark.parametrize("name", BODIES)
def test_every_body_is_whole(name: str) -> None:
    named = body_named(name)
    body, names = named.body, named.joint_names
    assert len(set(names)) == len(names) == body.num_joints == int("".join(c for c in name if c.isdigit())[-2:])
    assert len({tuple(sorted(edge)) for edge in body.edges.tolist()}) == len(body.edges)
    assert (body.hops_to_center() >= 0).all()
    linked = body.adjacency() | body.adjacency().T
    reached, edge = {body.center}, [body.center]
    while edge:
        edge = [w for v in edge for w in linked[v].nonzero()[0].tolist() if w not in reached and not reached.add(w)]
    assert len(reached) == body.num_joints  # one piece: a joint without bones would be mixed with nothing
    left, right = (sum(side in joint for joint in names) for side in ("left", "right"))
    assert left == right == len(named.sides)
    mirrored = {v: w for pair in named.sides for v, w in (pair, pair[::-1])}
    bones = {frozenset(edge) for edge in body.edges.tolist()}
    assert {frozenset(mirrored.get(v, v) for v in bone) for bone in bones} == bones  # the left half is the right half
    assert name_of(body) == name
    assert name_of(body_of(body.edges[::-1, ::-1], body.num_joints)) == name


def test_names_and_other_names() -> None:
    assert body_named("NTU25").body == NTU25 and body_named("nw-ucla").body == UCLA20
    assert all(body_named(alias).name == name for alias, name in ALIASES.items())
    with pytest.raises(ConfigError, match="no body") as error:
        body_named("spider8")
    assert "coco17" in error.value.allowed
    assert name_of(body_of([(0, 1)], 2)) == ""


def test_sides_need_both_names() -> None:
    assert sides_of(("LeftHand", "Head", "RightHand", "left_foot")) == ((0, 2),)


def test_shoulders_and_hips_are_named_for_alignment() -> None:
    """The names that turn bodies to face one way (training/recipe.lateral_joints)."""
    for named in BODIES.values():
        names = named.joint_names
        for part in ("shoulder", "hip"):
            assert {f"{part}_left", f"{part}_right"} <= set(names) or {f"left_{part}", f"right_{part}"} <= set(names)


@pytest.mark.parametrize("name", BODIES)
def test_drawings(name: str) -> None:
    named = body_named(name)
    svg = ElementTree.fromstring(as_svg(named))
    tag = "{http://www.w3.org/2000/svg}"
    assert len(svg.findall(f"{tag}line")) == len(named.body.edges)
    assert [title.text for title in svg.iter(f"{tag}title")] == [f"{v} {n}" for v, n in enumerate(named.joint_names)]
    text = as_text(named)
    assert len(text.splitlines()) == named.body.num_joints + 2
    assert all(joint in text for joint in named.joint_names)
    assert named.title in overview()
    spots = places(named)
    assert len(set(spots)) == len(spots), "two joints are drawn in one place"
    at = dict(zip(named.joint_names, spots))
    for left, right in named.sides:
        (x, y), (other, height) = spots[left], spots[right]
        assert x == -other > 0 and y == height
    highest = max(at, key=lambda joint: at[joint][1])
    assert any(part in highest for part in ("head", "nose", "eye"))
