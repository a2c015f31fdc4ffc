"""The same clips with frames as time steps: neurons, delays, and whether every spike is the same.

    python benchmarks/streaming.py --data nw_ucla.npz
    python benchmarks/streaming.py --data nw_ucla.npz --lava 464 --json streaming.json
    python benchmarks/streaming.py --data nw_ucla.npz --chips --markdown streaming.md   # cores, energy, time: minutes
    python benchmarks/streaming.py --data nw_ucla.npz --decisions benchmarks/results    # while a clip is seen

A streamed graph (mksgn.ir.streaming) has one neuron per channel and joint; frame f of a clip enters at step f, and
temporal kernels are delays. The emulator runs all test samples both ways: readouts and every count of events are
compared, and on --spikes of them every spike. --lava runs some of them in Lava's Blocks as well.

--frames are pushed one by one into the emulator that carries its messages (mksgn.emulator.FrameByFrame), once as clips
and once as a stream without ends, and their rate is compared with computing a window anew for every frame.

--decisions does nothing of all that. It shows the test clips frame by frame. It says how often the nets know them
after 10, 20 ... 100 % of their frames, what an early exit saves, and how soon a decision is right in a stream.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mksgn.commit import describe_commit
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Options:
    """Run clips with frames side by side and one after the other, and compare every event."""

    data: Path
    """The data that the nets were trained on."""
    net: tuple[Path, ...] = tuple(sorted((ROOT / "models").glob("*/mksgn.net")))
    """Nets; default: the shipped ones."""
    samples: int = 0
    """Test samples, evenly spread over the classes; 0: all."""
    spikes: int = 24
    """Of these samples every spike is compared, in the emulator."""
    lava: int = 3
    """Of these samples every event is counted in Lava's Blocks, too; 0: none."""
    chips: bool = False
    """Place the nets on chips in both ways as well: cores by price of a delay, energy and time."""
    frames: int = 960
    """Frames that are pushed one by one, to measure their rate; 0: none."""
    threads: int = 2
    """CPU threads of the frames that are pushed."""
    decisions: Path | None = None
    """Show the clips frame by frame in place of all else, and write streaming_decisions.md, .json and .svg into this
    folder."""
    json: Path | None = None
    """Write the rows here."""
    markdown: Path | None = None
    """With --chips: write its tables here."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)

import _streaming_chips
import numpy as np
from _frame_rates import frame_rates
from _streaming_early import decisions, draw
from _streaming_early import markdown as early_page

from mksgn.api import load, read
from mksgn.api.recordings import Recordings, chosen
from mksgn.counts import Counts
from mksgn.emulator import Emulator
from mksgn.errors import ConfigError
from mksgn.ir import Graph, schedule
from mksgn.ir.streamed_clips import as_clip, clip_as_stream
from mksgn.ir.streaming import streamed
from mksgn.processor import describe
from mksgn.programs.outputs import check_writable, write_json, write_text
from mksgn.run.registry import open_backend

CHIPS = "on_chips"
TABLES = ("sample_spikes", "sample_active", "sample_synops", "sample_macs")


def differing_counts(clip: Counts, stream: Counts) -> tuple[int, int]:
    """How many numbers of events both runs counted, sample by sample, and how many of them differ."""
    pairs = [(values, getattr(stream, table)[name]) for table in TABLES
             for name, values in getattr(clip, table).items() if name in getattr(stream, table)]
    return sum(a.size for a, _ in pairs), sum(int((a != b).sum()) for a, b in pairs)


def differing_spikes(graph: Graph, stream: Graph, x: np.ndarray) -> tuple[int, int]:
    """Spikes compared, neuron by neuron and step by step, and how many differ, in the emulator."""
    with Emulator(graph) as emulator:
        clip = emulator.run(x, "spikes")
    with Emulator(stream) as emulator:
        ours = emulator.run(clip_as_stream(stream, x), "spikes")
    compared = differing = 0
    for name, spikes in clip.spikes.items():
        compared += spikes.size
        differing += int((as_clip(stream[name], ours.spikes[name]) != spikes).sum())
    return compared, differing


def row(path: Path, options: Options, console: Console) -> dict[str, Any]:
    """One net both ways."""
    net = load(path)
    graph, stream = net.graph, streamed(net.graph)
    x = chosen(read(options.data, samples=options.samples), graph, path).x
    times = schedule(stream)
    waits = [times.wait[s.name, source] + delay for s in stream.synapses for source in s.sources
             for delay, _ in s.by_delay()]
    found: dict[str, Any] = {
        "net": path.parent.name, "samples": len(x), "neurons_clip": sum(p.size for p in graph.populations[1:]),
        "neurons_stream": sum(p.size for p in stream.populations[1:]), "steps_per_clip": stream.time_steps,
        "latency": times.latency, "longest_delay": max(waits)}
    with console.status(f"{path.parent.name}: emulator, {len(x)} samples"):
        seconds = []
        outputs = []
        for each, samples in ((graph, x), (stream, clip_as_stream(stream, x))):
            with Emulator(each) as emulator:
                emulator.run(samples[:2])  # compiles, once
                began = time.perf_counter()
                outputs.append(emulator.run(samples))
                seconds.append(time.perf_counter() - began)
    found["seconds_clip"], found["seconds_stream"] = seconds
    found["readouts_differ"] = int((outputs[0].output != outputs[1].output).sum())
    found["counts"], found["counts_differ"] = differing_counts(outputs[0].counts, outputs[1].counts)
    part = x[np.linspace(0, len(x) - 1, min(options.spikes, len(x))).astype(int)]
    found["spikes"], found["spikes_differ"] = differing_spikes(graph, stream, part)
    if options.chips:
        with console.status(f"{path.parent.name}: on chips"):
            found[CHIPS] = _streaming_chips.chips(graph, stream, outputs[0].counts)
    if options.lava:
        chosen_few = slice(0, options.lava)
        with console.status(f"{path.parent.name}: Lava, {len(x[chosen_few])} samples"):
            began = time.perf_counter()
            with open_backend("lava", stream, layout="blocks") as lava:
                ran = lava.run(clip_as_stream(stream, x[chosen_few]))
            found["lava_seconds"] = time.perf_counter() - began
        expected = Counts(**{**vars(outputs[1].counts), "sent": {},
                             **{t: {name: v[chosen_few] for name, v in getattr(outputs[1].counts, t).items()}
                                for t in TABLES}})
        found["lava_samples"] = len(ran.output)
        found["lava_readouts_differ"] = int((ran.output != outputs[1].output[chosen_few]).sum())
        found["lava_counts"], found["lava_counts_differ"] = differing_counts(expected, ran.counts)
    if options.frames:
        with console.status(f"{path.parent.name}: {options.frames} frames, one by one"):
            found |= frame_rates(graph, x[:32], options.threads, options.frames)
    return found


def early(options: Options, folder: Path, console: Console) -> None:
    """Decisions while clips are seen: printed, and written into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    check_writable(folder / "streaming_decisions.md", "--decisions")
    found: dict[str, Any] = {}
    for path in options.net:
        net = load(path)
        recordings = read(options.data, samples=options.samples)
        assert isinstance(recordings, Recordings)
        selection = chosen(recordings, net.graph, path)
        place = {str(name): number for number, name in enumerate(recordings.pack.names)}
        indices = np.array([place[name] for name in selection.names])
        with console.status(f"{path.parent.name}: {len(selection)} clips, frame by frame"):
            found[path.parent.name] = decisions(net.graph, path, recordings.pack, indices, selection.clean,
                                                options.threads)
    command = f"python benchmarks/streaming.py --data {options.data.name} --decisions benchmarks/results"
    commit = describe_commit()  # before anything is written: the folder may be one of the checkout
    page = early_page(found, command, commit)
    console.print(page, markup=False, soft_wrap=True)
    write_text(folder / "streaming_decisions.md", page)
    write_json(folder / "streaming_decisions.json", {"nets": found, "command": command, "commit": commit})
    draw(found, folder / "streaming_decisions.svg")


