"""A stream by a clock that stands still: what is dropped, late, held, begun anew and final."""

from __future__ import annotations

import numpy as np
import pytest
from stream_parts import JOINTS, CountingDecider, FakeClock, Told, frame, person, played

from mksgn.errors import DataError
from mksgn.stream.decider import Decision
from mksgn.stream.early_exit import EarlyExit
from mksgn.stream.following import Follower
from mksgn.stream.frame_queue import Arrival, FrameQueue, Nothing
from mksgn.stream.frames import person_of
from mksgn.stream.holding import Holder
from mksgn.stream.records import Note
from mksgn.stream.session import Rules, Session


def test_a_full_queue_drops_the_oldest_and_says_so() -> None:
    told, decider = played([frame(i, person()) for i in range(10)], Rules(absence=9), capacity=4)
    assert [record["frame"] for record in told.frames] == [6, 7, 8, 9] and decider.seen == [6, 7, 8, 9]
    (note,) = told.notes[:1]
    assert note["kind"] == "dropped" and "6 of the oldest" in note["text"] and note["frame"] is None
    (summary,) = told.summaries
    assert (summary["dropped"], summary["came"], summary["frames"]) == (6, 10, 4)
    assert [record["waiting"] for record in told.frames] == [3, 2, 1, 0]


def test_a_queue_that_waits_loses_nothing() -> None:
    clock = FakeClock()
    queue = FrameQueue(2, clock, waits=True)
    queue.stop.set()  # nobody reads: a source that waits is let go
    for i in range(3):
        queue.put(frame(i))
    assert len(queue) == 2
    assert isinstance(queue.get(1), Arrival)


def test_silence_an_end_and_an_error_of_the_source() -> None:
    clock = FakeClock()
    queue = FrameQueue(2, clock)
    assert queue.get(5) is Nothing.SILENT and clock.now() == 105
    queue.put(frame(1))
    queue.end(DataError("broken"))
    assert isinstance(queue.get(5), Arrival)
    with pytest.raises(DataError, match="broken"):
        queue.get(5)
    ended = FrameQueue(2, clock)
    ended.end()
    assert ended.get(5) is Nothing.ENDED


@pytest.mark.parametrize("waits", [False, True])
def test_a_sensor_that_stops(waits: bool) -> None:
    """It ends the stream, or is waited for; that it is back is said, and after a gap everything begins anew."""
    class Sensor(FakeClock):
        def wait(self, condition: object, seconds: float) -> None:
            self.time += seconds
            silences.append(seconds)
            if len(silences) == 2:
                queue.put(frame(30, person()))
                queue.end()

    silences: list[float] = []
    clock, told, decider = Sensor(), Told(), CountingDecider()
    queue = FrameQueue(8, clock)
    queue.put(frame(0, person()))
    session = Session(decider, queue, 1, JOINTS, Rules(silence=2, waits=waits), clock, (), [told])
    summary = session.run()
    assert told.kinds == ["person", "silent", *(["back", "gap", "person"] if waits else [])]
    assert ("waiting for it" if waits else "the stream ends") in told.notes[1]["text"]
    assert summary["frames"] == (2 if waits else 1) and summary["restarts"] == int(waits)
    assert decider.restarts == 1 + waits and decider.seen == ([30] if waits else [0])


def test_no_frame_at_all_is_an_error() -> None:
    clock = FakeClock()
    session = Session(CountingDecider(), FrameQueue(8, clock), 1, JOINTS, Rules(), clock, (), [Told()])
    with pytest.raises(DataError, match="no frame came"):
        session.run()


def test_late_frames_are_counted_and_said_once() -> None:
    clock, told = FakeClock(), Told()
    queue, decider = FrameQueue(10, clock), CountingDecider(clock, takes=0.07)
    for i in range(3):
        queue.put(frame(i / 30, person()))
    queue.end()
    summary = Session(decider, queue, 1, JOINTS, Rules(late=0.1), clock, (), [told]).run()
    assert [record["late"] for record in told.frames] == [False, True, True]
    np.testing.assert_allclose([record["latency_ms"] for record in told.frames], [70, 140, 210])
    assert told.kinds.count("late") == 1 and summary["late"] == 2
    assert summary["latency_ms_median"] == pytest.approx(140) and summary["seconds"] == pytest.approx(0.21)
    assert summary["frames_per_second"] == pytest.approx(3 / 0.21)


