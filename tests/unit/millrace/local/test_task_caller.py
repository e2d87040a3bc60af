from __future__ import annotations

import pytest

from millrace.local.task_caller import HEADER, TaskCaller, header, task_of

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:kb-sync:"


@pytest.mark.parametrize(("name", "state"), [("one", "Mark"), ("同期-1", "Wait for it"), ("a%20b", "übergeben")])
def test_who_calls_is_read_from_the_header_as_it_was_written(name: str, state: str) -> None:
    caller = TaskCaller(EXECUTION + name, state)
    assert header(caller).isascii()
    assert task_of({HEADER: header(caller)}) == caller


def test_a_call_without_the_header_is_of_no_task() -> None:
    assert task_of({"host": "127.0.0.1"}) is None
