"use strict";
/* Draws what /events tells: begin, frame, raster, note, summary. Text of the stream becomes text only. */
(() => {
  const $ = (id) => document.getElementById(id);
  const text = (id, value) => { $(id).textContent = value; };
  const number = (value) => Math.round(value).toLocaleString("en");
  const make = (name, className, value) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (value !== undefined) element.textContent = value;
    return element;
  };
  const errors = [];
  addEventListener("error", (event) => { errors.push(event.message); document.documentElement.dataset.errors = errors.join("; "); });

  let begun = null, last = null, bars = [], rasters = {}, turn = 0;

  const status = (words, kind) => { $("status").className = `chip ${kind}`; text("status", words); };

  const begin = (told) => {
    begun = told;
    document.title = `${told.net} · live`;
    text("source", `${told.net} · ${told.source} · backend ${told.backend} · ${told.decider}`);
    text("energy-note", `Energy is ${told.energy}. No chip was measured.`);
    text("footer", told.commit);
    status("live", "on");
    bars = told.classes.map((name) => {
      const row = make("li"), value = make("span"), track = make("span", "track"), bar = make("span", "bar");
      track.append(bar);
      row.append(make("span", "", name), value, track);
      return { row, value, bar };
    });
    $("bars").replaceChildren(...bars.map((each) => each.row));
    rasters = {};
    $("rasters").replaceChildren(...Object.keys(told.channels).map((name) => {
      const figure = make("figure"), canvas = make("canvas"), caption = make("figcaption"), count = make("span");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Spikes of ${name}`);
      caption.append(make("span", "", name), count);
      figure.append(canvas, caption);
      rasters[name] = { canvas, count };
      return figure;
    }));
    $("notes").replaceChildren();
  };

  /* Skeleton: it is centred on its middle and sized by its largest extent, both smoothed, so that it does not jump. */
  const svg = (parent, name) => parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", name));
  const set = (element, values) => { for (const key in values) element.setAttribute(key, values[key]); };
  let view = null, bodies = [];
  const fitted = (joints) => {
    const seen = joints.flat().filter(Boolean);
    if (!seen.length) return;
    const low = [0, 1, 2].map((axis) => Math.min(...seen.map((joint) => joint[axis])));
    const high = [0, 1, 2].map((axis) => Math.max(...seen.map((joint) => joint[axis])));
    const middle = low.map((value, axis) => (value + high[axis]) / 2);
    const size = Math.max(high[0] - low[0], high[1] - low[1], 1e-6);
    if (!view) view = { middle, size };
    const part = 0.1;
    view.middle = view.middle.map((value, axis) => value + part * (middle[axis] - value));
    view.size = Math.max(view.size + part * (size - view.size), size);
  };
  const drawBody = () => {
    if (!last || !begun) return;
    while (bodies.length < last.joints.length) {
      const group = svg($("body"), "g");
      group.setAttribute("class", bodies.length ? "other" : "");
      bodies.push({ bones: begun.edges.map(() => svg(group, "line")), dots: last.joints[0].map(() => svg(group, "circle")) });
    }
    if (!view) return;
    const angle = turn * Math.PI / 180, c = Math.cos(angle), s = Math.sin(angle);
    last.joints.forEach((joints, person) => {
      const at = joints.map((joint) => {
        if (!joint) return null;
        const [x, y, z] = joint.map((value, axis) => (value - view.middle[axis]) * 200 / view.size);
        return [x * c + z * s, -y];
      });
      bodies[person].bones.forEach((bone, index) => {
        const [a, b] = begun.edges[index].map((joint) => at[joint]);
        bone.setAttribute("visibility", a && b ? "visible" : "hidden");
        if (a && b) set(bone, { x1: a[0], y1: a[1], x2: b[0], y2: b[1] });
      });
      bodies[person].dots.forEach((dot, joint) => {
        dot.setAttribute("visibility", at[joint] ? "visible" : "hidden");
        if (at[joint]) set(dot, { cx: at[joint][0], cy: at[joint][1], r: 3.2 });
      });
    });
  };
  $("turn").addEventListener("input", (event) => { turn = Number(event.target.value); drawBody(); });

  const frame = (told) => {
    last = told;
    text("class", told.class_name ?? (told.persons ? "undecided" : "nobody"));
    text("confidence", told.confidence === null ? "" : `${(100 * told.confidence).toFixed(1)} % sure`);
    $("state").hidden = !told.final;
    $("state").className = "chip final";
    text("state", "final: nothing more is computed");
    text("time", `frame ${number(told.frame)} · ${told.time.toFixed(2)} s`);
    text("energy", `${told.energy_mj.toPrecision(4)} mJ`);
    if (told.events) text("synops", number(told.events.synops));
    const behind = told.latency_frames ? ` · ${told.latency_frames} behind` : "";
    text("latency", `${told.latency_ms.toFixed(1)} ms${behind}`);
    text("frames", number(told.frame + 1));
    bars.forEach((each, index) => {
      const score = told.scores ? told.scores[index] : Number(index === told.class_number);
      each.row.className = index === told.class_number ? "best" : "";
      each.bar.style.transform = `scaleX(${score})`;
      each.value.textContent = told.scores ? `${(100 * score).toFixed(1)} %` : "";
    });
    fitted(told.joints);
    drawBody();
  };

  const raster = (told) => {
    for (const name in told) {
      if (!rasters[name]) continue;
      const { channels, frames, data } = told[name], { canvas, count } = rasters[name];
      const counts = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const top = counts.reduce((a, b) => Math.max(a, b), 1);
      const [r, g, b] = getComputedStyle(canvas).color.match(/[\d.]+/g).map(Number);
      canvas.width = frames;
      canvas.height = channels;
      const context = canvas.getContext("2d"), image = context.createImageData(frames, channels);
      counts.forEach((value, index) => image.data.set([r, g, b, Math.round(255 * Math.sqrt(value / top))], 4 * index));
      context.putImageData(image, 0, 0);
      count.textContent = `${number(counts.reduce((a, b) => a + b, 0))} spikes`;
    }
  };

  const note = (told) => {
    const row = make("li");
    row.append(make("span", "kind", told.kind), make("span", "", told.text));
    $("notes").prepend(row);
    while ($("notes").children.length > 50) $("notes").lastChild.remove();
  };

  const summary = (told) => {
    status("the stream is over", "");
    note({ kind: "summary", text: `${number(told.frames)} frames, ${number(told.decisions)} decisions computed, ` +
      `${number(told.dropped)} dropped, ${number(told.late)} late, ${told.energy_mj.toPrecision(4)} mJ` });
    document.documentElement.dataset.over = "yes";
  };

  const events = new EventSource("/events");
  const told = { begin, frame, raster, note, summary };
  for (const kind in told) events.addEventListener(kind, (event) => told[kind](JSON.parse(event.data)));
  events.addEventListener("error", () => {
    if (document.documentElement.dataset.over) events.close();
    else status("the stream is away", "off");
  });
})();
