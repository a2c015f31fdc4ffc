"""What :mod:`mksgn.commands.stream` does once its options are read."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from mksgn.commands.stream import STDIN, Options
from mksgn.commit import describe_commit
from mksgn.data.preprocess import Preprocess
from mksgn.data.sources import SYNTHETIC, load
from mksgn.errors import ConfigError, DataError
from mksgn.files import name_of
from mksgn.ir import Graph
from mksgn.netx import read_net
from mksgn.programs.classes import scores
from mksgn.programs.console import print_prose
from mksgn.programs.nets import find_net
from mksgn.programs.run_tables import SIMULATED, net_line
from mksgn.programs.samples import Source as Data
from mksgn.programs.samples import body_in, check_body, edges_in, preprocess_of
from mksgn.report.counted_rows import layer_of
from mksgn.run.registry import FRAME_STREAMS, open_backend
from mksgn.stream.clock import MachineClock
from mksgn.stream.decider import Decider
from mksgn.stream.frame_queue import FrameQueue
from mksgn.stream.framewise import FramewiseDecider, why_clips
from mksgn.stream.live import PORT, LivePage
from mksgn.stream.playback import Playback, find_recordings
from mksgn.stream.printing import JsonLines, TextLines
from mksgn.stream.records import BeginRecord
from mksgn.stream.session import Listener, Rules, Session
from mksgn.stream.sources import (
    LOCAL,
    LineSource,
    Paced,
    Source,
    datagram_lines,
    descriptor_lines,
    file_lines,
    growing_lines,
    open_port,
    start,
)
from mksgn.stream.window import Window, WindowDecider

FPS = 30.0
EVERY = 4
EXIT_AFTER = 16
RASTERS = 4
"""Populations whose spikes the live page shows."""
LONG = 4
"""They have a frame for so many of the input's, or more."""


def stream_net(options: Options) -> int:
    """Open net, source and page; decide until the stream ends; the exit code."""
    console = Console(highlight=False, quiet=options.json)
    options = replace(options, net=find_net(options.net, partial(print_prose, console, style="yellow")))
    graph = read_net(options.net)
    preprocess, clock = preprocess_of(graph, options.net), MachineClock()
    print_prose(console, net_line(str(options.net), graph), style="bold")
    known, why_not = scores(graph, np.zeros((1, graph.output.size), np.int64))
    if options.exit_at is not None and known is None:
        raise ConfigError("this net gives no confidence, so no decision is sure enough", where="--exit-at",
                          got=why_not, fix="leave it out")
    clips = why_not_frame_by_frame(options, graph, preprocess)
    source = open_source(options, graph, clock, FPS if preprocess.causal is None else preprocess.causal.recorded_rate)
    queue = FrameQueue(options.queue, clock, waits=options.never_drop or not source.live)
    with ExitStack() as stack:
        stack.callback(queue.stop.set)
        watched = () if options.live is None else shown_populations(graph)
        decider = open_decider(options, graph, preprocess.frames, watched, clips)
        stack.callback(decider.close)
        begin = beginning(options, graph, source, decider)
        lines: JsonLines | TextLines = JsonLines() if options.json else TextLines(console)
        lines.begin(begin)
        if clips:
            print_prose(console, f"a window decides, not each frame: {clips}")
        listeners: list[Listener] = [lines]
        page: LivePage | None = None
        if options.live is not None:
            channels = {name: graph[name].shape[0] for name in watched}
            page = LivePage(options.live[0] if options.live else PORT, begin, edges_in(graph), channels)
            stack.callback(page.close)
            listeners.append(page)
            Console(stderr=options.json, highlight=False).print(f"live page: {page.address}", soft_wrap=True)
        session = Session(decider, queue, preprocess.persons, body_in(graph).num_joints, rules_of(options,
                          preprocess.min_score), clock, begin["classes"], listeners, lambda: source.bad_lines)
        start(source, queue)
        session.run()
        if options.backend != "loihi2":
            console.print(f"({SIMULATED})")
        if page is not None:
            linger(options.linger, console)
    return 0


