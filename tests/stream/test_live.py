"""The live page: what it tells, whom it refuses, and how it looks in a real browser."""

from __future__ import annotations

import html
import http.client
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stream_parts import FakeClock

from mksgn.errors import ConfigError
from mksgn.skeleton import UCLA20
from mksgn.stream import live
from mksgn.stream.live import LivePage
from mksgn.stream.records import BeginRecord, FrameRecord

CLASSES = ["stand", "wave <b>", "walk"]
BEGIN: BeginRecord = {"type": "begin", "net": "models/<i>net", "backend": "emulator", "source": "a test",
                      "decider": "counts", "classes": CLASSES, "energy": "invented", "commit": "none"}

OVER: Any = {"type": "summary", "frames": 5, "decisions": 2, "dropped": 0, "late": 1, "energy_mj": 0.5}


def decided(number: int) -> FrameRecord:
    return {"type": "frame", "frame": number, "time": number / 30, "recording": None, "class_name": CLASSES[1],
            "class_number": 1, "confidence": 0.75, "scores": [0.2, 0.75, 0.05], "final": number == 2,
            "latency_ms": 12.34, "latency_frames": 0, "late": False, "waiting": 0, "persons": 1, "missing_joints": 1,
            "events": {"spikes": 5, "synops": 1234567, "macs": 3}, "energy_mj": 0.123456}


def body() -> np.ndarray:
    joints = np.random.default_rng(3).normal(size=(1, 20, 3)).astype(np.float32)
    joints[0, 7] = np.nan
    return joints


@pytest.fixture
def page() -> Iterator[LivePage]:
    clock = FakeClock()
    made = LivePage(0, BEGIN, [(a, b) for a, b in UCLA20.edges.tolist()], {"sc": 8}, clock)
    for number in range(3):
        clock.time += 1
        made.frame(decided(number), body(), {"sc": np.arange(8 * 6).reshape(8, 6) * 9})
    made.note({"type": "note", "kind": "person", "frame": 0, "text": "person <1> is watched"})
    yield made
    made.close()


def asked(page: LivePage, path: str = "/", method: str = "GET", **headers: str) -> tuple[int, bytes, Any]:
    host, port = page.address.removeprefix("http://").rstrip("/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    content = b"" if path == "/events" and answer.status == 200 else answer.read()
    found = answer.status, content, answer.headers
    connection.close()
    return found


def events(page: LivePage, count: int) -> list[tuple[str, Any]]:
    """The first messages of the page's stream."""
    host, port = page.address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET /events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        text = ""
        while len(found := re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)) < count:
            part = connection.recv(1 << 16)
            assert part, text
            text += part.decode()
    return [(kind, json.loads(data)) for kind, data in found]


def test_a_browser_that_comes_late_is_told_all_it_needs(page: LivePage) -> None:
    told = dict(events(page, 4))
    assert list(told) == ["begin", "note", "frame", "raster"]
    assert told["begin"]["classes"] == CLASSES and told["begin"]["channels"] == {"sc": 8}
    assert told["frame"]["frame"] == 2 and told["frame"]["joints"][0][7] is None
    np.testing.assert_allclose(told["frame"]["joints"][0][3], body()[0, 3], atol=1e-4)
    assert (told["raster"]["sc"]["channels"], told["raster"]["sc"]["frames"]) == (8, 6)


def test_frames_that_come_too_fast_are_passed_over_but_not_the_last(page: LivePage) -> None:
    for number in (3, 4):
        page.frame(decided(number), body(), {})
    assert dict(events(page, 4))["frame"]["frame"] == 2
    page.summary(OVER)
    assert dict(events(page, 5))["frame"]["frame"] == 4 and events(page, 5)[-1] == ("summary", OVER)


@pytest.mark.parametrize("path", ["/", "/live.js", "/live.css", "/events"])
def test_only_requests_to_this_machine_from_this_page_are_answered(page: LivePage, path: str) -> None:
    port = page.address.rstrip("/").rpartition(":")[2]
    own = f"http://127.0.0.1:{port}"
    assert asked(page, path)[0] == 200
    assert asked(page, path, Host=f"localhost:{port}", Origin=f"http://localhost:{port}")[0] == 200
    assert asked(page, path, Origin=own)[0] == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "127.0.0.1:1",
                 f"127.0.0.1.evil.example:{port}", ""):
        assert asked(page, path, Host=host)[0] == 403, host
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{port}", "http://127.0.0.1:1", f"{own}.evil", ""):
        status, content, _ = asked(page, path, Origin=origin)
        assert status == 403 and b"stand" not in content, origin


def test_without_a_host_nothing_is_answered(page: LivePage) -> None:
    host, port = page.address.removeprefix("http://").rstrip("/").split(":")
    for request in (b"GET / HTTP/1.0\r\n\r\n",
                    f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nHost: evil.example\r\n\r\n".encode()):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(request)
            assert b" 403 " in connection.recv(1 << 12)


def test_other_paths_and_methods_are_none(page: LivePage) -> None:
    assert asked(page, "/../live.py")[0] == asked(page, "/page/live.html")[0] == 404
    assert asked(page, "/", "POST")[0] == 501
    status, content, headers = asked(page)
    assert status == 200 and "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert not re.search(rb"https?://", content.replace(b"http://www.w3.org", b""))


def test_the_page_is_on_this_machine_alone_and_a_taken_port_is_an_error(page: LivePage) -> None:
    assert page.address.startswith("http://127.0.0.1:")
    port = int(page.address.rstrip("/").rpartition(":")[2])
    with pytest.raises(ConfigError, match="live page"):
        LivePage(port, BEGIN, [], {})


def test_a_slow_browser_loses_the_oldest() -> None:
    reader: Any = live.queue.Queue(2)
    for number in range(5):
        live._put(reader, ("frame", str(number)))
    assert [reader.get()[1] for _ in range(2)] == ["3", "4"]


def test_in_a_browser_it_shows_the_stream(page: LivePage, browser: str, tmp_path: Path) -> None:
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-breakpad",
               f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,900", "--virtual-time-budget=4000"]
    page.summary(OVER)
    shot = tmp_path / "shot.png"
    subprocess.run([*command, f"--screenshot={shot}", page.address], check=True, capture_output=True, timeout=90)
    dom = subprocess.run([*command, "--dump-dom", page.address], check=True, capture_output=True, timeout=90,
                         text=True).stdout
    assert "data-errors" not in dom
    text = html.unescape(re.sub(r"<[^>]*>", " ", dom))
    for words in ("wave <b>", "75.0 % sure", "0.1235 mJ", "1,234,567", "12.3 ms", "person <1> is watched",
                  "the stream is over", "5 frames, 2 decisions computed", "final: nothing more is computed",
                  "models/<i>net", "modelled"):
        assert words in text, words
    assert dom.count("<line") == len(UCLA20.edges) and dom.count('visibility="hidden"') >= 2, "a joint is missing"
    assert '<canvas role="img" aria-label="Spikes of sc" width="6" height="8">' in dom
    pixels = np.asarray(Image.open(shot).convert("L"))
    assert pixels.shape == (900, 1280) and pixels.std() > 15
