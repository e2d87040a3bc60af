from __future__ import annotations

from millrace.local.states.history import EVENT_LIMIT, History, Pen, Trail


def filled(count: int) -> History:
    history = History()
    for _ in range(count):
        history.append("PassStateEntered", 0)
    return history


def ids(events: list[dict[str, object]]) -> list[object]:
    return [event["id"] for event in events]


def test_a_history_is_read_forwards_and_backwards() -> None:
    history = filled(5)
    assert ids(history.part(0, 2)) == [1, 2]
    assert ids(history.part(4, 2)) == [5]
    assert ids(history.part(0, 2, newest_first=True)) == [5, 4]
    assert ids(history.part(4, 2, newest_first=True)) == [1]


def test_new_events_do_not_shift_a_page_that_is_read_backwards() -> None:
    history = filled(4)
    first = history.part(0, 2, newest_first=True, until=4)
    history.append("PassStateExited", 4)
    assert ids(first + history.part(2, 2, newest_first=True, until=4)) == [4, 3, 2, 1]


def test_an_event_follows_the_one_before_it_on_its_trail() -> None:
    history, trail = History(), Trail()
    pen = Pen(history, lambda: None)
    for kind in ("A", "B"):
        pen.add_event(trail, kind)
    pen.add_event(Trail(1), "C")
    assert [event["previousEventId"] for event in history.part(0, 9)] == [0, 1, 1]


def test_nothing_is_written_after_the_last_event() -> None:
    history = History()
    pen = Pen(history, lambda: None)
    pen.close("ExecutionAborted", 0)
    pen.add_event(Trail(), "TaskFailed")
    pen.close("ExecutionFailed", 0)
    assert [event["type"] for event in history.part(0, 9)] == ["ExecutionAborted"]


def test_an_abandoned_trail_writes_nothing() -> None:
    history, trail = History(), Trail()
    trail.abandoned = True
    Pen(history, lambda: None).add_event(trail, "TaskSucceeded")
    assert len(history) == 0


def test_the_last_place_is_kept_for_the_last_event() -> None:
    history, full = filled(EVENT_LIMIT - 1), []
    pen = Pen(history, lambda: full.append(True))
    pen.add_event(Trail(), "PassStateEntered")
    pen.close("ExecutionFailed", 0)
    assert (full, len(history)) == ([True], EVENT_LIMIT)


def test_details_without_a_value_are_left_out() -> None:
    history = History()
    history.append("ExecutionAborted", 0, {"executionAbortedEventDetails": {"error": None, "cause": "c"}})
    assert history.part(0, 1)[0]["executionAbortedEventDetails"] == {"cause": "c"}
