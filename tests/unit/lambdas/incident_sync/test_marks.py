from __future__ import annotations

from typing import Any

from incident_sync.fields import FIELDS_MAX, NAME_MAX_CHARACTERS, Fields
from incident_sync.items import SYNC, Entry, Work
from incident_sync.marks import KEEP_SECONDS, REASON_MAX_CHARACTERS, Marks
from incident_sync.memory import Memory
from tests.fakes.incidents import FIELDS, INCIDENTS, ITEMS, closed, tables

EXPRESSION_MAX_BYTES = 4096
"""DynamoDB developer guide, "Service, account, and table quotas"."""

MARKS = Marks(INCIDENTS, ITEMS)
ENTRY = Entry("INC-1", SYNC, "2025-10-05T12:00:00.000Z", "0001")
WORK = Work("run", 1)
NOW = "2025-10-05T13:00:00.000Z"


def test_a_condition_on_as_many_fields_as_there_may_be_is_short_enough() -> None:
    names = [f"{number:03}".ljust(NAME_MAX_CHARACTERS, "x") for number in range(FIELDS_MAX - 1)]
    fields = Fields(tuple(names), (), ())
    for incident in (closed("INC-1"), closed("INC-1", **{name: {"S": "text"} for name in names})):
        first, _ = MARKS.written(ENTRY, incident, fields, work=WORK, at=NOW, key="key")
        assert len(first["Update"]["ConditionExpression"]) < EXPRESSION_MAX_BYTES


def test_a_field_that_is_not_there_must_not_have_come() -> None:
    first, _ = MARKS.written(ENTRY, closed("INC-1"), FIELDS, work=WORK, at=NOW, key="key")
    condition, names = first["Update"]["ConditionExpression"], first["Update"]["ExpressionAttributeNames"]
    (alias,) = (alias for alias, name in names.items() if name == "description")
    assert f"attribute_not_exists({alias})" in condition


def test_a_mark_makes_no_incident_that_is_not_there() -> None:
    for mark in (
        MARKS.written(ENTRY, closed("INC-1"), FIELDS, work=WORK, at=NOW, key="key"),
        MARKS.removed(ENTRY, {"incident_id": {"S": "INC-1"}}, FIELDS, work=WORK, at=NOW),
        MARKS.covered(ENTRY, job="JOB1", run="run", at=NOW),
    ):
        assert mark[0]["Update"]["ConditionExpression"].startswith("attribute_exists(#key) AND ")


def test_a_long_reason_is_shortened() -> None:
    (part,) = MARKS.failed(ENTRY, "x" * 10_000, work=WORK, at=NOW, for_good=False)
    values: dict[str, Any] = part["Update"]["ExpressionAttributeValues"]
    assert values[":reason"]["S"] == "x" * (REASON_MAX_CHARACTERS - 3) + "..."


def test_what_a_run_remembers_is_forgotten_two_days_later() -> None:
    memory = Memory(client := tables(), ITEMS)
    memory.note("pass/run", {"pass": 1}, 1_000.5)
    assert memory.recall("pass/run") == {"pass": 1}
    assert client.tables[ITEMS].items["pass/run"]["expiresAt"] == {"N": str(1_000 + KEEP_SECONDS)}
    assert memory.recall("pass/other") is None
