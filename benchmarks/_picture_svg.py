"""The entrance picture as SVG: poses above, spikes of one joint's neurons below, the readout at the right."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT, MARGIN = 960, 602, 28
LEFT, PLOT = 176.0, 500.0
"""Where the time axis begins, and its length, in pixels."""
POSES, POSE_TOP, POSE_HEIGHT = 10, 66.0, 124.0
RASTER_TOP, RASTER_HEIGHT, RASTER_GAP, ROWS = 222.0, 76.0, 12.0, 48
GAP = 1.0
"""Between the dashes of two time steps."""
DECISION, BAR_LENGTH, BAR, HEAD = 706.0, 226.0, 11.0, 6.0
LIGHT = {"page": "#ffffff", "edge": "#d0d7de", "ink": "#1f2328", "soft": "#656d76", "bone": "#8c959f",
         "lane": "#f6f8fa", "spike": "#0b6e99", "mark": "#d1570b"}
DARK = {"page": "#0d1117", "edge": "#30363d", "ink": "#e6edf3", "soft": "#8d96a0", "bone": "#7d8590",
        "lane": "#161b22", "spike": "#56b4e9", "mark": "#ff9d4d"}


@dataclass(frozen=True)
class Raster:
    """Spikes of one population at one joint.

    Parameters
    ----------
    title : str
    spikes : int8 ndarray (C, F T)
        Channels against time steps, the T steps of a frame side by side.
    places, fired : int
        Neurons times steps of the whole population, and how many of them are spikes.
    """

    title: str
    spikes: np.ndarray
    places: int
    fired: int


@dataclass(frozen=True)
class Scene:
    """One sample, as it enters, runs and is decided.

    ``pose`` is (F, V, 3) int8, ``readout`` (J,) integers; ``head`` is the joint that gets a circle, where there is one.
    """

    sample: str
    label: str
    pose: np.ndarray
    edges: np.ndarray
    centre: int
    joint: int
    joint_name: str
    head: int | None
    rasters: tuple[Raster, ...]
    classes: tuple[str, ...]
    readout: np.ndarray
    time_steps: int


def svg_of(scene: Scene) -> str:
    """The picture. Its colours follow the reader's light or dark mode."""
    body = [*_headings(scene), *_poses(scene), *_rasters(scene), *_decision(scene)]
    described = (f"The movement {scene.label} of the recording {scene.sample}, as the network reads it; the spikes of "
                 f"the neurons of one joint ({scene.joint_name}), from the spike coder to the last layer; and the "
                 f"readout of every class, of which {scene.classes[int(scene.readout.argmax())]} is the largest.")
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d">',
        '<title id="t">A skeleton, its spikes, and the decision</title>', f'<desc id="d">{escape(described)}</desc>',
        f"<style>{_style()}</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="10"/>', *body, "</svg>", ""])


def _style() -> str:
    def rules(colours: dict[str, str]) -> str:
        c = colours
        return (f".page{{fill:{c['page']};stroke:{c['edge']}}}.ink{{fill:{c['ink']}}}.soft{{fill:{c['soft']}}}"
                f".bone{{stroke:{c['bone']}}}.lane{{fill:{c['lane']}}}.spike{{stroke:{c['spike']}}}"
                f".bar{{fill:{c['bone']}}}.mark{{fill:{c['mark']}}}.trail{{stroke:{c['mark']}}}"
                f".rule{{stroke:{c['edge']}}}")
    return ("text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:13px}"
            ".head{font-size:15px;font-weight:600}.small{font-size:11.5px}.end{text-anchor:end}.middle{text-anchor:middle}"
            ".strong{font-weight:600}path{fill:none;stroke-linecap:round;stroke-linejoin:round}.bone{stroke-width:2.2}"
            ".trail{stroke-width:1.6;opacity:.75}.spike{stroke-linecap:butt}.rule{stroke-width:1}"
            f"{rules(LIGHT)}@media(prefers-color-scheme:dark){{{rules(DARK)}}}")


