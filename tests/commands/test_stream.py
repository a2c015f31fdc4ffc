"""``mksgn stream`` from the command line: recordings, lines, standard input and UDP into the shipped joint network."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import ROOT, Program
from typeguard import CollectionCheckStrategy, check_type

from mksgn.data.pack import Pack
from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.netx import read_net
from mksgn.programs.samples import body_in, preprocess_of
from mksgn.stream.frames import Frame, frame_line, person_of
from mksgn.stream.records import BeginRecord, FrameRecord, NoteRecord, SummaryRecord
from mksgn.stream.window import Window, WindowDecider

NET = ROOT / "models" / "nw-ucla-joint" / "mksgn.net"
RECORDS = {"begin": BeginRecord, "frame": FrameRecord, "note": NoteRecord, "summary": SummaryRecord}
Rows = list[dict[str, Any]]
PATIENT = ("--late", "1e6")
"""No decision is late, however busy the machine is."""


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    return Program("deploy/stream.py", capsys, monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def pack() -> Pack:
    return synthetic_pack(2)


def lines_of(pack: Pack, index: int, count: int) -> list[str]:
    sequence = pack.sequence(index)[:count, 0]
    return [frame_line(Frame(i / 30, (person_of(points, np.ones(20)),))) for i, points in enumerate(sequence)]


def records(out: str) -> dict[str, Rows]:
    """Lines of JSON by their type, each as the schema has it."""
    found: dict[str, Rows] = {kind: [] for kind in RECORDS}
    for line in out.splitlines():
        record = json.loads(line)
        check_type(record, RECORDS[record["type"]], collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
        found[record["type"]].append(record)
    assert len(found["begin"]) == len(found["summary"]) == 1
    return found


def expected(sequences: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Class and synops of windows, by the emulator alone."""
    graph = read_net(NET)
    preprocess, body = preprocess_of(graph, NET), body_in(graph)
    with Emulator(graph) as emulator:
        result = emulator.run(np.stack([preprocess(each, body) for each in sequences]))
    return result.predictions, np.sum(list(result.counts.sample_synops.values()), axis=0)


