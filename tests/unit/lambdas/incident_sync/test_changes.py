"""The stream's function on a table whose conditions are really evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_sync import changes
from incident_sync.changes import take_in
from incident_sync.errors import ConfigurationInvalid, EventInvalid
from incident_sync.fields import Fields
from incident_sync.intake import Intake
from incident_sync.records import of_record
from shared.stream_records import answer
from tests.fakes.clock import FakeClock
from tests.fakes.lambda_context import FakeLambdaContext

TABLE = "millrace-incident-sync"
FIELDS = Fields(("title",), (), ())
NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
SYNCED = {"M": {"synced": {"BOOL": True}}}

Item = dict[str, Any]
Record = dict[str, Any]


def closed(title: str = "Disk full", **attributes: Any) -> Item:
    return {"status": {"S": "CLOSED"}, "title": {"S": title}} | attributes


def opened(title: str = "Disk full", **attributes: Any) -> Item:
    return closed(title, **attributes) | {"status": {"S": "OPEN"}}


def sequence(number: int) -> str:
    return f"4959000000000000000{number}"


def record(number: int, before: Item | None, now: Item | None, incident_id: str = "INC-1") -> Record:
    """The record with this place in the stream. `before` and `now` are without the key."""
    key = {"incident_id": {"S": incident_id}}
    told: dict[str, Any] = {
        "Keys": key,
        "SequenceNumber": sequence(number),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if before is not None:
        told["OldImage"] = key | before
    if now is not None:
        told["NewImage"] = key | now
    name = "INSERT" if before is None else "REMOVE" if now is None else "MODIFY"
    return {"eventID": f"event-{number}", "eventName": name, "dynamodb": told}


class Table:
    """The table of what waits, and the function in front of it."""

    def __init__(self, client: Any) -> None:
        self.client = client
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )

    def clear(self) -> None:
        for item in self.client.scan(TableName=TABLE)["Items"]:
            self.client.delete_item(TableName=TABLE, Key={"id": item["id"]})

    def deliver(self, *records: Record, now: datetime = NOW) -> dict[str, Any]:
        intake = Intake(self.client, TABLE, clock=FakeClock(), random=lambda: 1.0)
        return answer(take_in(records, fields=FIELDS, intake=intake, now=now))

    def work(self, **attributes: Any) -> None:
        """What others do to the item of INC-1: it waits for nothing, or for what `attributes` say."""
        item = self.item() or {"id": {"S": "incident/INC-1"}}
        for name in ("waits_for", "since"):
            item.pop(name, None)
        self.client.put_item(TableName=TABLE, Item=item | attributes)

    def item(self, incident_id: str = "INC-1") -> Item | None:
        return self.client.get_item(TableName=TABLE, Key={"id": {"S": f"incident/{incident_id}"}}).get("Item")

    def change(self, incident_id: str = "INC-1") -> str | None:
        item = self.item(incident_id)
        return item["change"]["S"].lstrip("0") if item else None


@pytest.fixture(scope="module")
def tables(dynamodb_client: Any) -> Table:
    return Table(dynamodb_client)


@pytest.fixture
def table(tables: Table) -> Table:
    tables.clear()
    return tables


@pytest.fixture(autouse=True)
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")


def test_a_closed_incident_waits_for_its_sync(table: Table) -> None:
    assert table.deliver(record(1, opened(), closed())) == {"batchItemFailures": []}
    assert table.item() == {
        "id": {"S": "incident/INC-1"},
        "incident_id": {"S": "INC-1"},
        "waits_for": {"S": "sync"},
        "since": {"S": "2026-11-22T13:00:00.000Z"},
        "change": {"S": sequence(1).zfill(40)},
    }


def test_a_change_begins_anew_whatever_became_of_the_one_before(table: Table) -> None:
    table.deliver(record(1, None, closed()))
    table.work(
        waits_for={"S": "person"},
        since={"S": "2026-11-22T13:01:00.000Z"},
        attempts={"N": "5"},
        reason={"S": "title is a map"},
        expiresAt={"N": "1795000000"},
        made={"S": "failed"},
        run={"S": "run-1"},
    )
    table.deliver(record(2, closed(), closed("Disk was full")), now=LATER)
    assert table.item() == {
        "id": {"S": "incident/INC-1"},
        "incident_id": {"S": "INC-1"},
        "waits_for": {"S": "sync"},
        "since": {"S": "2026-11-22T13:05:00.000Z"},
        "change": {"S": sequence(2).zfill(40)},
        "made": {"S": "failed"},
        "run": {"S": "run-1"},
    }


@pytest.mark.parametrize("now", [opened(), None])
def test_an_incident_that_leaves_waits_only_if_it_was_ever_there(table: Table, now: Item | None) -> None:
    table.deliver(record(2, closed(), now))
    assert table.item() is None
    table.deliver(record(1, None, closed()))
    table.work()
    table.deliver(record(2, closed(), now))
    assert (table.item() or {})["waits_for"] == {"S": "sync"}
    assert table.change() == sequence(2)


def test_a_removal_that_millrace_has_marked_is_not_asked_for_again(table: Table) -> None:
    table.deliver(record(1, None, closed()))
    table.deliver(record(2, closed(kb_sync_status=SYNCED), opened(kb_sync_status=SYNCED)))
    table.work()
    removed = {"M": {"synced": {"BOOL": False}, "removed_at": {"S": "2026-11-22T13:00:00.000Z"}}}
    table.deliver(record(3, opened(kb_sync_status=SYNCED), opened(kb_sync_status=removed)))
    assert "waits_for" not in (table.item() or {})


@pytest.mark.parametrize("number", [1, 2])
def test_a_record_that_comes_again_or_late_changes_nothing(table: Table, number: int) -> None:
    table.deliver(record(1, None, closed()), record(2, closed(), closed("Disk")))
    table.work()
    before = table.item()
    table.deliver(record(number, None, closed()), now=LATER)
    table.deliver(record(number, closed(), None), now=LATER)
    assert table.item() == before


def test_an_item_without_a_change_takes_the_first_that_comes(table: Table) -> None:
    table.work(incident_id={"S": "INC-1"}, waits_for={"S": "sync"}, since={"S": "2026-11-22T12:00:00.000Z"})
    table.deliver(record(1, closed(), None))
    assert table.change() == sequence(1)


def test_incidents_do_not_touch_each_other(table: Table) -> None:
    table.deliver(
        record(1, None, closed(), "INC-1"), record(2, None, closed(), "INC-2"), record(3, None, opened(), "INC-3")
    )
    assert [table.change(f"INC-{number}") for number in (1, 2, 3)] == [sequence(1), sequence(2), None]


def test_an_id_that_no_object_can_have_waits_too_so_that_a_pass_tells_why(table: Table) -> None:
    table.deliver(record(1, None, closed(), "../INC 1"))
    assert (table.item("../INC 1") or {})["waits_for"] == {"S": "sync"}


def test_what_makes_no_sense_is_logged_by_its_ids_and_the_others_go_on(
    table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "the password is hunter2"
    broken = record(1, closed(secret), closed(secret)) | {"eventName": "RENAME"}
    assert table.deliver(broken, record(2, None, closed(secret), "INC-2")) == {"batchItemFailures": []}
    assert table.item("INC-1") is None
    assert table.change("INC-2") == sequence(2)
    (refused,) = [vars(line) for line in caplog.records if line.levelname == "ERROR"]
    assert refused["keys"] == {"incident_id": {"S": "INC-1"}}
    assert (refused["event_id"], refused["sequence"]) == ("event-1", sequence(1))
    assert not any("hunter2" in str(vars(line)) for line in caplog.records)


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "told by DynamoDB"}}, "UpdateItem")


class Faulty:
    """DynamoDB that fails the calls with these numbers, from 0, and carries out the others."""

    def __init__(self, client: Any, faults: dict[int, Exception]) -> None:
        self.exceptions = client.exceptions
        self._client = client
        self._faults = faults
        self.calls = 0

    def update_item(self, **parameters: Any) -> Any:
        self.calls += 1
        if self.calls - 1 in self._faults:
            raise self._faults[self.calls - 1]
        return self._client.update_item(**parameters)


Break = Callable[..., Faulty]


@pytest.fixture
def break_calls(table: Table) -> Iterator[Break]:
    sound = table.client

    def break_calls(*numbers: int, by: Exception) -> Faulty:
        table.client = Faulty(sound, dict.fromkeys(numbers, by))
        return table.client

    yield break_calls
    table.client = sound


THREE = tuple(record(number, None, closed(), f"INC-{number}") for number in (1, 2, 3))


@pytest.mark.parametrize(
    "fault",
    [
        error("ThrottlingException"),
        error("InternalServerError"),
        error("AccessDeniedException"),
        error("ResourceNotFoundException"),
        EndpointConnectionError(endpoint_url="https://dynamodb"),
    ],
    ids=lambda fault: str(fault)[:60],
)
def test_the_first_record_that_the_table_did_not_take_is_named_and_the_rest_waits(
    table: Table, break_calls: Break, fault: Exception
) -> None:
    faulty = break_calls(1, by=fault)
    assert table.deliver(*THREE) == {"batchItemFailures": [{"itemIdentifier": sequence(2)}]}
    assert faulty.calls == 2


def test_delivered_again_from_the_one_that_failed_nothing_is_lost(table: Table, break_calls: Break) -> None:
    break_calls(1, by=error("ThrottlingException"))
    table.deliver(*THREE)
    assert table.deliver(*THREE[1:]) == {"batchItemFailures": []}
    table.client = table.client._client
    assert [table.change(f"INC-{number}") for number in (1, 2, 3)] == [sequence(1), sequence(2), sequence(3)]


def test_a_mark_that_is_just_being_written_is_waited_for(table: Table, break_calls: Break) -> None:
    faulty = break_calls(0, 1, 2, by=error("TransactionConflictException"))
    assert table.deliver(THREE[0]) == {"batchItemFailures": []}
    assert faulty.calls == 4


def test_waiting_for_marks_has_an_end(table: Table, break_calls: Break) -> None:
    break_calls(*range(100), by=error("TransactionConflictException"))
    assert table.deliver(*THREE) == {"batchItemFailures": [{"itemIdentifier": sequence(1)}]}


def test_a_stream_without_both_images_fails_the_batch_and_loses_nothing(table: Table) -> None:
    blind = record(1, None, closed())
    blind["dynamodb"]["StreamViewType"] = "KEYS_ONLY"
    with pytest.raises(ConfigurationInvalid):
        table.deliver(blind)


def test_the_handler_reads_its_settings_and_answers_like_an_event_source_mapping(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "INCIDENT_SYNC_TABLE": TABLE,
        "TEXT_FIELDS": "title",
        "ATTRIBUTE_FIELDS": "",
        "DATE_FIELDS": "",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for setting in (changes._fields, changes._intake):
        setting.cache_clear()
    event = {"Records": [record(1, None, closed())]}
    assert changes.handler(event, FakeLambdaContext()) == {"batchItemFailures": []}
    assert table.change() == sequence(1)
    for setting in (changes._fields, changes._intake):
        setting.cache_clear()


VERSIONS = st.lists(
    st.sampled_from([None, opened(), opened("Disk"), closed(), closed("Disk"), closed(kb_sync_status=SYNCED)]),
    min_size=1,
    max_size=5,
)


def history(versions: Sequence[Item | None]) -> list[Record]:
    """The records of an incident that was never there before these versions."""
    pairs = zip([None, *versions], versions, strict=False)
    return [record(number, before, now) for number, (before, now) in enumerate(pairs) if before != now]


def last_change(records: Sequence[Record]) -> str | None:
    """What the item must be at in the end: the last change that asks something, if the incident was ever closed."""
    asked = [change for change in (of_record(one, FIELDS) for one in records) if change]
    while asked and not asked[0].closed:
        asked.pop(0)
    return asked[-1].sequence.lstrip("0") if asked else None


BATCHES = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 2)), min_size=5, max_size=5)
"""How many records, and how often they are delivered."""

SHUFFLED = VERSIONS.map(history).flatmap(lambda records: st.tuples(st.just(records), st.permutations(records)))

few_or_many = pytest.mark.parametrize("examples", [15, pytest.param(500, marks=pytest.mark.soak)])


@few_or_many
def test_however_often_batches_come_again_the_last_change_stands(tables: Table, examples: int) -> None:
    @settings(max_examples=examples)
    @given(VERSIONS, BATCHES)
    def holds(versions: list[Item | None], batches: list[tuple[int, int]]) -> None:
        tables.clear()
        records = left = history(versions)
        for size, times in batches:
            for _ in range(times):
                tables.deliver(*left[:size])
            left = left[size:]
        assert tables.change() == last_change(records)

    holds()


@few_or_many
def test_in_whatever_order_records_come_an_incident_that_was_ever_closed_is_looked_at(
    tables: Table, examples: int
) -> None:
    @settings(max_examples=examples)
    @given(SHUFFLED)
    def holds(delivered: tuple[list[Record], list[Record]]) -> None:
        tables.clear()
        records, shuffled = delivered
        tables.deliver(*shuffled)
        asked = [change for change in (of_record(one, FIELDS) for one in records) if change]
        assert (tables.item() is not None) == any(change.closed for change in asked)
        if asked and asked[-1].closed:
            assert tables.change() == asked[-1].sequence.lstrip("0")
        tables.deliver(*records)
        assert tables.change() == last_change(records)

    holds()


NONSENSE = st.recursive(
    st.none() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(NONSENSE)
def test_no_record_breaks_the_decision(content: Any) -> None:
    for spoilt in (
        record(1, None, closed()) | {"dynamodb": content},
        record(1, None, closed()) | {"eventName": content},
        record(1, None, {"status": content}),
        record(1, {"kb_sync_status": {"M": content}} | closed(), closed()),
        record(1, {"title": content}, closed()),
    ):
        with suppress(EventInvalid):
            of_record(spoilt, FIELDS)
