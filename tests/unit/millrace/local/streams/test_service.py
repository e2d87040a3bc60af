from __future__ import annotations

from millrace.local.streams.service import Stream


def stream(begin: int, number: int) -> Stream:
    return Stream(begin, [{"at": begin + at} for at in range(number)])


def positions(found: Stream, position: int, most: int) -> list[int]:
    read = found.after(position, most)
    assert [at for at, _ in read] == [record["at"] for _, record in read]
    return [at for at, _ in read]


def test_a_stream_is_read_from_a_position_on() -> None:
    assert positions(stream(5, 4), 6, 2) == [6, 7]
    assert stream(5, 4).end == 9


def test_a_position_that_is_gone_goes_on_with_the_oldest_record_that_is_left() -> None:
    assert positions(stream(5, 2), 0, 10) == [5, 6]


def test_at_the_end_there_is_nothing() -> None:
    assert positions(stream(5, 2), 7, 10) == []