def test_frames_out_of_order_are_left_out() -> None:
    told, decider = played([frame(t, person()) for t in (0.0, 0.2, 0.1, 0.2, 0.3)])
    assert decider.seen == [0.0, 0.2, 0.3] and told.kinds.count("out-of-order") == 2
    assert told.summaries[0]["out_of_order"] == 2 and told.summaries[0]["frames"] == 3


def test_a_sensor_whose_clock_begins_anew_does_so_too() -> None:
    told, decider = played([frame(t, person()) for t in (50.0, 50.1, 0.0, 0.1)])
    assert decider.seen == [0.0, 0.1] and decider.restarts == 2 and told.summaries[0]["out_of_order"] == 0
    assert any("clock went back by 50.10 s" in note["text"] for note in told.notes)


def test_events_and_energy_add_up() -> None:
    told, _ = played([frame(i / 30, person()) for i in range(4)])
    (summary,) = told.summaries
    assert summary["events"] == {"spikes": 12, "synops": 40, "macs": 8} and summary["decisions"] == 4
    assert summary["energy_mj"] == 2.0 and summary["energy_mj_per_frame"] == 0.5
    assert summary["events_per_frame"]["synops"] == 10 and summary["energy"] == "invented"
    assert [record["energy_mj"] for record in told.frames] == [0.5, 1, 1.5, 2]
    assert told.frames[0]["class_name"] == "wave" and told.frames[1]["confidence"] == pytest.approx(0.2)


@pytest.mark.parametrize("numbered", [False, True])
def test_a_second_person_changes_nothing(numbered: bool) -> None:
    ids = (1, 2) if numbered else (None, None)
    one, two = person(0, ids[0]), person(5, ids[1], score=1)
    told, decider = played([frame(0, one), frame(0.1, two, one), frame(0.2, two, one), frame(0.3, one)])
    assert told.kinds == ["person", "entered"] and "stays the one who is watched" in told.notes[1]["text"]
    assert all(np.array_equal(pushed[0], one.joints) for pushed in decider.pushed)
    assert decider.restarts == 1 and [record["persons"] for record in told.frames] == [1, 2, 2, 1]


@pytest.mark.parametrize("numbered", [False, True])
def test_another_person_begins_anew(numbered: bool) -> None:
    ids = (1, 2) if numbered else (None, None)
    one, two = person(0, ids[0]), person(5, ids[1])
    told, decider = played([frame(0, one), *(frame(t / 10, two) for t in range(1, 13))])
    nobody = [record["time"] for record in told.frames if record["class_name"] is None]
    np.testing.assert_allclose(nobody, np.arange(1, 11) / 10)  # a detector may blink
    note = next(note for note in told.notes if "in place of" in note["text"])
    assert note["kind"] == "person" and "begun anew" in note["text"]
    assert decider.seen == [1.1, 1.2] and decider.restarts == 2
    assert told.summaries[0]["restarts"] == 1 and told.summaries[0]["nobody"] == 10
    assert ("id 2" in note["text"]) == numbered


def test_two_places_take_two_persons() -> None:
    one, two = person(0), person(5)
    _, decider = played([frame(0, one), frame(0.1, two, one), frame(0.2, two)], places=2)
    assert np.isnan(decider.pushed[0][1]).all()
    np.testing.assert_array_equal(decider.pushed[1], [one.joints, two.joints])
    assert len(decider.pushed) == 2, "the person who is watched is not in the last frame"