def test_a_recording_is_decided_as_its_windows_are(program: Program, pack: Pack) -> None:
    outcome = program("--net", NET, "--frames", "synthetic", "--window", "12", "--every", "8", "--json")
    assert outcome.code == 0, outcome.err
    found = records(outcome.out)
    frames, sequence = found["frame"], pack.sequence(0)
    assert len(frames) == len(sequence)
    computed = [row for row in frames if row["events"] is not None]
    assert [row["frame"] for row in computed] == list(range(0, len(sequence), 8))
    best, synops = expected([sequence[max(0, row["frame"] - 11):row["frame"] + 1] for row in computed])
    assert [row["class_number"] for row in computed] == best.tolist()
    assert [row["events"]["synops"] for row in computed] == synops.tolist()
    for row in frames:
        assert row["class_number"] == computed[row["frame"] // 8]["class_number"]
        assert row["latency_frames"] == row["frame"] % 8
        assert row["class_name"] == found["begin"][0]["classes"][row["class_number"]]
        assert row["confidence"] == max(row["scores"]) and sum(row["scores"]) == pytest.approx(1)
    (summary,) = found["summary"]
    assert summary["decisions"] == len(computed) and summary["events"]["synops"] == synops.sum()
    assert summary["energy_mj"] == pytest.approx(frames[-1]["energy_mj"]) and "modelled" in summary["energy"]
    assert summary["dropped"] == summary["late"] == summary["nobody"] == 0
    assert [note["kind"] for note in found["note"]] == ["recording"]


def test_words_say_it_too(program: Program) -> None:
    outcome = program("--net", NET, "--frames", "synthetic", "--recordings", "2", "--every", "30", "--exit-at", "0.01",
                      "--exit-after", "1")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    decided = [line for line in lines if " ms" in line and line.split()[0].isdecimal()]
    assert len(decided) == synthetic_pack(2).lengths.sum() and all(" final" in line for line in decided)
    for words in ("-- recording: ", "-- final: ", "early exits; ", "median; 95 %: ", "per frame, counted",
                  "modelled: Eq. 33-37 of the paper, 45 nm", "CPU simulation"):
        assert words in outcome.out, words
    decisions = next(line for line in lines if line.startswith("decisions"))
    assert decisions.split()[1] == "2", "one for each recording"


def test_a_file_of_lines_with_holes_and_faults(program: Program, pack: Pack, tmp_path: Path) -> None:
    lines = lines_of(pack, 0, 9)
    hole = json.loads(lines[4])
    hole["persons"][0]["joints"][7] = None
    lines[4:6] = [json.dumps(hole), "no frame", lines[5], lines[3]]
    path = tmp_path / "poses.jsonl"
    path.write_text("\n".join(lines))
    outcome = program("--net", NET, "--frames", path, "--every", "9", "--skip-bad", "--json")
    assert outcome.code == 0, outcome.err
    found = records(outcome.out)
    assert {note["kind"] for note in found["note"]} == {"bad-line", "person", "out-of-order"}
    (summary,) = found["summary"]
    assert (summary["bad_lines"], summary["out_of_order"], summary["missing_joints"], summary["frames"]) == (1, 1, 1, 9)
    refused = program("--net", NET, "--frames", path, "--every", "9")
    assert refused.code == 2 and "poses.jsonl, line 6" in refused.err and "--skip-bad" in refused.err


@pytest.mark.parametrize(("frames", "given", "said"), [
    ("udp:x", "", "UDP port"), ("udp:99999", "", "UDP port"), ("none.jsonl", "", "no such file"),
    ("none.npz", "", "There is no such file"), ("-", "--fps 3", "--fps"), ("synthetic", "--follow", "--follow"),
    ("udp:0", "--real-time", "--real-time"), ("udp:0", "--never-drop", "--never-drop"),
    ("a.jsonl", "--recording 1", "--recording"), ("synthetic", "--skip-bad", "--skip-bad"),
    ("a.jsonl", "--follow --real-time", "--follow"), ("synthetic", "--every 0", "--every"),
    ("synthetic", "--queue 0", "--queue"), ("synthetic", "--timeout 0", "--timeout"),
    ("synthetic", "--exit-at 1.5", "--exit-at"), ("synthetic", "--window x", "--window"),
    ("synthetic", "--window 0s", "--window"), ("synthetic", "--linger 1", "--linger"),
    ("synthetic", "--exit-after 2", "--exit-after"), ("synthetic", "--exit-hold 2", "--exit-hold"),
    ("synthetic", "--exit-at 0.9 --exit-hold 0", "--exit-hold"), ("synthetic", "--live 1 2", "--live"),
    ("synthetic", "--recording nobody", "--recording"), ("synthetic", "--fps nan", "--fps"),
    ("udp:0", "--timeout 0.1", "no frame came"), ("synthetic", "--backend loihi2", "oihi")])
def test_what_cannot_work_is_refused_in_one_message(program: Program, frames: str, given: str, said: str) -> None:
    outcome = program("--net", NET, "--frames", frames, *given.split())
    assert outcome.code == 2 and said in outcome.err, outcome.err


def test_a_net_without_skeletons_and_another_body_are_refused(program: Program, tmp_path: Path) -> None:
    assert program("--net", "none.net", "--frames", "synthetic").code == 2
    path = tmp_path / "other.jsonl"
    path.write_text('{"time": 0, "persons": [{"joints": [[0, 0, 0, 1]]}]}\n')
    outcome = program("--net", NET, "--frames", path)
    assert outcome.code == 2 and "another number of joints" in outcome.err


def started(*words: str, **streams: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-m", "mksgn", "stream", "--net", str(NET), *words], env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
                            # A shell that runs the tests in the background lets them ignore Ctrl-C.
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **streams)


def test_standard_input_and_an_end_from_the_keyboard(pack: Pack) -> None:
    process = started("--frames", "-", "--every", "9", "--json", "--never-drop", stdin=subprocess.PIPE)
    try:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("\n".join(lines_of(pack, 1, 5)) + "\n")
        process.stdin.flush()
        seen = [json.loads(process.stdout.readline()) for _ in range(7)]
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)  # with standard input open: its end would be an end, too
        out, errors = process.communicate()
    finally:
        process.kill()
    assert [row["type"] for row in seen] == ["begin", "note", *["frame"] * 5]
    assert process.returncode == 130 and "interrupted" in errors and "Traceback" not in errors
    rest = [json.loads(line) for line in out.splitlines()]
    assert rest[-1]["type"] == "summary" and rest[-1]["frames"] == 5 and rest[-2]["kind"] == "interrupted"


def test_datagrams_in_lines_out(pack: Pack) -> None:
    """A port that the system chooses; silence that no busy machine makes between two datagrams."""
    process = started("--frames", "udp:0", "--every", "9", "--json", "--timeout", "5", *PATIENT)
    try:
        assert process.stdout is not None
        port = re.fullmatch(r"UDP port (\d+) of 127\.0\.0\.1", json.loads(process.stdout.readline())["source"])
        assert port is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for line in lines_of(pack, 1, 4):
                sender.sendto(line.encode(), ("127.0.0.1", int(port[1])))
        out, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["frame"] for row in rows if row["type"] == "frame"] == [0, 1, 2, 3]
    assert [row["kind"] for row in rows if row["type"] == "note"] == ["person", "silent"]


def test_a_window_of_seconds_and_one_of_frames() -> None:
    assert Window.parse("48") == Window(frames=48) and Window.parse("1.5s") == Window(seconds=1.5)
    assert Window(frames=3).spans(3, 99) and not Window(frames=3).spans(4, 0)
    assert Window(seconds=0.5).spans(99, 0.5) and not Window(seconds=0.5).spans(2, 0.51)
    assert (str(Window(frames=3)), str(Window(seconds=0.5))) == ("3 frames", "0.5 s")


def test_a_missing_joint_is_held_in_the_window(pack: Pack) -> None:
    graph = read_net(NET)
    decider = WindowDecider(graph, NET, Emulator(graph), Window(frames=4), 9)
    sequence = pack.sequence(0)[:3, :1].copy()
    for at, joints in enumerate(sequence):
        given = joints.copy()
        if at == 2:
            given[0, 11] = np.nan
            center = decider.body.center
            sequence[2, 0, 11] = joints[0, center] + (sequence[1, 0, 11] - sequence[1, 0, center])
        decider.push(given, np.ones((1, 20)), at / 30)
    np.testing.assert_array_equal(decider.clip(), decider.preprocess(sequence, decider.body))
    decider.close()
