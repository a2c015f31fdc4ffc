"""Lines of JSON as frames, and where lines come from: files, growing files, pipes and datagrams."""

from __future__ import annotations

import itertools
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from stream_parts import JOINTS, FakeClock, frame, person

from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError, DataError
from mksgn.stream.clock import MachineClock
from mksgn.stream.frames import LINE_MAX, Frame, frame_line, parse_frame, person_of
from mksgn.stream.playback import Playback, find_recordings
from mksgn.stream.records import Note
from mksgn.stream.sources import (
    LineSource,
    Paced,
    datagram_lines,
    descriptor_lines,
    file_lines,
    growing_lines,
    lines_of,
    open_port,
)

JOINT = [0.5, 1.0, 2.0, 0.75]


def line(**changes: object) -> bytes:
    return json.dumps({"time": 1.5, "persons": [{"id": 3, "joints": [JOINT] * JOINTS}], **changes}).encode()


def test_a_line_is_a_frame_and_back() -> None:
    joints = [JOINT, None, [0.1, None, 0.3, 0.9], [0.1, float("nan"), 0.3, 0.9], [1, 2, 3, -1]]
    found = parse_frame(line(persons=[{"id": "left", "joints": joints, "box": 1}], camera=7), JOINTS, "here")
    (one,) = found.persons
    assert found.time == 1.5 and one.identity == "left"
    assert one.seen.tolist() == [True, False, False, False, True]
    np.testing.assert_array_equal(one.joints[0], np.float32(JOINT[:3]))
    assert one.scores.tolist() == [0.75, 0, 0, 0, 0]
    again = parse_frame(frame_line(found).encode(), JOINTS, "here")
    np.testing.assert_array_equal(again.persons[0].joints, one.joints)
    assert again.persons[0].identity == "left" and again.time == 1.5
    assert parse_frame(line(persons=[]), JOINTS, "").persons == ()
    assert parse_frame(line(persons=[{"joints": [None] * JOINTS}]), JOINTS, "").persons == (), "nobody is seen"


@pytest.mark.parametrize(("bad", "what"), [
    (b"{", "no JSON"), (b"[" * 100_000, "no JSON"), (b"\xff", "no JSON"), (b"[]", "no frame"), (b"{}", "no frame"),
    (line(persons=None), "no frame"), (line(time=None), "no time"), (line(time=float("nan")), "no time"),
    (line(time=True), "no time"), (line(time=1e300), "no time"), (line(persons=[1]), "no joints"),
    (line(persons=[{"joints": [JOINT]}]), "another number of joints"),
    (line(persons=[{"joints": [JOINT[:3]] * JOINTS}]), "neither x, y, z, score nor null"),
    (line(persons=[{"joints": [["a", 1, 2, 3]] * JOINTS}]), "no place"),
    (line(persons=[{"joints": [[float("inf"), 1, 2, 3]] * JOINTS}]), "no place"),
    (line(persons=[{"id": [1], "joints": [JOINT] * JOINTS}]), "id is neither"),
    (line(persons=[{"joints": [JOINT] * JOINTS}] * 33), "too many persons"), (b" " * (LINE_MAX + 1), "too long")])
def test_a_bad_line_is_one_error(bad: bytes, what: str) -> None:
    with pytest.raises(DataError) as raised:
        parse_frame(bad, JOINTS, "poses.jsonl, line 7")
    assert what in str(raised.value) and "poses.jsonl, line 7" in raised.value.where


def test_bad_lines_end_the_stream_or_are_counted() -> None:
    def lines(stop: threading.Event, say: object) -> Iterator[bytes]:
        yield from [line(), b"", *[b"oops"] * 9, line(time=2)]

    strict = LineSource("here", lines, JOINTS, True).frames(threading.Event(), lambda note: None)
    assert next(strict).time == 1.5
    with pytest.raises(DataError) as raised:
        next(strict)
    assert "here, line 3" in raised.value.where and "--skip-bad" in raised.value.fix
    said: list[Note] = []
    source = LineSource("here", lines, JOINTS, True, skip_bad=True)
    assert [each.time for each in source.frames(threading.Event(), said.append)] == [1.5, 2]
    assert source.bad_lines == 9 and len(said) == 5 and {note.kind for note in said} == {"bad-line"}
    assert "only counted" in said[-1].text