def rules_of(options: Options, least: float) -> Rules:
    """How the stream is judged; ``least``: the score below which the net takes a joint for missing."""
    return Rules(options.timeout, options.on_silence == "wait", options.late / 1e3, options.absence, least,
                 options.exit_at, EXIT_AFTER if options.exit_after is None else options.exit_after,
                 options.exit_hold or 1)


def why_not_frame_by_frame(options: Options, graph: Graph, preprocess: Preprocess) -> str:
    """Why a window decides; empty where the net decides frame by frame.

    Raises
    ------
    ConfigError
        When it does, and options of a window are given.
    """
    if options.backend not in FRAME_STREAMS:
        return f"the backend {options.backend} takes clips"
    why = why_clips(graph, preprocess)
    for name, value in (("--window", options.window), ("--every", options.every)):
        if not why and value is not None:
            raise ConfigError("a net that decides frame by frame has no window", where=name, got=str(value),
                              fix="leave it out")
    return why


def open_decider(options: Options, graph: Graph, frames: int, watched: tuple[str, ...], clips: str) -> Decider:
    """The net on its backend; ``frames``: those of its input; ``clips``: why it takes clips, empty if it does not."""
    if not clips:
        return FramewiseDecider(graph, options.net, options.threads, watched, options.backend)
    window = Window(frames=frames) if options.window is None else Window.parse(options.window)
    threads: dict[str, Any] = {"blocks" if options.backend == "lava" else "threads": options.threads}
    backend = open_backend(options.backend, graph, **threads)
    every = EVERY if options.every is None else options.every
    return WindowDecider(graph, options.net, backend, window, every, watched)


def open_source(options: Options, graph: Graph, clock: MachineClock, fps: float) -> Source:
    """Where the frames come from; ``fps``: frames per second of recordings, where the options name none.

    Raises
    ------
    ConfigError, DataError
        When there is no such source, or it does not fit the net.
    """
    joints = body_in(graph).num_joints
    if options.frames == STDIN:
        return LineSource("standard input", descriptor_lines(0), joints, True, options.skip_bad)
    if options.streams:
        host, port = options.address
        opened = open_port(port, host or LOCAL)
        told = "UDP port {1} of {0}".format(*opened.getsockname())
        return LineSource(told, datagram_lines(opened), joints, True, options.skip_bad)
    found: Source
    if options.of_lines:
        path = Path(options.frames)
        if not path.is_file():
            raise DataError("there is no such file", where="--frames", got=str(path), fix="check the path")
        reader = growing_lines(path, clock) if options.follow else file_lines(path)
        found = LineSource(name_of(path), reader, joints, options.follow, options.skip_bad)
    else:
        pack = load(options.frames)
        check_body(graph, pack, Data(options.frames, own=False))
        indices = find_recordings(pack, options.recording, options.recordings or 1)
        name = SYNTHETIC if options.frames == SYNTHETIC else name_of(options.frames)
        told = f"{len(indices)} recording{'s' * (len(indices) > 1)} of {name}"
        found = Playback(told, pack, indices, options.fps or fps)
    return Paced(found, clock) if options.real_time else found


def beginning(options: Options, graph: Graph, source: Source, decider: Decider) -> BeginRecord:
    """The first record."""
    classes = [str(name) for name in graph.meta.get("labels", ())] or [str(n) for n in range(graph.output.size)]
    return {"type": "begin", "net": "/".join(options.net.resolve().parts[-2:]), "backend": options.backend,
            "source": source.told, "decider": decider.told, "classes": classes, "energy": decider.energy,
            "commit": describe_commit()}


def shown_populations(graph: Graph) -> tuple[str, ...]:
    """Populations for the page's rasters: the last one of layers from the first to the last."""
    lasts = {layer_of(p.name): p.name for p in graph.populations
             if p.role == "hidden" and p.shape[1] * LONG >= graph.input.shape[1]}
    names = list(lasts.values())
    places = np.unique(np.linspace(0, len(names) - 1, min(RASTERS, len(names))).round().astype(int))
    return tuple(names[place] for place in places)


def linger(seconds: float | None, console: Console) -> None:
    """Let the page stay."""
    if seconds is None:
        print_prose(console, "the page stays until Ctrl-C")
    try:
        threading.Event().wait(seconds)
    except KeyboardInterrupt:
        return
