"""Passes of `incident-kb-batch-sync` without the state machine (docs/incident_sync.md, "Functions")."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from millrace.backlog import timestamp
from millrace.errors import FunctionFailed, MillraceError
from millrace.executions.incident_outcome import SyncCounts
from millrace.functions import call
from millrace.mcp_server.waiting import Wait

SECONDS_BETWEEN_TRIES = 5.0
MOST_TRIES = 5
"""Of a pass whose stores are not available."""
NOTHING_YET = SyncCounts(synced=0, removed=0, failed=0, set_aside=0, overtaken=0, passes=0, more=True)


class PassBusy(Exception):
    """Another pass runs: one runs at a time."""


class StoreUnavailable(Exception):
    """A table or the bucket does not answer, or may not be used; the function says which."""


class PassFailed(MillraceError):
    """The function failed otherwise, or too often; the message says how."""


_WAITED_OUT: Mapping[str, type[Exception]] = {each.__name__: each for each in (PassBusy, StoreUnavailable)}


class Worked(NamedTuple):
    """What all passes so far have done, and the HTTP status of the last Invoke."""

    counts: SyncCounts
    status_code: int


class BatchSync:
    """The function; `client` is Lambda's, made with functions.INVOKE_SETTINGS."""

    def __init__(self, client: Any, function: str) -> None:
        self._client = client
        self.function = function

    def begin(self, run: str, started_at: str) -> int:
        """Let Lambda work one pass, whenever it does; the HTTP status."""
        event = json.dumps(_event(run, 1, started_at)).encode()
        said = self._client.invoke(FunctionName=self.function, InvocationType="Event", Payload=event)
        return int(said["StatusCode"])

    def work(self, run: str, number: int, started_at: str) -> Worked:
        """Work a pass to its end. Sent again, a pass that has ended is answered with what it did.

        Raises PassBusy, StoreUnavailable, PassFailed.
        """
        try:
            answer = call(self._client, self.function, _event(run, number, started_at))
        except ClientError as error:
            if error.response["Error"]["Code"] == "TooManyRequestsException":
                raise PassBusy from error
            raise
        except FunctionFailed as failed:
            raise _failure(failed) from failed
        return Worked(SyncCounts.of({**answer.said, "passes": 1}), answer.status_code)


def passes(batch: BatchSync, run: str, started_at: str, wait: Wait) -> Iterator[Worked]:
    """Work pass after pass while there is more. Waits while another's pass runs. Raises PassFailed."""
    total = NOTHING_YET
    for number in count(1):
        wait.running = _going_on(batch.function, number, total)
        worked = _patiently(batch, run, number, started_at, wait)
        total += worked.counts
        yield Worked(total, worked.status_code)
        if not total.more:
            return


def moment(here: datetime, there: str) -> str:
    """The time for `startedAt`: this machine's, unless AWS's is another (a Date header, which is in whole seconds).

    With a clock that is slow, a run would leave out what has just changed; with one that is fast, it would take what
    failed in one of its passes again in the next.
    """
    begins = parsedate_to_datetime(there)
    ends = begins + timedelta(milliseconds=999)
    return timestamp(min(max(here.astimezone(UTC), begins), ends))


def _patiently(batch: BatchSync, run: str, number: int, started_at: str, wait: Wait) -> Worked:
    tries = 0
    while True:
        wait.go_on()
        try:
            return batch.work(run, number, started_at)
        except PassBusy:
            wait.say(f"pass {number}: another pass runs, and one runs at a time; waiting for its end")
        except StoreUnavailable as error:
            tries += 1
            if tries == MOST_TRIES:
                raise PassFailed(
                    f"pass {number} of {batch.function} could not be done in {tries} tries: {error}; nothing is lost, "
                    "what waits is synced by a later call or by the next scheduled run"
                ) from error
            wait.say(f"pass {number}: {error}; trying again")
        wait.sleep(SECONDS_BETWEEN_TRIES)


def _going_on(function: str, number: int, total: SyncCounts) -> str:
    done = f"{total}" if total.passes else "nothing is counted yet"
    return (
        f"pass {number} may go on in {function}, and no further one begins ({done}); what waits still is told by the "
        "tool kb_sync_status, or by: millrace incidents list --waiting"
    )


def _failure(failed: FunctionFailed) -> Exception:
    if waited_out := _WAITED_OUT.get(failed.error):
        return waited_out(failed.reason)
    return PassFailed(
        f"{failed.function} failed ({failed.error}: {failed.reason}); nothing is lost, what it had not marked still "
        f"waits, so it is safe to call again; the function's log is /aws/lambda/{failed.function}"
    )


def _event(run: str, number: int, started_at: str) -> dict[str, Any]:
    return {"run": run, "pass": number, "startedAt": started_at}
