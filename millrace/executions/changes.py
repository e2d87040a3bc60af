"""What changed between two views of the same execution, for scripts and for plain terminals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from millrace.executions.view import MapProgress, Requests, RunView, Status, Step


@dataclass(frozen=True)
class Change:
    """A top-level state's new situation. `turn` counts visits from 1; `seconds` is None while it runs."""

    state: str
    kind: str
    status: Status
    turn: int
    at: datetime
    seconds: float | None
    retries: int
    error: str | None
    cause: str | None
    map: MapProgress | None
    requests: Requests | None

    def as_dict(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": "state",
            "state": self.state,
            "status": str(self.status),
            "turn": self.turn,
            "at": self.at.isoformat(),
            "seconds": self.seconds,
            "retries": self.retries,
        }
        if self.error:
            document |= {"error": self.error, "cause": self.cause}
        if self.map:
            document["map"] = {**vars(self.map), "running": self.map.running}
        if self.requests:
            document["requests"] = vars(self.requests)
        return document


def changes(before: RunView | None, after: RunView) -> list[Change]:
    """The changed visits of the top level, oldest first; one that began and ended in between comes once."""
    known = dict(_situations(before)) if before else {}
    return [change for key, change in _situations(after) if known.get(key) != change]


def _situations(view: RunView) -> list[tuple[int, Change]]:
    found = [(visit.number, _change(step, turn)) for step in view.steps() for turn, visit in enumerate(step.visits, 1)]
    return sorted(found, key=lambda item: item[0])


def _change(step: Step, turn: int) -> Change:
    visit = step.visits[turn - 1]
    return Change(
        state=visit.name,
        kind=visit.kind,
        status=visit.status,
        turn=turn,
        at=visit.exited or visit.entered,
        seconds=round(visit.seconds(visit.exited), 3) if visit.exited else None,
        retries=visit.retries,
        error=visit.error,
        cause=visit.cause,
        map=visit.map,
        requests=visit.requests,
    )