def _text(x: float, y: float, content: str, classes: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{classes}">{escape(content)}</text>'


def _headings(scene: Scene) -> list[str]:
    frames = len(scene.pose)
    return [
        _text(MARGIN, 36, "1  a skeleton", "head ink"),
        _text(LEFT, 36, f"recording {scene.sample}: {frames} frames, {scene.pose.shape[1]} joints, int8", "soft"),
        _text(MARGIN, RASTER_TOP - 8, "2  spikes", "head ink"),
        _text(LEFT, RASTER_TOP - 8, f"neurons of the {scene.joint_name}, {scene.time_steps} time steps a frame",
              "soft"),
        _text(DECISION, 36, "3  the decision", "head ink"),
        _text(DECISION, 58, "what the readout has added up", "soft"),
    ]


def _poses(scene: Scene) -> list[str]:
    """Stills along the time axis, and the way that the joint takes."""
    pose = scene.pose[:, :, :2].astype(float)
    pose[:, scene.centre] = 0  # the centre carries the walk, all other joints are relative to it
    low, high = pose.min(axis=(0, 1)), pose.max(axis=(0, 1))
    scale = min(POSE_HEIGHT / (high[1] - low[1]), 1.7 * PLOT / POSES / (high[0] - low[0]))
    frames = len(pose)

    def place(frame: int, joint: int) -> tuple[float, float]:
        x = LEFT + PLOT * (frame + 0.5) / frames + scale * (pose[frame, joint, 0] - (low[0] + high[0]) / 2)
        return round(x, 1), round(POSE_TOP + POSE_HEIGHT - scale * (pose[frame, joint, 1] - low[1]), 1)

    drawn = []
    for frame in np.unique(((np.arange(POSES) + 0.5) * frames / POSES).astype(int)):
        lines = []
        for a, b in scene.edges:
            (x1, y1), (x2, y2) = place(frame, a), place(frame, b)
            lines.append(f"M{x1:g} {y1:g}L{x2:g} {y2:g}")
        drawn.append(f'<path class="bone" d="{"".join(lines)}"/>')
        if scene.head is not None:
            x, y = place(frame, scene.head)
            drawn.append(f'<circle class="bone" cx="{x:g}" cy="{y - HEAD:g}" r="{HEAD:g}" fill="none"/>')
        x, y = place(frame, scene.joint)
        drawn.append(f'<circle class="mark" cx="{x:g}" cy="{y:g}" r="3.4"/>')
    way = "L".join(f"{x:g} {y:g}" for x, y in (place(frame, scene.joint) for frame in range(frames)))
    return [f'<path class="trail" d="M{way}"/>', *drawn]


def _rasters(scene: Scene) -> list[str]:
    """A lane per population: a row per channel, a dash per spike."""
    drawn = []
    for number, raster in enumerate(scene.rasters):
        top = RASTER_TOP + number * (RASTER_HEIGHT + RASTER_GAP)
        rows = raster.spikes[:ROWS]
        steps = rows.shape[1]
        width, pitch = PLOT / steps, RASTER_HEIGHT / len(rows)
        dashes = [f"M{LEFT + step * width:.1f} {top + (row + 0.5) * pitch:.1f}h{width - GAP:.1f}"
                  for row, step in np.argwhere(rows)]
        middle = top + RASTER_HEIGHT / 2
        drawn += [
            f'<rect class="lane" x="{LEFT:g}" y="{top:g}" width="{PLOT:g}" height="{RASTER_HEIGHT:g}" rx="2"/>',
            f'<path class="spike" stroke-width="{0.78 * pitch:.2f}" d="{"".join(dashes)}"/>',
            _text(LEFT - 14, middle - 9, raster.title, "end strong ink"),
            _text(LEFT - 14, middle + 8, f"{len(rows)} of {len(raster.spikes)} channels", "end small soft"),
            _text(LEFT - 14, middle + 23, f"{100 * raster.fired / raster.places:.0f} % fire", "end small soft")]
    return [*drawn, _text(LEFT, HEIGHT - 18, "first frame", "small soft"),
            _text(LEFT + PLOT, HEIGHT - 18, "last frame", "small soft end")]


def _decision(scene: Scene) -> list[str]:
    """A bar per class from the readout's zero, the largest marked."""
    low, high = min(0, int(scene.readout.min())), max(1, int(scene.readout.max()))
    scale = BAR_LENGTH / (high - low)
    zero = DECISION - scale * low
    winner = int(scene.readout.argmax())
    bottom = RASTER_TOP + len(scene.rasters) * (RASTER_HEIGHT + RASTER_GAP) - RASTER_GAP
    pitch = (bottom - 78) / len(scene.classes)
    drawn = []
    for index, (name, value) in enumerate(zip(scene.classes, scene.readout)):
        y = 78 + index * pitch
        best = index == winner
        start, length = (zero, scale * value) if value >= 0 else (zero + scale * value, -scale * value)
        drawn += [
            _text(DECISION, y + 14, name, "strong ink" if best else "ink"),
            _text(DECISION + BAR_LENGTH, y + 14, f"{value:,}".replace("-", "\N{MINUS SIGN}"),
                  "end strong ink" if best else "end small soft"),
            f'<rect class="{"mark" if best else "bar"}" x="{start:.1f}" y="{y + 20:.1f}" width="{max(length, 1):.1f}" '
            f'height="{BAR:g}" rx="2"/>', f'<path class="rule" d="M{zero:.1f} {y + 18:.1f}v{BAR + 4:g}"/>']
    return [*drawn, _text(DECISION, HEIGHT - 18, f"the recording's label: {scene.label}", "small soft")]
