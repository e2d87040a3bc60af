from __future__ import annotations

from typing import Any, cast

import pytest

from millrace.local.acting import Actor
from millrace.local.ecs.logs import EVENT_BYTES_MOST, LogDriver, Stream


class Driver:
    def __init__(self) -> None:
        self.events: list[str] = []

    def put(self, _stream: Stream, lines: list[str]) -> None:
        assert lines
        self.events += lines


def events(*pieces: bytes, closed: bool = True) -> list[str]:
    driver = Driver()
    stream = Stream(cast(LogDriver, driver), Actor("s", "r", "t", "1", "r"), "g", "n", "arn")
    for piece in pieces:
        stream.write(piece)
    if closed:
        stream.close()
    return driver.events


def test_a_line_is_logged_when_it_is_whole():
    assert events(b"one\ntw", closed=False) == ["one"]
    assert events(b"one\ntw", b"o\nthree", b"\n", closed=False) == ["one", "two", "three"]


def test_what_is_left_at_the_end_is_logged_and_empty_lines_are_not():
    assert events(b"one\n\n\ntwo") == ["one", "two"]
    assert events(b"") == []


@pytest.mark.parametrize("ended", [b"\n", b""])
def test_a_line_that_is_too_long_becomes_several_events(ended):
    found = events(b"x" * EVENT_BYTES_MOST, b"y" * 10 + ended)
    assert [len(event) for event in found] == [EVENT_BYTES_MOST, 10]


def test_bytes_that_are_no_text_are_logged_as_far_as_they_are():
    assert events(b"a\xff\xfeb\n") == ["a��b"]


def test_a_line_without_an_end_is_not_kept_forever():
    driver: Any = events(*[b"x" * EVENT_BYTES_MOST] * 3, closed=False)
    assert len(driver) >= 2
