"""Decide at every frame of a stream of skeletons: from a file, a file that grows, standard input or a UDP port.

    mksgn stream --net nw-ucla-joint --frames nw_ucla.npz                    # the first recording, frame by frame
    mksgn stream --net nw-ucla-joint --frames nw_ucla.npz --recordings 5 --exit-at 0.9
    mksgn stream --net nw-ucla-joint --frames synthetic --real-time --live   # and a page that shows it
    mksgn stream --net nw-ucla-joint --frames udp:9000 --on-silence wait     # frames of a sensor, as datagrams
    mksgn stream --net nw-ucla-joint --frames poses.jsonl --follow           # a file that another program writes
    mksgn stream --net nw-ucla-joint --frames - --json < poses.jsonl         # lines in, lines out

A line of frames is JSON: {"time": 12.033, "persons": [{"id": 3, "joints": [[x, y, z, score], null, ...]}]}. The joints
are those of the net's body; null stands for one that is missing. docs/live.md explains frames, lines and messages.

A net that was trained for streams takes each frame once, and carries what later frames will read. Any other net needs
whole clips: the last frames (--window) run as a clip, anew every few frames (--every). The first lines say which it is.

What is lost is said: frames that are dropped, late or out of order, a sensor that stops, a person who leaves.
Events are counted. Energy is modelled at the paper's prices; nothing here measures power.

Exit codes: 0; 2 for anything that can be mended, with one message; 130 after Ctrl-C, with the summary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro

from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse

UDP = "udp:"
STDIN = "-"
LINES = (".jsonl", ".ndjson")
"""How files of lines of frames end."""


def main(arguments: Sequence[str] | None = None, command: str = "mksgn stream") -> int:
    """Read the options and do it; the exit code. ``command``: what was typed before the options."""
    with exit_on_error():
        options = parse(Options, __doc__, arguments, command)
        options.validate()
        from mksgn.commands.stream_net import stream_net  # only now: --help and a misspelt option answer at once

        return stream_net(options)


@dataclass(frozen=True)
class Options:
    """Decide at every frame of a stream."""

    GROUPS: ClassVar[dict[str, str]] = {"recordings": "recording", "frames": "queue", "decisions": "window",
                                        "backend": "backend", "result": "json"}

    net: Path
    """The network: an mksgn.net, or a shipped network (nw-ucla, nw-ucla-joint, nw-ucla-stream). A bare name that is not
    here is looked for in runs (the newest) and models."""
    frames: Annotated[str, tyro.conf.arg(metavar="PATH|-|udp:[HOST:]PORT|synthetic")]
    """Where frames come from: recordings in any format that mksgn run reads; lines of frames in a file (.jsonl), on
    standard input (-), or in datagrams to a UDP port of this machine (udp:9000; udp:0.0.0.0:9000 lets others send)."""
    recording: str | None = None
    """Which recording of a data set is played first: its name, or its number. Default: 0."""
    recordings: int | None = None
    """How many are played, one after the other; each begins anew. Default: 1."""
    fps: float | None = None
    """Frames per second of recordings, which hold no times. Default: what the net was trained on where it says so, else
    30."""
    real_time: bool = False
    """Play recordings and files at their own pace, as a sensor would. Default: as fast as can be decided."""
    follow: bool = False
    """Of a .jsonl file: go on reading what is appended to it."""
    skip_bad: bool = False
    """Leave out, and count, lines that are no frames. Default: the first one ends the stream."""
    queue: int = 8
    """Frames that may wait for a decision."""
    never_drop: bool = False
    """When the queue is full, let the source wait. Default: the oldest frame is dropped; files that are not played in
    real time always wait."""
    timeout: float = 5.0
    """Seconds without a frame after which the sensor has stopped."""
    on_silence: Literal["end", "wait"] = "end"
    """What then: the stream ends, or waits for the sensor."""
    late: float = 100.0
    """Milliseconds from a frame's arrival to its decision above which the decision counts as late."""
    absence: float = 1.0
    """Seconds after which the person who is watched is given up for another, and after which a gap begins anew."""
    window: Annotated[str | None, tyro.conf.arg(metavar="FRAMES|SECONDSs")] = None
    """Of a net that takes clips: how far back a decision looks, frames (48) or seconds (1.6s). Default: as many frames
    as the net's input has."""
    every: int | None = None
    """Of a net that takes clips: frames from one computation to the next; between them the last decision stands.
    Default: 4."""
    exit_at: float | None = None
    """Early exit: a decision of this confidence is final, and the rest of its recording (of a stream without
    recordings: of as many frames as a decision looks at) is not computed."""
    exit_after: int | None = None
    """With --exit-at: the fewest frames that a final decision must have seen. Default: 16."""
    exit_hold: int | None = None
    """With --exit-at: decisions in a row that must be the same, each of that confidence. Default: 1."""
    backend: Literal["emulator", "lava", "loihi2"] = "emulator"
    """Where the net runs. In Lava a net that decides at every frame lives through the stream; a window takes about a
    second for each computation. On Loihi 2 this has never run."""
    threads: int | None = None
    """Threads of the emulator, or Processes of Lava that compute side by side. Default: one per core."""
    json: bool = False
    """Print lines of JSON."""
    live: Annotated[tuple[int, ...] | None, tyro.conf.arg(metavar="[PORT]")] = None
    """Show the stream on a page of this machine: skeleton, spikes, classes, energy. Default port: 8765; 0: a free
    one."""
    linger: float | None = None
    """With --live: seconds for which the page stays after the end. Default: until Ctrl-C."""

    def validate(self) -> None:
        """Refuse what cannot work and options that have no effect, before anything is read.

        Raises
        ------
        ConfigError
            For the first of them.
        """
        for name, value, least in (("queue", self.queue, 1), ("every", self.every, 1), ("threads", self.threads, 1),
                                   ("recordings", self.recordings, 1), ("exit-after", self.exit_after, 1),
                                   ("exit-hold", self.exit_hold, 1)):
            if value is not None and value < least:
                raise ConfigError("a number is too small", where=f"--{name}", got=str(value),
                                  allowed=f"{least} or more")
        for name, seconds in (("timeout", self.timeout), ("late", self.late), ("absence", self.absence),
                              ("fps", self.fps)):
            if seconds is not None and not 0 < seconds < float("inf"):
                raise ConfigError("a number must be above 0", where=f"--{name}", got=str(seconds))
        if self.exit_at is not None and not 0 < self.exit_at <= 1:
            raise ConfigError("an impossible confidence", where="--exit-at", got=str(self.exit_at),
                              allowed="above 0, up to 1")
        if self.linger is not None and not 0 <= self.linger < float("inf"):
            raise ConfigError("an impossible time", where="--linger", got=str(self.linger), allowed="0 or more seconds")
        if self.live is not None and (len(self.live) > 1 or not all(0 <= port < 1 << 16 for port in self.live)):
            raise ConfigError("an impossible port", where="--live", got=" ".join(map(str, self.live)),
                              allowed="one port from 0 to 65535, or nothing")
        for name, value in (("exit-after", self.exit_after), ("exit-hold", self.exit_hold)):
            if value is not None and self.exit_at is None:
                raise ConfigError("an option has no effect without --exit-at", where=f"--{name}", got=str(value),
                                  fix="leave it out")
        if self.linger is not None and self.live is None:
            raise ConfigError("an option has no effect without --live", where="--linger", got=str(self.linger),
                              fix="leave it out")
        self._check_source()

    def _check_source(self) -> None:
        """Refuse options that another kind of source has."""
        found = ("a stream" if self.streams else "a file of lines" if self.of_lines else "recordings")
        given: list[tuple[str, Any, tuple[str, ...]]] = [
            ("recording", self.recording, ("recordings",)), ("recordings", self.recordings, ("recordings",)),
            ("fps", self.fps, ("recordings",)), ("follow", self.follow or None, ("a file of lines",)),
            ("skip-bad", self.skip_bad or None, ("a stream", "a file of lines")),
            ("real-time", self.real_time or None, ("recordings", "a file of lines"))]
        for name, value, kinds in given:
            if value is not None and found not in kinds:
                raise ConfigError("an option has no effect here", where=f"--{name}",
                                  got=f"--frames {self.frames}, {found}", allowed=" or ".join(kinds),
                                  fix="leave it out")
        if self.follow and self.real_time:
            raise ConfigError("a file that grows has a pace of its own", where="--real-time and --follow",
                              fix="leave one of them out")
        if self.never_drop and self.frames.startswith(UDP):
            raise ConfigError("a UDP port cannot make its sensor wait", where="--never-drop", got=self.frames,
                              fix="leave it out, or give a larger --queue")

    @property
    def streams(self) -> bool:
        """Whether frames come from standard input or a UDP port."""
        return self.frames == STDIN or self.frames.startswith(UDP)

    @property
    def of_lines(self) -> bool:
        """Whether frames come from a file of lines."""
        return not self.streams and Path(self.frames).suffix.lower() in LINES

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of ``udp:[HOST:]PORT``; the host is empty where none is named.

        Raises
        ------
        ConfigError
            When it is none.
        """
        host, _, port = self.frames.removeprefix(UDP).rpartition(":")
        if not port.isdecimal() or int(port) >= 1 << 16:
            raise ConfigError("an impossible UDP port", where="--frames", got=self.frames[:80],
                              allowed="udp:PORT or udp:HOST:PORT, a port up to 65535")
        return host, int(port)
