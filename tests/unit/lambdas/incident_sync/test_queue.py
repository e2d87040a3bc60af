from __future__ import annotations

from typing import Any

import pytest

from incident_sync.items import INGESTION, PERSON, SYNC, Entry, Work
from incident_sync.queue import Place, Queue
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.incidents import ITEMS, tables


def item(number: int, waits_for: str = SYNC, **values: Any) -> dict[str, Any]:
    texts = {"id": f"incident/INC-{number:03}", "incident_id": f"INC-{number:03}", "waits_for": waits_for}
    return {name: {"S": text} for name, text in texts.items()} | {"since": {"S": since(number)}} | values


def since(number: int) -> str:
    return f"2025-10-05T12:00:{number:02}.000Z"


LATER = "2025-10-06T00:00:00.000Z"


@pytest.fixture
def client() -> FakeDynamoDB:
    return tables()


def put(client: FakeDynamoDB, *items: dict[str, Any]) -> None:
    for each in items:
        client.put_item(TableName=ITEMS, Item=each)


def test_the_longest_waiting_come_first_and_no_others(client: FakeDynamoDB) -> None:
    put(client, *(item(number) for number in (3, 1, 2)), item(0, INGESTION), item(4, PERSON))
    page = Queue(client, ITEMS).page(SYNC, before=LATER, limit=50)
    assert [entry.incident_id for entry in page.entries] == ["INC-001", "INC-002", "INC-003"]
    assert page.after is None


def test_what_began_to_wait_at_the_moment_or_later_is_left(client: FakeDynamoDB) -> None:
    put(client, *(item(number) for number in range(5)))
    page = Queue(client, ITEMS).page(SYNC, before=since(3), limit=50)
    assert [entry.incident_id for entry in page.entries] == ["INC-000", "INC-001", "INC-002"]


def test_pages_follow_each_other_and_the_limit_counts_what_is_given(client: FakeDynamoDB) -> None:
    put(client, *(item(number) for number in range(5)))
    queue, found, after = Queue(client, ITEMS), [], None
    for length in (2, 2, 1):
        page = queue.page(SYNC, before=LATER, limit=2, after=after)
        assert len(page.entries) == length
        found += [entry.incident_id for entry in page.entries]
        after = page.after
    assert after is None
    assert found == [f"INC-{number:03}" for number in range(5)]


def test_a_full_page_may_be_the_last_one(client: FakeDynamoDB) -> None:
    put(client, item(1), item(2))
    queue = Queue(client, ITEMS)
    page = queue.page(SYNC, before=LATER, limit=2)
    assert page.after == Place(since(2), "INC-002")
    assert not queue.is_waiting(SYNC, before=LATER, after=page.after)
    put(client, item(3))
    assert queue.is_waiting(SYNC, before=LATER, after=page.after)
    assert not queue.is_waiting(SYNC, before=since(3), after=page.after)


def test_all_that_wait_are_counted_however_many_pages_that_takes(client: FakeDynamoDB) -> None:
    client.page_max = 2
    put(client, *(item(number, PERSON) for number in range(5)), item(6))
    assert Queue(client, ITEMS).count(PERSON) == 5
    assert Queue(client, ITEMS).count(INGESTION) == 0


def test_an_entry_says_what_its_item_says(client: FakeDynamoDB) -> None:
    texts = {"change": "0042", "made": "failed", "job": "JOB1", "run": "nightly", "confirmed": "hourly"}
    numbers = {"attempts": {"N": "2"}, "pass": {"N": "7"}}
    put(client, item(1, **numbers, **{name: {"S": text} for name, text in texts.items()}))
    (entry,) = Queue(client, ITEMS).page(SYNC, before=LATER, limit=1).entries
    assert entry == Entry(
        "INC-001", SYNC, since(1), "0042", 2, Work("nightly", 7), "failed", job="JOB1", confirmed="hourly"
    )