def main(options: Options) -> int:
    console = Console()
    if options.decisions is not None:
        early(options, options.decisions, console)
        return 0
    if options.markdown is not None and not options.chips:
        raise ConfigError("an option has no effect without --chips", where="--markdown", got=str(options.markdown),
                          fix="give --chips, or leave it out")
    for option, target in (("--json", options.json), ("--markdown", options.markdown)):
        if target is not None:
            check_writable(target, option)
    rows = [row(path, options, console) for path in options.net]
    table = Table("", *(each["net"] for each in rows), title="frames side by side (clip), one after the other (stream)")
    for name in dict.fromkeys(name for each in rows for name in each if name not in ("net", CHIPS)):
        values = [each.get(name, "-") for each in rows]
        table.add_row(name.replace("_", " "), *(f"{v:.2f}" if isinstance(v, float) else f"{v:,}" if isinstance(v, int)
                                                else str(v) for v in values))
    print_table(console, table)
    console.print(f"{options.data.name}; {os.cpu_count()} cores, {describe()}; {describe_commit()}; no chip")
    page = ""
    if options.chips:
        page = _streaming_chips.markdown(
            {each["net"]: each[CHIPS] for each in rows},
            f"python benchmarks/streaming.py --data {options.data.name} --samples {options.samples} --chips "
            "--markdown benchmarks/results/streaming.md", f"{rows[0]['samples']} test samples; {describe_commit()}")
        console.print(page, markup=False, soft_wrap=True)
    if options.markdown is not None:
        write_text(options.markdown, page)
    if options.json is not None:
        write_json(options.json, {"rows": rows, "commit": describe_commit()})
    return int(any(each[name] for each in rows for name in each if name.endswith("differ")))


if __name__ == "__main__":
    with exit_on_error():
        status = main(given)
    sys.exit(status)
