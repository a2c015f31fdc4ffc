"use strict";
/* Theme, print, and the player of the example. Everything else on the page is static. */
(() => {
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);
  const repaint = [];

  /* Theme: auto follows the system; the choice is kept where the browser lets a file keep anything. */
  const themes = ["auto", "light", "dark"];
  const button = document.querySelector(".theme");
  const stored = () => { try { return localStorage.getItem("mksgn-theme"); } catch { return null; } };
  const setTheme = (name) => {
    if (name === "auto") root.removeAttribute("data-theme"); else root.dataset.theme = name;
    button.querySelector(".theme-name").textContent = name;
    button.setAttribute("aria-label", `Colours: ${name}. Change`);
    try { localStorage.setItem("mksgn-theme", name); } catch { /* private window */ }
    repaint.forEach((paint) => paint());
  };
  let theme = themes.includes(stored()) ? stored() : "auto";
  button.hidden = false;
  setTheme(theme);
  button.addEventListener("click", () => setTheme(theme = themes[(themes.indexOf(theme) + 1) % themes.length]));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => repaint.forEach((paint) => paint()));

  /* On paper everything is open, and as it was afterwards. */
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));

  const source = $("example-data");
  if (!source) { root.dataset.ready = "yes"; return; }
  const { edges, skeleton, rasters } = JSON.parse(source.textContent);
  const frames = skeleton.length;
  const joints = skeleton[0].length / 3;
  document.querySelector(".player").hidden = false;

  /* Skeleton: lines and circles made once, moved every frame; `turn` rotates about the vertical axis. */
  const svg = (name, className) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    element.setAttribute("class", className);
    $("body").append(element);
    return element;
  };
  const bones = edges.map(() => svg("line", "bone"));
  const dots = Array.from({ length: joints }, () => svg("circle", "joint"));
  const set = (element, values) => { for (const key in values) element.setAttribute(key, values[key]); };
  const drawBody = (frame, degrees) => {
    const angle = degrees * Math.PI / 180, c = Math.cos(angle), s = Math.sin(angle);
    const at = (joint) => {
      const [x, y, z] = skeleton[frame].slice(3 * joint, 3 * joint + 3);
      return [Math.round(x * c + z * s), -y];
    };
    const points = dots.map((_, joint) => at(joint));
    edges.forEach(([a, b], i) => set(bones[i], { x1: points[a][0], y1: points[a][1], x2: points[b][0], y2: points[b][1] }));
    dots.forEach((dot, joint) => set(dot, { cx: points[joint][0], cy: points[joint][1], r: 36 }));
  };

  /* Rasters: bytes, channels x video frames; a pixel each, painted in the colour of the theme. */
  for (const raster of rasters) {
    raster.counts = Uint8Array.from(atob(raster.data), (letter) => letter.charCodeAt(0));
    raster.top = raster.counts.reduce((a, b) => Math.max(a, b), 0);
    raster.sums = new Float64Array(raster.frames);
    raster.counts.forEach((count, i) => { raster.sums[i % raster.frames] += count * raster.unit; });
  }
  const paint = (canvas, width, height, share) => {
    canvas.width = width;
    canvas.height = height;
    const [r, g, b] = getComputedStyle(canvas).color.match(/[\d.]+/g).map(Number);
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let i = 0; i < width * height; i += 1) image.data.set([r, g, b, Math.round(255 * share(i))], 4 * i);
    context.putImageData(image, 0, 0);
  };
  const number = (value) => Math.round(value).toLocaleString("en");

  let frame = 0, turn = 0, chosen = rasters[0];
  const cursors = [];
  const drawRaster = () => {
    const raster = chosen;
    paint($("raster"), raster.frames, raster.channels, (i) => raster.top ? raster.counts[i] / raster.top : 0);
    $("raster").setAttribute("aria-label", `Spikes of ${raster.name} by channel and video frame`);
    $("raster-scale").textContent =
      `${raster.channels} channels × ${raster.frames} frames, fullest cell ${number(raster.top * raster.unit)}`;
    const top = Math.max(...raster.sums, 1);
    const points = [...raster.sums].map((sum, i) => `${(100 * (i + .5) / raster.frames).toFixed(2)},${(42 - 40 * sum / top).toFixed(1)}`);
    $("profile").firstElementChild.setAttribute("d", `M0,42 L${points.join(" L")} L100,42`);
  };
  const drawOverview = () => {
    const shares = rasters.map(({ sums, neurons, channels, frames: own }) =>
      [...sums].map((sum) => sum / ((neurons || channels * own) / own)));
    const top = Math.max(...shares.flat()) || 1;
    paint($("overview"), frames, rasters.length, (i) => {
      const row = shares[Math.floor(i / frames)];
      return (row[Math.floor((i % frames) * row.length / frames)] / top) ** .7; // quiet populations stay visible
    });
    $("overview").style.height = `${Math.max(rasters.length * 7, 60)}px`;
  };
  const labelOverview = () => {
    const list = document.querySelector(".overview-layers");
    let last = null;
    for (const { layer } of rasters) {
      if (layer !== last) {
        const label = document.createElement("span");
        label.textContent = layer;
        label.dataset.rows = 0;
        list.append(label);
        last = layer;
      }
      list.lastElementChild.dataset.rows = Number(list.lastElementChild.dataset.rows) + 1;
    }
    for (const label of list.children) {
      label.style.flex = `${label.dataset.rows} 1 0`;
      if (label.dataset.rows === "1") label.textContent = ""; // a row is lower than a letter
    }
  };

  const show = () => {
    drawBody(frame, turn);
    $("frame").value = frame;
    $("frame-number").textContent = frame + 1;
    if (!chosen) return;
    const raster = chosen;
    const column = Math.floor(frame * raster.frames / frames);
    const place = (cursor, index, count) => {
      cursor.style.left = `${100 * index / count}%`;
      cursor.style.width = `${Math.max(100 / count, .5)}%`;
    };
    place(cursors[0], column, raster.frames);
    place(cursors[1], frame, frames);
    $("readout").textContent = `${number(raster.sums[column])} spikes in ${raster.name} at frame ${frame + 1}` +
      (raster.frames < frames ? ` (its frame ${column + 1} of ${raster.frames})` : "");
  };
  const choose = (index) => {
    chosen = rasters[index];
    $("population").value = index;
    const mark = document.querySelector(".row-mark");
    mark.style.top = `${100 * index / rasters.length}%`;
    mark.style.height = `${100 / rasters.length}%`;
    drawRaster();
    show();
  };

  /* Playing: about 12 video frames a second; starts by itself only when seen, and never where motion is unwanted. */
  const PERIOD = 1000 / 12;
  let playing = false, due = 0;
  const tick = (now) => {
    if (!playing) return;
    if (now >= due) {
      frame = (frame + 1) % frames;
      due = now + PERIOD;
      show();
    }
    requestAnimationFrame(tick);
  };
  const play = (on) => {
    if (on === playing) return;
    playing = on;
    $("play").textContent = on ? "Pause" : "Play";
    $("play").setAttribute("aria-pressed", String(on));
    if (on) requestAnimationFrame(tick);
  };
  $("play").addEventListener("click", () => play(!playing));
  $("frame").addEventListener("input", (event) => { play(false); frame = Number(event.target.value); show(); });
  $("turn").addEventListener("input", (event) => { turn = Number(event.target.value); show(); });
  if (rasters.length) {
    cursors.push(...document.querySelectorAll(".cursor"));
    $("population").addEventListener("change", (event) => choose(Number(event.target.value)));
    $("overview").addEventListener("click", (event) => {
      const box = $("overview").getBoundingClientRect();
      choose(Math.min(rasters.length - 1, Math.floor((event.clientY - box.top) / box.height * rasters.length)));
    });
    labelOverview();
    repaint.push(drawRaster, drawOverview);
    drawOverview();
    choose(Number($("population").value));
  } else {
    show();
  }
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches && "IntersectionObserver" in window) {
    const seen = new IntersectionObserver(([entry]) => {
      if (entry.isIntersecting) { seen.disconnect(); play(true); }
    }, { threshold: .6 });
    seen.observe($("body"));
  }
  root.dataset.ready = "yes";
})();
