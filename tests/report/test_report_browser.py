"""The report in a real browser: it fits a phone, plays, follows the system's colours, and runs without an error."""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from report_record import shipped_record

from mksgn.report import page

Row = dict[str, Any]


@pytest.fixture(scope="module")
def shipped() -> Row:
    return shipped_record()


@pytest.fixture
def chromium(browser: str, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Runs the browser without a window on a page; what it printed."""
    def run(*arguments: str) -> str:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-breakpad",
                   f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=4000", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   start_new_session=True)
        try:
            out, errors = process.communicate(timeout=90)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # helpers that outlive the browser
        assert process.returncode == 0, errors
        return out

    yield run


# Runs the report in frames of several widths and writes down what it sees, as JSON.
HARNESS = """<!doctype html><meta charset="utf-8"><body><script type="application/json" id="report">%s</script><script>
const report = JSON.parse(document.getElementById("report").textContent);
const look = (frame, width) => {
  const d = frame.contentDocument, w = frame.contentWindow, seen = {width, errors: frame.errors};
  const root = d.documentElement, byId = (id) => d.getElementById(id);
  seen.ready = root.dataset.ready;
  seen.overflow = root.scrollWidth - root.clientWidth;
  seen.bodies = d.querySelectorAll("#body line").length;
  seen.outside = [...d.querySelectorAll(".box")].filter((g) => g.getClientRects().length).flatMap((g) => {
    const box = g.querySelector("rect").getBBox();
    return [...g.querySelectorAll("text")].filter((t) => { const b = t.getBBox();
      return b.x < box.x - .5 || b.x + b.width > box.x + box.width + .5; }).map((t) => t.textContent); });
  seen.clipped = [...d.querySelectorAll(".value")].filter((e) => e.getBoundingClientRect().right >
    e.closest("div").getBoundingClientRect().right).map((e) => e.textContent);
  const inked = (id) => { const c = byId(id); const p = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    return [c.width, c.height, p.filter((v, i) => i %% 4 === 3 && v > 0).length]; };
  seen.raster = inked("raster");
  seen.overview = inked("overview");
  const input = (e, value, kind) => { e.value = value; e.dispatchEvent(new w.Event(kind)); };
  input(byId("frame"), 31, "input");
  seen.cursor = d.querySelector(".cursor").style.left;
  seen.moved = byId("body").querySelector("circle").getAttribute("cy");
  input(byId("population"), 5, "change");
  seen.readout = byId("readout").textContent;
  const theme = (name) => {  // a browser may keep the theme from frame to frame
    const button = d.querySelector(".theme"), shown = d.querySelector(".theme-name");
    for (let i = 0; i < 3 && shown.textContent !== name; i += 1) button.click();
    return w.getComputedStyle(d.body).backgroundColor;
  };
  seen.light = theme("light");
  seen.dark = theme("dark");
  seen.inked_dark = inked("raster");
  w.dispatchEvent(new w.Event("beforeprint"));
  seen.opened = d.querySelectorAll("details:not([open])").length;
  return seen;
};
const show = async (width) => {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:800px;border:0`;
  frame.srcdoc = report;
  frame.errors = [];
  document.body.append(frame);
  await new Promise((done) => { frame.onload = done; });
  await new Promise((done) => setTimeout(done, 100));
  return look(frame, width);
};
(async () => {
  const all = [];
  for (const width of [360, 768, 1280]) all.push(await show(width));
  const out = document.createElement("pre");
  out.id = "seen";
  out.textContent = JSON.stringify(all);
  document.body.replaceChildren(out);
})();
</script>"""


def test_in_a_browser_the_page_fits_and_plays(shipped: Row, chromium: Callable[..., str], tmp_path: Path) -> None:
    harness = tmp_path / "harness.html"
    harness.write_text(HARNESS % json.dumps(page(shipped)).replace("<", "\\u003c"), encoding="utf-8")
    dom = chromium("--window-size=1400,1000", "--dump-dom", harness.as_uri())
    (found,) = re.findall(r'<pre id="seen">(.*?)</pre>', dom, re.S)
    sixth, raster = list(shipped["example"]["raster"].items())[5]
    for seen in json.loads(html.unescape(found)):
        assert seen["ready"] == "yes", seen
        assert seen["overflow"] == 0, f"scrolls sideways at {seen['width']} px"
        assert not seen["outside"], f"labels wider than their boxes at {seen['width']} px"
        assert not seen["clipped"]
        assert seen["bodies"] == len(shipped["example"]["edges"])
        channels, frames = np.shape(shipped["example"]["raster"]["sc"])
        assert seen["raster"][:2] == [frames, channels] and seen["raster"][2] > 0
        assert seen["overview"][:2] == [frames, len(shipped["example"]["raster"])] and seen["overview"][2] > 0
        assert seen["cursor"] == f"{100 * 31 / 32}%"
        assert seen["readout"].startswith(f"{sum(row[31] for row in raster):,} spikes in {sixth} at frame 32")
        light, dark = (sum(map(int, re.findall(r"\d+", seen[theme]))) for theme in ("light", "dark"))
        assert light > 600 and dark < 150
        assert seen["inked_dark"][2] > 0
        assert seen["opened"] == 0, "on paper every table is open"


@pytest.mark.parametrize(("scheme", "dark"), [(0, True), (1, False)])
def test_in_a_browser_the_colours_follow_the_system(shipped: Row, chromium: Callable[..., str], tmp_path: Path,
                                                    scheme: int, dark: bool) -> None:
    file, shot = tmp_path / "report.html", tmp_path / "shot.png"
    file.write_text(page(shipped), encoding="utf-8")
    chromium(f"--blink-settings=preferredColorScheme={scheme}", "--window-size=900,1200", f"--screenshot={shot}",
             file.as_uri())
    pixels = np.asarray(Image.open(shot).convert("L"))
    assert pixels.shape == (1200, 900)
    assert (np.median(pixels) < 60) == dark
    assert pixels.std() > 15, "something is drawn"
