"""Where frames come from as lines of JSON: a file, a file that grows, standard input, a local UDP port.

A source runs in a thread of its own (:func:`start`) and puts what it reads into the queue. It looks at the queue's
``stop`` often, and ends soon after that is set.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mksgn.errors import ConfigError, DataError
from mksgn.stream.clock import Clock
from mksgn.stream.frame_queue import FrameQueue
from mksgn.stream.frames import LINE_MAX, Frame, parse_frame
from mksgn.stream.records import Note

LOCAL = "127.0.0.1"
BAD_SAID = 5
"""Bad lines of which each is told; more are only counted."""
_WAKE_S = 0.05
_DATAGRAM = 1 << 16
_CHUNK = 1 << 16
Say = Callable[[Note], None]


class Source(Protocol):
    """Something that gives frames."""

    @property
    def told(self) -> str:
        """What it is, in a few words."""
        ...

    @property
    def live(self) -> bool:
        """Whether frames come when they come; else the source can wait."""
        ...

    @property
    def bad_lines(self) -> int:
        """Lines that were left out."""
        ...

    def frames(self, stop: threading.Event, say: Say) -> Iterator[Frame]:
        """The frames, until there are no more or ``stop`` is set. ``say`` is told what happens."""
        ...


def start(source: Source, queue: FrameQueue) -> threading.Thread:
    """Let a source fill a queue, in a thread of its own; an error of it comes out of the queue."""

    def fill() -> None:
        try:
            for frame in source.frames(queue.stop, queue.say):
                queue.put(frame)
                if queue.stop.is_set():
                    break
        except BaseException as error:
            queue.end(error)
        else:
            queue.end()

    thread = threading.Thread(target=fill, name="frames", daemon=True)
    thread.start()
    return thread


Lines = Callable[[threading.Event, Say], Iterator[bytes]]


@dataclass(eq=False)
class LineSource:
    """Frames from lines of JSON.

    Parameters
    ----------
    told : str
    lines : callable
        Gives the lines; what it is called with is what :meth:`frames` is.
    joints : int
        Of the net's body.
    live : bool
    skip_bad : bool
        Count and leave out lines that are no frames; else the first one ends the stream.
    """

    told: str
    lines: Lines
    joints: int
    live: bool
    skip_bad: bool = False
    bad_lines: int = field(default=0, init=False)

    def frames(self, stop: threading.Event, say: Say) -> Iterator[Frame]:
        """The frames; empty lines are none.

        Raises
        ------
        DataError
            At the first line that is no frame, unless such lines are left out.
        """
        for number, line in enumerate(self.lines(stop, say), 1):
            if not line.strip():
                continue
            try:
                frame = parse_frame(line, self.joints, f"{self.told}, line {number}")
            except DataError as error:
                if not self.skip_bad:
                    error.fix = f"{error.fix or 'mend it'}; or leave such lines out with --skip-bad"
                    raise
                self.bad_lines += 1
                if self.bad_lines <= BAD_SAID:
                    more = "; more are only counted" if self.bad_lines == BAD_SAID else ""
                    say(Note("bad-line", f"{error.where}: {error.what} ({error.got}): left out{more}"))
                continue
            yield frame


def lines_of(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines from pieces of text; the last one may lack its end. One beyond ``LINE_MAX`` comes cut, and is no frame."""
    rest, cut = b"", False
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if not cut:
                yield line
            cut = False
        if len(rest) > LINE_MAX:
            if not cut:
                yield rest
            rest, cut = b"", True
    if rest and not cut:
        yield rest


def file_lines(path: Path) -> Lines:
    """The lines of a file."""

    def lines(stop: threading.Event, say: Say) -> Iterator[bytes]:
        try:
            with path.open("rb") as file:
                yield from lines_of(iter(lambda: b"" if stop.is_set() else file.read(_CHUNK), b""))
        except OSError as error:
            raise DataError("the file cannot be read", str(path), error.strerror or str(error),
                            fix="check the path") from None

    return lines


def growing_lines(path: Path, clock: Clock) -> Lines:
    """The lines of a file, and those that are appended to it; a file that becomes shorter is read from its start."""

    def chunks(stop: threading.Event, say: Say) -> Iterator[bytes]:
        with path.open("rb") as file:
            while not stop.is_set():
                chunk = file.read(_CHUNK)
                if chunk:
                    yield chunk
                    continue
                if os.fstat(file.fileno()).st_size < file.tell():
                    say(Note("file", f"{path.name} became shorter: it is read from its start"))
                    file.seek(0)
                    yield b"\n"  # what was left of a line is over
                    continue
                clock.sleep(_WAKE_S, stop)

    def lines(stop: threading.Event, say: Say) -> Iterator[bytes]:
        try:
            yield from lines_of(chunks(stop, say))
        except OSError as error:
            raise DataError("the file cannot be read", str(path), error.strerror or str(error),
                            fix="check the path") from None

    return lines


def descriptor_lines(descriptor: int) -> Lines:
    """The lines of a pipe or terminal, such as standard input (0)."""

    def chunks(stop: threading.Event) -> Iterator[bytes]:
        while not stop.is_set():
            # A thread that hangs in a read could not be ended.
            if not select.select([descriptor], [], [], _WAKE_S)[0]:
                continue
            chunk = os.read(descriptor, _CHUNK)
            if not chunk:
                return
            yield chunk

    return lambda stop, say: lines_of(chunks(stop))


def open_port(port: int, host: str = LOCAL) -> socket.socket:
    """A UDP socket on a port of this machine; 0: a free one.

    Raises
    ------
    ConfigError
        When it is taken, or not allowed.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.bind((host, port))
    except (OSError, OverflowError) as error:
        opened.close()
        raise ConfigError("the UDP port cannot be opened", where="--frames", got=f"{host}:{port} ({error})",
                          fix="end what has it, or choose another port") from None
    return opened


def datagram_lines(opened: socket.socket) -> Lines:
    """The lines of the datagrams that reach a UDP socket: one or more whole lines in each. It is closed at the end."""

    def lines(stop: threading.Event, say: Say) -> Iterator[bytes]:
        with opened:
            opened.settimeout(_WAKE_S)
            while not stop.is_set():
                try:
                    datagram = opened.recv(_DATAGRAM)
                except TimeoutError:
                    continue
                yield from datagram.split(b"\n")

    return lines


@dataclass(eq=False)
class Paced:
    """The frames of another source, each at its time: a recording as a sensor would give it.

    Parameters
    ----------
    source : Source
    clock : Clock
    """

    source: Source
    clock: Clock
    live: bool = field(default=True, init=False)

    @property
    def told(self) -> str:
        """That of the other."""
        return f"{self.source.told}, in real time"

    @property
    def bad_lines(self) -> int:
        """That of the other."""
        return self.source.bad_lines

    def frames(self, stop: threading.Event, say: Say) -> Iterator[Frame]:
        """The frames of the other, none before its time."""
        began: float | None = None
        for frame in self.source.frames(stop, say):
            if began is None:
                began = self.clock.now() - frame.time
            self.clock.sleep(began + frame.time - self.clock.now(), stop)
            yield frame
