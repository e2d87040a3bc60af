"""How far a job's queues are, beside what the history says: the state that waits for them says nothing meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from millrace.executions.outcome import manifest_in
from millrace.executions.view import Requests, RunView, Visit

WAITING = "ProcessBatches"  # a Task in the queue option, which waits for its token; a Map in the other
COUNTER = "counter"


class Progress:
    """The progress table (docs/architecture.md, "The queue option")."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def requests(self, job_id: str, run: str) -> Requests | None:
        """How many of the run's requests are accounted for; None before and long after that is counted."""
        key = {"job": {"S": f"{job_id}/{run}"}, "part": {"S": COUNTER}}
        said = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {})
        if "expected" not in said:
            return None
        return Requests(int(said.get("done", {"N": "0"})["N"]), int(said["expected"]["N"]))


class Counting:
    """Counts for the views of one execution. Of a state that has ended it asks once more, and then it knows."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._final: dict[datetime, Requests | None] = {}  # by the time of the end: a redrive may end it again

    def __call__(self, view: RunView) -> Requests | None:
        visit = _waiting(view)
        if visit is None:
            return None
        ended = visit.exited
        if ended is None or ended not in self._final:
            manifest = manifest_in(view)
            found = self._progress.requests(manifest["jobId"], manifest["run"])
            if ended is None:
                return found
            self._final[ended] = found
        return self._final[ended]


def shown(view: RunView, requests: Requests | None) -> RunView:
    """The view with the requests at the state that waits for them."""
    if requests is None:
        return view
    waiting = _waiting(view)
    visits = [replace(visit, requests=requests) if visit is waiting else visit for visit in view.visits]
    return replace(view, visits=visits)


def _waiting(view: RunView) -> Visit | None:
    """The last visit to the state that waits, or has waited, for the queues."""
    visits = (visit for visit in reversed(view.visits) if visit.name == WAITING and visit.kind == "Task")
    return next(visits, None)