def test_recordings_begin_anew_and_are_named() -> None:
    frames = [frame(i / 10, person(identity=0), recording="ab"[i // 3]) for i in range(6)]
    told, decider = played(frames)
    assert [note["text"] for note in told.notes] == ["a", "b"] and set(told.kinds) == {"recording"}
    assert len(decider.seen) == 3 and told.summaries[0]["restarts"] == 1


def test_missing_joints_are_counted_and_held_beside_the_centre() -> None:
    holes = person()
    holes.joints[2] = np.nan
    told, _ = played([frame(0, person()), frame(0.1, holes)])
    assert [record["missing_joints"] for record in told.frames] == [0, 1]
    assert told.summaries[0]["missing_joints"] == 1
    hold = Holder(1, JOINTS, center=0)
    first = person().joints[None].copy()
    first[0, 4] = np.nan
    filled = hold.fill(first)
    np.testing.assert_array_equal(filled[0, 4], first[0, 0])  # never seen: on the centre
    second = first + np.float32(10)
    second[0, 2] = np.nan
    np.testing.assert_allclose(hold.fill(second)[0, 2], first[0, 2] + 10, atol=1e-5)
    third = second + np.float32(1)
    third[0, 0] = np.nan
    np.testing.assert_array_equal(hold.fill(third)[0, 0], second[0, 0])  # the centre stays where it was
    assert not hold.fill(np.full((1, JOINTS, 3), np.nan, np.float32)).any()
    lost = Holder(1, JOINTS, center=4).fill(first)
    np.testing.assert_allclose(lost[0, 4], first[0, :4].mean(axis=0), rtol=1e-6)


def test_joints_of_a_low_score_are_missing() -> None:
    scores = np.array([0.9, 0.1, 0.9, 0.9, 0.2])
    placed = Follower(1, JOINTS, least=0.3).place(frame(0, person_of(person().joints, scores)))
    assert placed.missing == 2 and np.isnan(placed.joints[0, 1]).all() and placed.scores[0, 4] == 0


def test_an_early_exit_is_final_until_the_recording_ends() -> None:
    frames = [frame(i / 10, person(identity=0), recording="ab"[i // 8]) for i in range(16)]
    told, decider = played(frames, Rules(exit_at=0.45, exit_after=3))
    finals = [record["frame"] for record in told.frames if record["final"]]
    assert finals == [4, 5, 6, 7, 12, 13, 14, 15] and told.kinds.count("final") == 2
    assert decider.skipped == 6 and len(decider.pushed) == 10
    (summary,) = told.summaries
    assert (summary["finals"], summary["skipped"], summary["saved_synops"]) == (2, 6, 60)
    assert [record["events"] is None for record in told.frames[:8]] == [False] * 5 + [True] * 3
    assert all(record["confidence"] == pytest.approx(0.5) for record in told.frames[4:8])


def test_an_early_exit_needs_frames_and_lasts_as_long_as_a_decision_looks_back() -> None:
    frames = [frame(1000 + i / 10, person()) for i in range(12)]
    told, decider = played(frames, Rules(exit_at=0.05, exit_after=4), decider=CountingDecider(span=6))
    assert [record["final"] for record in told.frames] == [*[False] * 3, *[True] * 7, *[False] * 2]
    assert told.kinds.count("again") == 1 and decider.restarts == 2


def test_an_early_exit_can_need_the_same_decision_several_times() -> None:
    """Each as sure. Another class, an unsure decision or a new recording counts anew; one that stands counts once."""
    exit_ = EarlyExit(at=0.6, hold=3)
    given = [(1, 0.7, 0), (1, 0.9, 0), (2, 0.7, 0), (2, 0.7, 0), (2, 0.5, 0), (2, 0.7, 0), (2, 0.7, 1), (2, 0.7, 2),
             (2, 0.7, 0), (2, 0.7, 0), (2, 0.7, 0)]
    found = []
    for best, sure, behind in given:
        exit_.passes()
        found.append(exit_.settle(Decision(best, np.array([1 - sure, *[0] * (best - 1), sure]), behind), 0.0))
    assert found == [False] * 9 + [True, False]
    exit_.restart()
    assert exit_.final is None and not exit_.settle(Decision(2, np.array([0.1, 0, 0.9]), 0), 0.0)
    frames = [frame(i / 10, person(identity=0), recording="ab"[i // 8]) for i in range(16)]
    told, _ = played(frames, Rules(exit_at=0.25, exit_after=1, exit_hold=3))
    assert [record["frame"] for record in told.frames if record["final"]] == [4, 5, 6, 7, 12, 13, 14, 15]


def test_an_interruption_still_sums_up() -> None:
    class Broken(CountingDecider):
        def push(self, *given: object) -> None:  # type: ignore[override]
            raise KeyboardInterrupt

    clock, told = FakeClock(), Told()
    queue = FrameQueue(4, clock)
    queue.put(frame(0, person()))
    with pytest.raises(KeyboardInterrupt):
        Session(Broken(), queue, 1, JOINTS, Rules(), clock, (), [told]).run()
    assert told.kinds[-1] == "interrupted" and len(told.summaries) == 1


def test_what_the_source_says_is_told() -> None:
    clock, told = FakeClock(), Told()
    queue = FrameQueue(4, clock)
    queue.say(Note("file", "it became shorter"))
    queue.put(frame(0, person()))
    queue.end()
    Session(CountingDecider(), queue, 1, JOINTS, Rules(), clock, (), [told]).run()
    assert told.notes[0]["text"] == "it became shorter"
