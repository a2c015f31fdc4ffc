"""``mksgn stream`` frame by frame: what it says of each frame is what the emulator says of the clip that ends there."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from continuous_net import FRAMES, continuous_net, preprocess_for
from programs import Program
from stream_parts import FakeClock

from mksgn.data.causal import CausalFrames, last_frames
from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator, FrameByFrame
from mksgn.energy import E_AC_PJ, E_MAC_PJ
from mksgn.ir import Graph
from mksgn.ir.streaming import continuous
from mksgn.netx import write_net
from mksgn.programs.classes import scores as class_scores
from mksgn.stream.frame_queue import Arrival, FrameQueue, Nothing
from mksgn.stream.frames import Frame, frame_line, person_of
from mksgn.stream.framewise import FramewiseDecider, why_clips
from mksgn.stream.session import Rules, Session

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def pack() -> Pack:
    return synthetic_pack(8)


@pytest.fixture(scope="module")
def graph(pack: Pack) -> Graph:
    return continuous_net(pack)


@pytest.fixture
def net(graph: Graph, tmp_path: Path) -> Path:
    write_net(graph, tmp_path / "mksgn.net")
    return tmp_path / "mksgn.net"


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    return Program("deploy/stream.py", capsys, monkeypatch, tmp_path)


def told(program: Program, *words: object) -> dict[str, Rows]:
    outcome = program(*words, "--json")
    assert outcome.code == 0, outcome.err
    found: dict[str, Rows] = {"begin": [], "frame": [], "note": [], "summary": []}
    for line in outcome.out.splitlines():
        record = json.loads(line)
        found[record["type"]].append(record)
    return found


def coded(preprocess: Preprocess, pack: Pack, sequence: np.ndarray, fps: float = 30.0) -> list[np.ndarray]:
    """What enters the network at each frame of a recording: int8 (C, n, V)."""
    sensor = CausalFrames(preprocess, pack.body)
    return [sensor.push(joints, f / fps) for f, joints in enumerate(sequence)]


def by_clips(graph: Graph, pieces: list[np.ndarray]) -> list[tuple[int, list[float]] | None]:
    """Class and scores after each frame, by the emulator alone: those of the clip that ends there."""
    entered = np.concatenate(pieces, axis=1)
    ends = np.cumsum([piece.shape[1] for piece in pieces])
    with Emulator(graph) as emulator:
        result = emulator.run(np.stack([last_frames(entered[:, :end], FRAMES) for end in ends]))
    probabilities, _ = class_scores(graph, result.output)
    assert probabilities is not None
    return [(int(best), scores.tolist()) for best, scores in zip(result.predictions, probabilities)]


def said(rows: Rows) -> list[tuple[int, list[float]] | None]:
    return [None if row["class_number"] is None else (row["class_number"], row["scores"]) for row in rows]


def test_each_frame_is_decided_as_the_clip_that_ends_there(program: Program, net: Path, graph: Graph) -> None:
    pack = synthetic_pack(64)  # what --frames synthetic plays
    found = told(program, "--net", net, "--frames", "synthetic", "--recordings", "3")
    frames, preprocess = found["frame"], preprocess_for(pack)
    recordings = [coded(preprocess, pack, pack.sequence(i)) for i in range(3)]
    expected = [each for pieces in recordings for each in by_clips(graph, pieces)]
    assert said(frames) == expected
    assert all(len(pieces) > FRAMES for pieces in recordings), "longer than a clip"
    assert len({json.dumps(each) for each in expected}) > 20, "the net says something"
    assert {row["latency_frames"] for row in frames if row["class_number"] is not None} == {0}
    assert "frame by frame" in found["begin"][0]["decider"]
    events = {"spikes": 0, "synops": 0, "macs": 0}
    for pieces in recordings:
        with FrameByFrame(continuous(graph)) as stream:
            for piece in [np.zeros_like(pieces[0])] * (FRAMES - 1) + pieces:
                stream.push(piece)
            counts = stream.counts
        events["spikes"] += sum(number for name, number in counts.spikes.items() if name != graph.input.name)
        events["synops"] += sum(counts.synops.values())
        events["macs"] += sum(counts.macs.values())
    (summary,) = found["summary"]
    assert summary["events"] == events and summary["decisions"] == len(frames)
    for kind, number in events.items():
        assert sum(row["events"][kind] for row in frames) == number > 0
    energy = (events["macs"] * E_MAC_PJ + events["synops"] * E_AC_PJ) * 1e-9
    assert summary["energy_mj"] == pytest.approx(energy) and frames[-1]["energy_mj"] == summary["energy_mj"]
    assert "counted events" in summary["energy"] and summary["restarts"] == 2


@pytest.mark.parametrize(("rate", "fps"), [(12.0, 30.0), (45.0, 20.0)])
def test_frames_enter_at_the_rate_of_the_net(program: Program, pack: Pack, tmp_path: Path, rate: float,
                                             fps: float) -> None:
    """A sensor may be faster than the net, or slower. By default recordings have the rate that the net names."""
    graph = continuous_net(pack, rate=rate, recorded_rate=fps)
    write_net(graph, tmp_path / "rate.net")
    played = synthetic_pack(64)
    found = told(program, "--net", tmp_path / "rate.net", "--frames", "synthetic")
    pieces = coded(preprocess_for(pack, rate=rate, recorded_rate=fps), played, played.sequence(0), fps)
    assert said(found["frame"]) == by_clips(graph, pieces)
    assert [row["events"] is not None for row in found["frame"]] == [piece.shape[1] > 0 for piece in pieces]
    behind = [row["latency_frames"] for row in found["frame"] if row["latency_frames"] is not None]
    assert behind and set(behind) == ({0} if rate > fps else {0, 1, 2})


def lines(pack: Pack, index: int, count: int, first: float = 0.0, identity: int | None = None,
          beside: int | None = None) -> list[str]:
    """Lines of a recording at 30 frames per second, with somebody else ``beside`` of lower scores."""
    made = []
    for f, points in enumerate(pack.sequence(index)[:count, 0]):
        persons = [person_of(points, np.ones(20), identity)]
        if beside is not None:
            persons.insert(0, person_of(points + 5, np.full(20, 0.5), beside))
        made.append(frame_line(Frame(first + f / 30, tuple(persons))))
    return made


def read_back(made: list[str]) -> np.ndarray:
    """The first person who is not beside, as the lines have them: float32 (F, 1, V, 3)."""
    return np.array([json.loads(line)["persons"][-1]["joints"] for line in made], np.float32)[:, None, :, :3]


def test_another_person_begins_anew_and_one_beside_does_not(program: Program, pack: Pack, net: Path, graph: Graph,
                                                            tmp_path: Path) -> None:
    first = lines(pack, 0, 14, identity=1) + lines(pack, 0, 20, 14 / 30, identity=1, beside=9)[:6]
    other = lines(pack, 1, 40, 20 / 30, identity=2)
    (tmp_path / "two.jsonl").write_text("\n".join(first + other))
    found = told(program, "--net", net, "--frames", tmp_path / "two.jsonl")
    rows, preprocess = found["frame"], preprocess_for(pack)
    assert [note["kind"] for note in found["note"]][:2] == ["person", "entered"]
    assert said(rows[:20]) == by_clips(graph, coded(preprocess, pack, read_back(first)))
    change = next(note["frame"] for note in found["note"] if "in place of" in note["text"])
    assert change == 20 + 30, "the first person is held for a second"
    assert all(row["class_number"] is not None for row in rows[20:change])
    assert said(rows[change:]) == by_clips(graph, coded(preprocess, pack, read_back(other)[change - 20:]))
    assert found["summary"][0]["restarts"] == 1 and found["summary"][0]["nobody"] == 30


def test_a_person_who_blinks_is_held_as_in_a_recording(program: Program, pack: Pack, net: Path, graph: Graph,
                                                       tmp_path: Path) -> None:
    made = lines(pack, 2, 24)
    sequence = read_back(made)
    for gone in (3, 14, 15):
        made[gone] = json.dumps({"time": gone / 30, "persons": []})
        sequence[gone] = np.nan
    (tmp_path / "blinks.jsonl").write_text("\n".join(made))
    found = told(program, "--net", net, "--frames", tmp_path / "blinks.jsonl")
    assert said(found["frame"]) == by_clips(graph, coded(preprocess_for(pack), pack, sequence))
    assert found["frame"][14]["class_number"] is not None and found["summary"][0]["nobody"] == 3


def test_the_preprocessing_begins_anew_by_itself(program: Program, pack: Pack, net: Path, graph: Graph,
                                                 tmp_path: Path) -> None:
    """With a long --absence the session waits; whoever was away for a second is unknown to the network all the same."""
    before, after = lines(pack, 3, 14), lines(pack, 3, 14, 60 / 30)
    empty = [json.dumps({"time": f / 30, "persons": []}) for f in range(14, 60)]
    (tmp_path / "away.jsonl").write_text("\n".join(before + empty + after))
    rows = told(program, "--net", net, "--frames", tmp_path / "away.jsonl", "--absence", "9")["frame"]
    alike = by_clips(graph, coded(preprocess_for(pack), pack, read_back(before)))
    assert said(rows[:14]) == said(rows[60:]) == alike
    assert rows[42]["class_number"] is not None and rows[43]["events"] is not None
    assert [row["class_number"] for row in rows[44:60]] == [None] * 16
    assert all(row["events"] is None for row in rows[44:60])


def test_a_gap_of_the_sensor_begins_anew_too(program: Program, pack: Pack, net: Path, graph: Graph,
                                             tmp_path: Path) -> None:
    made = lines(pack, 3, 14) + lines(pack, 3, 14, 60 / 30)
    (tmp_path / "gap.jsonl").write_text("\n".join(made))
    found = told(program, "--net", net, "--frames", tmp_path / "gap.jsonl", "--absence", "9")
    alike = by_clips(graph, coded(preprocess_for(pack), pack, read_back(made[:14])))
    assert said(found["frame"][:14]) == said(found["frame"][14:]) == alike and found["summary"][0]["restarts"] == 0


def test_an_early_exit_of_a_stream_lasts_until_its_frames_are_gone(program: Program, pack: Pack, net: Path,
                                                                   tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text("\n".join(lines(pack, 0, 20) + lines(pack, 0, 20, 20 / 30)))
    words = ("--net", net, "--frames", tmp_path / "one.jsonl", "--exit-at", "0.01", "--exit-after", FRAMES)
    found = told(program, *words)
    rows = found["frame"]
    final = [*[False] * (FRAMES - 1), *[True] * (FRAMES + 1)]
    assert [row["final"] for row in rows] == (final * 2)[:40]
    assert [row["events"] is None for row in rows] == ([False] + final * 2)[:40 - 18] + [False] * FRAMES + [True] * 7
    assert [note["kind"] for note in found["note"]] == ["person", "final", "again", "final"]


def test_an_early_exit_lasts_to_the_end_of_its_recording(program: Program, net: Path) -> None:
    found = told(program, "--net", net, "--frames", "synthetic", "--recordings", "2", "--exit-at", "0.01",
                 "--exit-after", FRAMES)
    lengths = synthetic_pack(64).lengths[:2]
    (summary,) = found["summary"]
    assert summary["finals"] == 2 and summary["decisions"] == 2 * FRAMES
    assert summary["skipped"] == lengths.sum() - 2 * FRAMES
    assert [row["final"] for row in found["frame"][:lengths[0]]] == [*[False] * (FRAMES - 1),
                                                                    *[True] * (int(lengths[0]) - FRAMES + 1)]
    assert all(row["events"] is None for row in found["frame"][FRAMES:lengths[0]])


@pytest.mark.parametrize(("option", "value"), [("--window", "48"), ("--every", "4")])
def test_a_window_is_refused(program: Program, net: Path, option: str, value: str) -> None:
    outcome = program("--net", net, "--frames", "synthetic", option, value)
    assert outcome.code == 2 and option in outcome.err and "frame by frame" in outcome.err
    assert outcome.err.count("leave it out") == 1 and " s  " not in outcome.out


@pytest.mark.parametrize(("change", "why"), [({"padding": "zeros"}, "pads its frames"),
                                             ({"looks_ahead": True}, "reads a whole clip")])
def test_other_nets_keep_the_window(program: Program, pack: Pack, tmp_path: Path, change: dict[str, Any],
                                    why: str) -> None:
    graph = continuous_net(pack, **change)
    write_net(graph, tmp_path / "clips.net")
    outcome = program("--net", tmp_path / "clips.net", "--frames", "synthetic", "--every", "30")
    assert outcome.code == 0, outcome.err
    assert f"the last {FRAMES} frames as a clip" in outcome.out and why in outcome.out
    assert "frame by frame" not in outcome.out


def test_passing_a_frame_says_whether_it_would_have_been_computed(pack: Pack, tmp_path: Path) -> None:
    graph = continuous_net(pack, rate=13.0)
    pushing, passing = (FramewiseDecider(graph, tmp_path, 1) for _ in range(2))
    computed = []
    for f, joints in enumerate(pack.sequence(0)[:29, :1]):
        scores = np.ones((1, 20), np.float32)
        computed.append(pushing.push(joints, scores, 5 + f / 30).step is not None)
        found = passing.skip(5 + f / 30) if f > 3 else passing.push(joints, scores, 5 + f / 30).step is not None
        assert found == computed[-1], f
    assert 0 < sum(computed) < 29
    pushing.close()
    passing.close()


def test_words_say_which_decider_it_is(program: Program, net: Path, graph: Graph, pack: Pack) -> None:
    assert why_clips(graph, preprocess_for(pack)) == ""
    outcome = program("--net", net, "--frames", "synthetic")
    assert "frame by frame, with carried state" in outcome.out and "a window decides" not in outcome.out
    assert " undecided " not in outcome.out, "before the first frame nobody was seen"


@pytest.mark.lava
@pytest.mark.timeout(240)
def test_lava_says_of_each_frame_what_the_emulator_says(program: Program, net: Path, pack: Pack,
                                                        tmp_path: Path) -> None:
    """A network that lives through the stream: decisions, scores and events, also where everything begins anew."""
    made = lines(pack, 3, 9) + lines(pack, 5, 7, 60 / 30)
    (tmp_path / "gap.jsonl").write_text("\n".join(made))
    words = ("--net", net, "--frames", tmp_path / "gap.jsonl", "--absence", "9", "--backend")
    expected, ours = (told(program, *words, backend) for backend in ("emulator", "lava"))
    assert ours["begin"][0]["decider"] == expected["begin"][0]["decider"] and ours["begin"][0]["backend"] == "lava"
    assert len(ours["frame"]) == 16 and said(ours["frame"]) == said(expected["frame"])
    for mine, theirs in zip(ours["frame"], expected["frame"]):
        assert mine["events"] == theirs["events"] and mine["latency_ms"] > 0
    assert len({row["events"]["spikes"] for row in ours["frame"]}) > 5


@pytest.mark.lava
@pytest.mark.timeout(240)
def test_lava_records_what_the_page_shows(net: Path, graph: Graph, pack: Pack) -> None:
    watched = tuple(p.name for p in graph.populations if p.role == "hidden")[:2]
    emulator, lava = (FramewiseDecider(graph, net, 1, watched, name) for name in ("emulator", "lava"))
    for f, joints in enumerate(pack.sequence(0)[:4, :1]):
        scores = np.ones((1, 20), np.float32)
        expected, ours = (each.push(joints, scores, f / 30) for each in (emulator, lava))
        for name in watched:
            np.testing.assert_array_equal(ours.raster[name], expected.raster[name])
        assert ours.raster[watched[0]].any()
    emulator.close()
    lava.close()


@pytest.mark.slow
def test_memory_stays_flat(net: Path, graph: Graph, pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mksgn.stream.tally.KEPT", 100)  # latencies are kept up to a bound
    points = pack.sequence(0)[:, 0]
    clock, used = FakeClock(), {}

    class Sensor(FrameQueue):
        """Has a frame whenever it is asked for one."""

        def get(self, patience: float) -> Arrival | Nothing:
            if self.came == 4000:
                return Nothing.ENDED
            seen = () if self.came % 97 == 0 else (person_of(points[self.came % len(points)], np.ones(20)),)
            self.put(Frame(self.came / 30, seen))
            return super().get(patience)

    class Measures:
        def frame(self, record: Any, joints: np.ndarray, raster: Any) -> None:
            if record["frame"] in (1999, 3999):  # by then all that is bounded is full
                gc.collect()
                used[record["frame"]] = sys.getallocatedblocks()

        def note(self, record: Any) -> None: ...

        def summary(self, record: Any) -> None: ...

    watched = tuple(p.name for p in graph.populations if p.role == "hidden")[:2]
    decider = FramewiseDecider(graph, net, 1, watched)
    session = Session(decider, Sensor(4, clock), 1, 20, Rules(absence=9), clock, (), [Measures()])
    summary = session.run()
    decider.close()
    assert summary["frames"] == 4000 and summary["decisions"] == 3999, "nobody was there at the first frame"
    assert used[3999] - used[1999] < 600, f"blocks of Python's memory: {used}; one kept for each frame were 2000"
