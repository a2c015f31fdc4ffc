"""Running spiking graphs: on the emulator, as Lava Processes, on Loihi 2. Importing this imports no Lava."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from mksgn.errors import ConfigError
from mksgn.extras import LAVA_RUNTIME, require
from mksgn.ir import Graph
from mksgn.ir.streaming import streamed
from mksgn.run.backend import Backend
from mksgn.run.clips_as_streams import ClipsAsStreams
from mksgn.run.frames import FrameStream
from mksgn.run.time_modes import TIMES, Time

BACKENDS = {
    "emulator": "mksgn.emulator:Emulator",
    "lava": "mksgn.lava.backend:LavaBackend",
    "loihi2": "mksgn.loihi:Loihi2Backend",
}
"""Where each backend's class is. Named as text, because `run` stands below the rooms that hold them."""
FRAME_STREAMS = {
    "emulator": "mksgn.emulator:FrameByFrame",
    "lava": "mksgn.lava.framewise:LavaFrames",
}
"""Where those are that take a stream without ends frame by frame."""
ON_LAVA = ("lava", "loihi2")

__all__ = ["BACKENDS", "FRAME_STREAMS", "named_object", "open_backend", "open_frames"]


def open_backend(name: str, graph: Graph, time: Time = "clip", **options: Any) -> Backend:
    """The backend called ``name``, ready to run ``graph``. Use it as a context manager.

    Parameters
    ----------
    name : 'emulator', 'lava' or 'loihi2'
    graph : Graph
        Of a clip.
    time : 'clip' or 'stream'
        Whether the frames of a clip lie side by side, or come one after the other
        (:mod:`mksgn.run.clips_as_streams`). The results are the same.
    **options
        Keyword arguments of the backend's class. None means: not given.

    Raises
    ------
    ConfigError
        When the name or the time mode is unknown, or an option has no effect on this backend.
    GraphError
        When the graph cannot be streamed.
    BackendError
        When the backend cannot run here.
    """
    if time not in TIMES:
        raise ConfigError("unknown time mode", where="time", got=repr(time), allowed=", ".join(TIMES))
    if name not in BACKENDS:
        raise ConfigError("unknown backend", where="backend", got=repr(name), allowed=", ".join(BACKENDS))
    if name in ON_LAVA:
        require(LAVA_RUNTIME, what=f"the backend {name!r}")
    backend = named_object(BACKENDS[name])
    given = {key: value for key, value in options.items() if value is not None}
    accepted = [key for key in inspect.signature(backend).parameters if key != "graph"]
    unknown = sorted(set(given) - set(accepted))
    if unknown:
        raise ConfigError("an option has no effect on this backend", where=f"backend {name!r}", got=", ".join(unknown),
                          allowed=", ".join(accepted), fix="leave it out, or choose another backend")
    opened: Backend = backend(streamed(graph) if time == "stream" else graph, **given)
    return ClipsAsStreams(graph, opened) if time == "stream" else opened


def open_frames(name: str, graph: Graph, threads: int | None = None, record: bool = False) -> FrameStream:
    """What takes an endless graph frame by frame on the backend ``name``, one of :data:`FRAME_STREAMS`.

    Parameters
    ----------
    name : 'emulator' or 'lava'
    graph : Graph
        Of :func:`mksgn.ir.streaming.continuous`.
    threads : int, optional
        CPU threads; in Lava, blocks.
    record : bool
        Whether spikes will be asked for.

    Raises
    ------
    ConfigError
        When this backend takes clips only.
    GraphError, BackendError
        When it cannot run the graph, or cannot run here.
    """
    if name not in FRAME_STREAMS:
        raise ConfigError("this backend takes no stream frame by frame", where="backend", got=repr(name),
                          allowed=", ".join(FRAME_STREAMS))
    if name in ON_LAVA:
        require(LAVA_RUNTIME, what=f"the backend {name!r}")
    options: dict[str, Any] = {"blocks": threads, "record": record} if name in ON_LAVA else {"threads": threads}
    opened: FrameStream = named_object(FRAME_STREAMS[name])(graph, **options)
    return opened


def named_object(path: str) -> Any:
    """What ``'module:name'`` names, imported now: so a room can start what stands in a room above it."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