def test_lines_survive_any_cut_and_length() -> None:
    text = b"one\ntwo\n" + b"x" * (LINE_MAX + 5) + b"\nlast"
    for step in (1 << 14, 70_001, LINE_MAX, len(text)):
        whole = list(lines_of(text[at:at + step] for at in range(0, len(text), step)))
        assert whole[:2] == [b"one", b"two"] and whole[-1] == b"last"
        assert len(whole) == 4 and len(whole[2]) > LINE_MAX


def test_a_file_that_grows_is_read_on(tmp_path: Path) -> None:
    path, stop, said = tmp_path / "poses.jsonl", threading.Event(), []
    path.write_bytes(b"one\ntw")
    lines = growing_lines(path, MachineClock())(stop, said.append)
    assert next(lines) == b"one"
    with path.open("ab") as file:
        file.write(b"o\nthree\n")
    assert [next(lines), next(lines)] == [b"two", b"three"]
    path.write_bytes(b"new\n")
    assert [next(lines), next(lines)] == [b"", b"new"]
    assert [note.kind for note in said] == ["file"]
    stop.set()
    assert list(lines) == []


def test_pipes_end_and_can_be_left() -> None:
    out, into = os.pipe()
    stop = threading.Event()
    os.write(into, b"one\ntwo")
    lines = descriptor_lines(out)(stop, lambda note: None)
    assert next(lines) == b"one"
    os.close(into)
    assert list(lines) == [b"two"]
    os.close(out)
    out, into = os.pipe()
    threading.Timer(0.1, stop.set).start()
    assert list(descriptor_lines(out)(stop, lambda note: None)) == [], "it ends, though nobody closed the pipe"
    os.close(into)
    os.close(out)


def test_datagrams_round_trip() -> None:
    opened = open_port(0)
    port, stop = opened.getsockname()[1], threading.Event()
    assert opened.getsockname()[0] == "127.0.0.1"
    with pytest.raises(ConfigError, match="UDP port"):
        open_port(port)
    frames = LineSource("udp", datagram_lines(opened), JOINTS, True).frames(stop, lambda note: None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(frame_line(frame(0.5, person(identity=4))).encode(), ("127.0.0.1", port))
        sender.sendto(line(time=1) + b"\n" + line(time=2), ("127.0.0.1", port))
        found = list(itertools.islice(frames, 3))
    assert [each.time for each in found] == [0.5, 1, 2] and found[0].persons[0].identity == 4
    np.testing.assert_allclose(found[0].persons[0].joints, person().joints, atol=1e-6)
    stop.set()
    assert list(frames) == [] and opened.fileno() == -1


def test_recordings_are_played_frame_by_frame() -> None:
    pack = synthetic_pack(3)
    source = Playback("syn", pack, find_recordings(pack, str(pack.names[1]), 2), fps=20)
    frames = list(source.frames(threading.Event(), lambda note: None))
    assert len(frames) == pack.lengths[1:3].sum()
    np.testing.assert_allclose([each.time for each in frames], np.arange(len(frames)) / 20)
    np.testing.assert_array_equal(frames[3].persons[0].joints, pack.sequence(1)[3, 0])
    assert frames[0].recording.startswith(str(pack.names[1])) and "(" in frames[0].recording
    assert frames[int(pack.lengths[1])].recording == source.title(2)
    for first, count in (("nobody", 1), ("99", 1), ("2", 2)):
        with pytest.raises(ConfigError):
            find_recordings(pack, first, count)


def test_a_recording_in_real_time_waits_for_its_frames() -> None:
    clock, pack = FakeClock(), synthetic_pack(1)
    began = clock.now()
    paced = Paced(Playback("syn", pack, np.array([0]), fps=10), clock)
    at = [(clock.now() - began, each.time) for each in paced.frames(threading.Event(), lambda note: None)]
    assert paced.live and len(at) > 5
    np.testing.assert_allclose(*zip(*at), atol=1e-9)


def test_file_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(line() + b"\n" + line(time=2))
    assert len(list(file_lines(tmp_path / "a.jsonl")(threading.Event(), print))) == 2
    with pytest.raises(DataError, match="cannot be read"):
        list(file_lines(tmp_path / "b.jsonl")(threading.Event(), print))


def test_a_point_without_a_number_is_missing() -> None:
    found = person_of(np.array([[1.0, 2.0], [np.nan, 1.0]]), np.array([0.5, 0.9]))
    assert found.joints[0].tolist() == [1, 2, 0] and np.isnan(found.joints[1]).all()
    assert found.scores.tolist() == [0.5, 0] and Frame(0, (found,)).persons[0].weight == 0.5
