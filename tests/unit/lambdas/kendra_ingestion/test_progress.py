from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from kendra_ingestion.errors import QueueUnavailable
from kendra_ingestion.progress import KEEP_SECONDS, Progress
from tests.fakes.clock import FakeClock
from tests.fakes.queue_option import progress_table


class Hindered:
    """The client, whose next calls are refused with these errors first."""

    def __init__(self, client: Any, *errors: Exception) -> None:
        self._client = client
        self.errors = list(errors)

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)

        def call(**parameters: Any) -> Any:
            if self.errors:
                raise self.errors.pop(0)
            return operation(**parameters)

        return call


class Table:
    """One run's progress, seen by any attempt."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.clock = FakeClock()
        self.name = progress_table(client)

    def seen_by(self, attempt: str = "attempt-1", *, run: str = "run-1", client: Any = None) -> Progress:
        return Progress(
            client or self.client,
            self.name,
            job_id="job-1",
            run=run,
            attempt=attempt,
            clock=self.clock,
            random=lambda: 1.0,
        )

    def items(self) -> dict[str, dict[str, Any]]:
        found = self.client.scan(TableName=self.name)["Items"]
        return {f"{item['job']['S']} {item['part']['S']}": item for item in found}


@pytest.fixture
def table(dynamodb_client: Any) -> Table:
    return Table(dynamodb_client)


def cancelled(*reasons: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
            "CancellationReasons": [{"Code": reason} for reason in reasons],
        },
        "TransactWriteItems",
    )


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "UpdateItem")


def test_a_run_is_complete_when_as_many_messages_are_counted_as_expected(table: Table) -> None:
    progress = table.seen_by()
    progress.open("token")
    progress.expect(2)
    assert progress.complete() is None
    progress.count(0, 0)
    assert progress.complete() is None
    progress.count(0, 1)
    assert progress.complete() == "token"


def test_a_message_that_is_counted_again_adds_nothing(table: Table) -> None:
    progress = table.seen_by()
    progress.open("token")
    progress.expect(2)
    for _ in range(3):
        progress.count(4, 7)
    assert progress.complete() is None
    assert progress.is_counted(4, 7)
    assert not progress.is_counted(7, 4)
    assert progress.counted() == {(4, 7)}


def test_a_run_without_messages_is_complete_at_once(table: Table) -> None:
    progress = table.seen_by()
    progress.open("token")
    assert progress.complete() is None
    progress.expect(0)
    assert progress.complete() == "token"


def test_what_is_counted_before_the_number_is_known_counts(table: Table) -> None:
    progress = table.seen_by()
    progress.open("token")
    progress.count(0, 0)
    assert progress.complete() is None
    progress.expect(1)
    assert progress.complete() == "token"


def test_a_later_attempt_takes_over_the_token_and_keeps_what_was_counted(table: Table) -> None:
    first, second = table.seen_by("attempt-1"), table.seen_by("attempt-2")
    first.open("token-1")
    first.expect(2)
    first.count(0, 0)
    assert first.own_token() == "token-1"
    second.open("token-2")
    assert first.own_token() is None
    assert second.own_token() == "token-2"
    second.count(0, 1)
    assert first.complete() == "token-2"


def test_nobody_waits_before_the_run_is_opened(table: Table) -> None:
    progress = table.seen_by()
    progress.count(0, 0)
    assert progress.complete() is None
    assert progress.own_token() is None


def test_runs_do_not_see_each_other(table: Table) -> None:
    one, other = table.seen_by(run="run-1"), table.seen_by(run="run-2")
    one.count(0, 0)
    one.begin_try(0, 1)
    assert other.counted() == set()
    assert not other.is_counted(0, 0)
    assert not other.was_tried(0, 1)


def test_all_that_was_counted_is_found_on_all_pages(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = table.seen_by()
    progress.open("token")
    progress.begin_try(0, 3)
    places = {(chunk, request) for chunk in (0, 12) for request in range(25)}
    for place in places:
        progress.count(*place)
    query = table.client.query
    pages = []

    def short_pages(**arguments: Any) -> Any:
        pages.append(reply := query(**arguments, Limit=7))
        return reply

    monkeypatch.setattr(table.client, "query", short_pages)
    assert progress.counted() == places
    assert len(pages) > 7


def test_a_try_is_remembered_until_it_ends(table: Table) -> None:
    progress = table.seen_by()
    assert not progress.was_tried(0, 1)
    progress.begin_try(0, 1)
    assert table.seen_by("attempt-2").was_tried(0, 1)
    progress.end_try(0, 1)
    assert not progress.was_tried(0, 1)


def test_every_item_expires(table: Table) -> None:
    progress = table.seen_by()
    progress.open("token")
    progress.expect(1)
    progress.count(0, 0)
    progress.begin_try(0, 1)
    items = table.items()
    assert set(items) == {f"job-1/run-1 {part}" for part in ("counter", "request-00000-00000", "trying-00000-00001")}
    assert {item["expiresAt"]["N"] for item in items.values()} == {str(int(table.clock.wall()) + KEEP_SECONDS)}


@pytest.mark.parametrize(
    "hindrance",
    [
        cancelled("None", "TransactionConflict"),
        cancelled("ThrottlingError", "None"),
        cancelled("None", "ProvisionedThroughputExceeded"),
        refused("TransactionInProgressException"),
        refused("ThrottlingException"),
    ],
    ids=str,
)
def test_a_count_that_collides_with_another_is_tried_again_with_jitter(table: Table, hindrance: ClientError) -> None:
    client = Hindered(table.client, *[hindrance] * 5)
    progress = table.seen_by(client=client)
    progress.count(0, 0)
    assert client.errors == []
    assert progress.is_counted(0, 0)
    assert table.clock.slept == pytest.approx(0.05 * (1 + 2 + 4 + 8 + 16))


def test_the_token_is_noted_though_a_count_comes_between(table: Table) -> None:
    client = Hindered(table.client, refused("TransactionConflictException"))
    progress = table.seen_by(client=client)
    progress.open("token")
    assert progress.own_token() == "token"


def test_counted_before_is_counted_even_where_the_counter_collides_too(table: Table) -> None:
    client = Hindered(table.client, cancelled("ConditionalCheckFailed", "TransactionConflict"))
    table.seen_by(client=client).count(0, 0)
    assert table.clock.slept == 0


def test_a_table_that_stays_busy_is_an_error_in_the_end(table: Table) -> None:
    client = Hindered(table.client, *[cancelled("None", "TransactionConflict")] * 1_000)
    with pytest.raises(QueueUnavailable, match=rf"{table.name} did not answer: .*cancelled"):
        table.seen_by(client=client).count(0, 0)
    assert table.clock.slept <= 32


@pytest.mark.parametrize(
    "hindrance", [refused("InternalServerError"), EndpointConnectionError(endpoint_url="https://dynamodb")], ids=str
)
@pytest.mark.parametrize(
    "ask",
    [
        lambda progress: progress.open("token"),
        lambda progress: progress.expect(1),
        lambda progress: progress.count(0, 0),
        lambda progress: progress.is_counted(0, 0),
        lambda progress: progress.counted(),
        lambda progress: progress.complete(),
        lambda progress: progress.own_token(),
        lambda progress: progress.begin_try(0, 0),
        lambda progress: progress.end_try(0, 0),
        lambda progress: progress.was_tried(0, 0),
    ],
)
def test_whatever_is_asked_of_a_table_that_fails_for_a_moment_is_asked_again(
    table: Table, ask: Callable[[Progress], object], hindrance: Exception
) -> None:
    client = Hindered(table.client, hindrance, hindrance)
    ask(table.seen_by(client=client))
    assert client.errors == []


def test_another_error_is_not_tried_again(table: Table) -> None:
    client = Hindered(table.client, refused("AccessDeniedException"), refused("AccessDeniedException"))
    with pytest.raises(ClientError, match="AccessDenied"):
        table.seen_by(client=client).open("token")
    assert len(client.errors) == 1
