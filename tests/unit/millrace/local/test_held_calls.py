from __future__ import annotations

import asyncio

import pytest

from millrace.local.held_calls import HeldCalls, NotHeld


class Caller:
    """Makes one call after the other, each as it is told."""

    def __init__(self, held: HeldCalls[str]) -> None:
        self._held = held
        self.made: list[tuple[str, list[str]]] = []

    async def call(self, name: str) -> None:
        async with self._held.until_told({"action": name}) as told:
            await asyncio.sleep(0)
            self.made.append((name, told))


def test_a_held_call_is_made_when_it_is_let_go_and_as_it_is_told() -> None:
    async def scenario() -> None:
        held: HeldCalls[str] = HeldCalls()
        caller = Caller(held)
        tasks = [asyncio.create_task(caller.call(name)) for name in ("first", "second")]
        await asyncio.sleep(0)
        assert held.all() == [{"id": 1, "action": "first"}, {"id": 2, "action": "second"}]
        assert caller.made == []
        await held.let_go(2, ["fail"])
        assert caller.made == [("second", ["fail"])]
        await held.let_go(1, [])
        assert caller.made[1:] == [("first", [])]
        assert held.all() == []
        await asyncio.gather(*tasks)

    asyncio.run(scenario())


def test_all_are_let_go_without_trouble() -> None:
    async def scenario() -> list[tuple[str, list[str]]]:
        held: HeldCalls[str] = HeldCalls()
        caller = Caller(held)
        tasks = [asyncio.create_task(caller.call(name)) for name in ("first", "second")]
        await asyncio.sleep(0)
        held.let_all_go()
        await asyncio.gather(*tasks)
        return caller.made

    assert asyncio.run(scenario()) == [("first", []), ("second", [])]


def test_a_call_that_is_not_held_cannot_be_let_go() -> None:
    with pytest.raises(NotHeld, match="no call 7"):
        asyncio.run(HeldCalls[str]().let_go(7, []))


def test_a_call_whose_caller_has_gone_is_held_no_more() -> None:
    async def scenario() -> None:
        held: HeldCalls[str] = HeldCalls()
        task = asyncio.create_task(Caller(held).call("first"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert held.all() == []

    asyncio.run(scenario())
