"""A moving picture of one sequence: an HTML page that needs nothing else."""

from __future__ import annotations

import json
from html import escape

import numpy as np

from mksgn.data.axes import measured_up
from mksgn.data.pack import Pack

_FRAMES_MAX = 600
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font-family:sans-serif;margin:1em}}canvas{{border:1px solid #ccc;max-width:100%}}</style></head><body>
<h1 style="font-size:1.1em">{title}</h1>
<canvas id="view" width="640" height="640" role="img" aria-label="{title}"></canvas>
<p><button id="play">pause</button> <input id="at" type="range" min="0" max="{last}" value="0"
aria-label="frame"> <output id="frame">0</output></p>
<script>
const clip = {clip};
const view = document.getElementById("view"), pen = view.getContext("2d"), at = document.getElementById("at");
let running = true;
function draw(f) {{
  pen.clearRect(0, 0, 640, 640);
  clip.frames[f].forEach((person, m) => {{
    pen.strokeStyle = ["#2a6fb0", "#b0432a", "#3a8a4a"][m % 3];
    pen.fillStyle = "#333";
    pen.lineWidth = 2;
    for (const [a, b] of clip.edges) if (person[a] && person[b]) {{
      pen.beginPath(); pen.moveTo(...person[a]); pen.lineTo(...person[b]); pen.stroke();
    }}
    for (const joint of person) if (joint) {{
      pen.beginPath(); pen.arc(joint[0], joint[1], 3, 0, 7); pen.fill();
    }}
  }});
  document.getElementById("frame").textContent = f;
}}
at.oninput = () => draw(+at.value);
document.getElementById("play").onclick = event => {{
  running = !running; event.target.textContent = running ? "pause" : "play";
}};
setInterval(() => {{
  if (running) {{ at.value = (+at.value + 1) % clip.frames.length; draw(+at.value); }}
}}, 1000 / 30);
draw(0);
</script></body></html>
"""


def animation(pack: Pack, i: int) -> str:
    """Sequence i as an HTML page, seen along the depth; missing joints are left out. Of long ones the first frames."""
    sequence = pack.sequence(i)[:_FRAMES_MAX].astype(np.float64)
    up = pack.facts.up or measured_up(pack.subset(np.array([i]))).axis or "+y"
    vertical = "xyz".index(up[1])
    across = next(k for k in (0, 1) if k != vertical)
    flat = np.stack([sequence[..., across], sequence[..., vertical] * (-1 if up[0] == "+" else 1)], axis=-1)
    seen = sequence.any(axis=3)
    shown = flat[seen] if seen.any() else np.zeros((1, 2))
    low, size = shown.min(axis=0), max(float(np.ptp(shown, axis=0).max()), 1e-9)
    middle = (600 - 600 * np.ptp(shown, axis=0) / size) / 2
    points = np.round(20 + middle + (flat - low) * (600 / size), 1)
    frames = [[[point.tolist() if there else None for point, there in zip(person, known)]
               for person, known in zip(frame, marks)] for frame, marks in zip(points, seen)]
    label = pack.class_names[pack.labels[i]] if pack.labels[i] >= 0 else "no label"
    clip = json.dumps({"edges": pack.edges.tolist(), "frames": frames}, separators=(",", ":")).replace("<", "\\u003c")
    return _PAGE.format(title=escape(f"{pack.names[i]}: {label}, {len(sequence)} frames"), last=len(sequence) - 1,
                        clip=clip)
