"""What has to hold of a key (docs/kb_sync.md), checked on what is really there.

* Broken    an invariant does not hold; `invariant` is its name
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

S1 = "S1"
"""`completed` never passes what COMPLETE jobs really cover, and nobody is told so."""
S2 = "S2"
"""`completed` never goes back and never passes `requested`."""
S3 = "S3"
"""Own jobs are at most as many as requests and faults."""
S4 = "S4"
"""One owner with a valid fence, never two own jobs at once."""
L1 = "L1"
"""Once faults stop, everything is covered and no live owner remains."""
ENDS = "ENDS"
"""An execution ends as the contract says, whatever goes wrong."""

STATUSES = {"covered", "coalesced", "superseded", "handed over", "nothing pending"}
OWN_ERRORS = {"JobFailed", "NotCovered", "StillWaiting", "InputInvalid"}
SERVICES = ("BedrockAgent.", "DynamoDB.", "StepFunctions.")
OWNERS_ATTRIBUTES = (
    "owner",
    "fence",
    "job",
    "covers",
    "startedAt",
    "completed",
    "givenUp",
    "reason",
    "snapshotAt",
    "last",
    "lastFailure",
)
"""What nobody but the owner writes."""


class Broken(AssertionError):
    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


@dataclass(frozen=True)
class Item:
    """The item as DynamoDB has it; {} while there is none."""

    attributes: Mapping[str, Any]

    def number(self, name: str) -> int:
        return int(self.attributes[name]["N"]) if name in self.attributes else 0

    @property
    def owner(self) -> str | None:
        return self.attributes["owner"]["S"] if "owner" in self.attributes else None

    @property
    def pending(self) -> bool:
        return self.number("requested") > self.number("completed")


@dataclass(frozen=True)
class Write:
    """A call that may have changed the item: by which execution, in which state, and its request's body."""

    execution: str
    state: str
    body: str

    @property
    def fence(self) -> int | None:
        """The fence on whose condition it is."""
        values = json.loads(self.body).get("ExpressionAttributeValues", {}) if self.body else {}
        return int(values[":fence"]["N"]) if ":fence" in values else None


def check_numbers(before: Item, after: Item) -> None:
    """S2."""
    for name in ("requested", "completed", "fence"):
        if after.number(name) < before.number(name):
            raise Broken(S2, f"{name} went back from {before.number(name)} to {after.number(name)}")
    if after.number("completed") > after.number("requested"):
        raise Broken(S2, f"completed {after.number('completed')} passes requested {after.number('requested')}")


def check_owner(before: Item, after: Item, write: Write, *, owner_died: bool) -> None:
    """S4 of one write. `owner_died`: the owner before it has ended, or had since it became the owner."""
    who, was, now = write.execution, before.owner, after.owner
    begun = {"completed", "givenUp"} if not before.attributes else set()
    changed = {name for name in OWNERS_ATTRIBUTES if before.attributes.get(name) != after.attributes.get(name)} - begun
    if not changed:
        return
    by = f"{short(who)} in {write.state}"
    if was == who:
        if write.fence not in (None, before.number("fence")):
            raise Broken(S4, f"{by} wrote with fence {write.fence}, which is {before.number('fence')} now")
        if now not in (None, who):
            raise Broken(S4, f"{by} made {short(now)} the owner")
        return
    if now != who:
        raise Broken(S4, f"{by} wrote, and the owner is {short(was)}")
    if after.number("fence") <= before.number("fence"):
        raise Broken(S4, f"{by} became the owner without a new fence")
    if was is not None and not owner_died:
        raise Broken(S4, f"{by} took over from {short(was)}, which has run all the time since it became the owner")


def check_jobs(own: Collection[Mapping[str, Any]], *, requested: int, faults: int) -> None:
    """S3, and S4 of jobs."""
    if len(own) > requested + faults:
        raise Broken(S3, f"{len(own)} jobs for {requested} requests and {faults} faults")
    if sum(job["ended"] is None for job in own) > 1:
        raise Broken(S4, "two own jobs run at once")


def check_covered(objects: Iterable[str], jobs: Iterable[Mapping[str, Any]], said: str) -> None:
    """S1: the objects were seen by scans of jobs that are complete now."""
    seen = {each["key"] for job in jobs if job["status"] == "COMPLETE" for each in job["covered"]}
    missing = sorted(set(objects) - {key.rpartition("/")[2] for key in seen})
    if missing:
        raise Broken(S1, f"{said}, and no complete job has seen {', '.join(missing)}")


def check_end(execution: str, status: str, output: Mapping[str, Any] | None, error: str | None, *, waits: bool) -> None:
    """ENDS, of an execution that nobody stopped."""
    who = short(execution)
    if status == "SUCCEEDED":
        said = (output or {}).get("status")
        if said not in STATUSES:
            raise Broken(ENDS, f"{who} succeeded with {output}")
        if waits and said != "covered":
            raise Broken(ENDS, f"{who} waited and was told {said}")
    elif not (error in OWN_ERRORS or (error or "").startswith(SERVICES)):
        raise Broken(ENDS, f"{who} ended {status} with {error}")


def short(execution: str | None) -> str:
    return "nobody" if execution is None else execution.rpartition(":")[2]
