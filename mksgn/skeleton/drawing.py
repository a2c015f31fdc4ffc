"""Drawings of bodies, as text and as SVG: each joint at a place that its name tells, bones between them."""

from __future__ import annotations

from html import escape

from mksgn.skeleton.bodies import BODIES, NamedBody, sides_of
from mksgn.skeleton.body import Body

#: Parts of names from the head down, and where they stand: sideways distance from the middle, height. Longer parts win.
_PLACES = {
    "head": (0, 100), "nose": (0, 94), "eye_inner": (2, 97), "eye_outer": (6, 97), "eye": (4, 97), "ear": (9, 94),
    "mouth": (3, 90), "neck": (0, 84), "shoulder": (16, 81), "shoulder_center": (0, 82), "spine_shoulder": (0, 80),
    "elbow": (24, 66), "wrist": (29, 53), "hand": (31, 48), "hand_tip": (33, 43), "thumb": (25, 46), "pinky": (34, 45),
    "index": (31, 43), "foot_index": (15, 0), "spine": (0, 66), "spine_mid": (0, 66), "hip": (8, 49),
    "hip_center": (0, 51), "mid_hip": (0, 51), "spine_base": (0, 51), "knee": (10, 27), "ankle": (11, 6),
    "heel": (9, 1), "foot": (15, 1), "big_toe": (14, 0), "small_toe": (19, 0)}


def places(named: NamedBody) -> list[tuple[float, float]]:
    """A drawn place of every joint: (x, y), y up, left joints of a body that faces the reader on the right."""
    return [_place(name, named.body) for name in named.joint_names]


def _place(name: str, body: Body) -> tuple[float, float]:
    part = max((part for part in _PLACES if part in name), key=len, default="")
    across, height = _PLACES.get(part, (0, 50))
    if name == "hip":
        across, height = _PLACES["hip_center"]
    side = 1 if "left" in name else -1 if "right" in name else 0
    return float(across * side), float(height)


def as_text(named: NamedBody) -> str:
    """The body in lines of text: its facts, and each joint with its number, name and neighbours."""
    body, names = named.body, named.joint_names
    width = max(map(len, names))
    linked = body.adjacency()
    opposite = {v: w for pair in sides_of(names) for v, w in (pair, pair[::-1])}
    lines = [f"{named.name}: {named.title}", f"  {body.num_joints} joints, {len(body.edges)} bones, "
             f"centre {names[body.center]}, root {names[named.root]}"]
    for v, name in enumerate(names):
        bones = " ".join(str(w) for w in linked[v].nonzero()[0])
        mirror = f"  mirrors {opposite[v]}" if v in opposite else ""
        lines.append(f"  {v:>2}  {name:<{width}}  bones to {bones}{mirror}")
    return "\n".join(lines)


def as_svg(named: NamedBody, height: int = 480) -> str:
    """The body as an SVG image that stands alone; joints bear their numbers, and their names as titles."""
    scale = height / 116
    at = [((x + 50) * scale, (108 - y) * scale) for x, y in places(named)]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{100 * scale:.0f}" height="{height}" '
             f'role="img" aria-label="{escape(named.name)}">', '<rect width="100%" height="100%" fill="white"/>']
    for a, b in named.body.edges.tolist():
        parts.append(f'<line x1="{at[a][0]:.1f}" y1="{at[a][1]:.1f}" x2="{at[b][0]:.1f}" y2="{at[b][1]:.1f}" '
                     'stroke="#667" stroke-width="2"/>')
    for v, (x, y) in enumerate(at):
        name = named.joint_names[v]
        colour = "#2a6fb0" if "left" in name else "#b0432a" if "right" in name else "#333"
        parts.append(f'<g><title>{v} {escape(name)}</title><circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
                     f'<text x="{x + 5:.1f}" y="{y - 3:.1f}" font-size="10" font-family="sans-serif">{v}</text></g>')
    return "\n".join([*parts, "</svg>", ""])


def overview() -> str:
    """Every body that has a name, one line each."""
    return "\n".join(f"{each.name:<12} {each.body.num_joints:>3} joints  {each.title}" for each in BODIES.values())
