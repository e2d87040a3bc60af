from __future__ import annotations

from millrace.syncs import FailedJob, SyncItem, Syncs
from tests.fakes.operator.aws import FakeDynamoDB

KEY = "KB12345678/DS12345678"


def test_the_item_is_read_as_the_contract_spells_it() -> None:
    dynamodb = FakeDynamoDB()
    failure = {"job": {"S": "J0"}, "at": {"S": "2025-10-05T12:00:00Z"}, "result": {"S": "{}"}}
    dynamodb.syncs[KEY] = {
        "requested": {"N": "7"},
        "completed": {"N": "4"},
        "givenUp": {"N": "0"},
        "fence": {"N": "9"},
        "owner": {"S": "arn"},
        "job": {"S": "J2"},
        "covers": {"N": "6"},
        "startedAt": {"S": "2025-10-05T12:01:00Z"},
        "pendingSince": {"S": "2025-10-05T11:58:00Z"},
        "last": {"M": {"job": {"S": "J1"}, "covers": {"N": "4"}, "result": {"S": "{}"}, "at": {"S": "x"}}},
        "lastFailure": {"M": failure},
    }
    assert Syncs(dynamodb, "millrace-sync").get(KEY) == SyncItem(
        key=KEY,
        requested=7,
        completed=4,
        owner="arn",
        job="J2",
        covers=6,
        pending_since="2025-10-05T11:58:00Z",
        last_job="J1",
        last_failure=FailedJob("J0", "2025-10-05T12:00:00Z", "{}"),
    )


def test_of_what_was_never_asked_for_nothing_is_pending() -> None:
    found = Syncs(FakeDynamoDB(), "millrace-sync").get(KEY)
    assert (found.requested, found.pending, found.owner) == (0, 0, None)
