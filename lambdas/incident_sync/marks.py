"""What is written about an incident into the two tables: the parts of one transaction each. Pure.

An item is written on condition that it is what was read, and an incident on condition that it says what was read: of
two who work the same, one is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from incident_sync.fields import KEY, MARK, Fields
from incident_sync.incidents import Item, seen
from incident_sync.items import FAILED, INGESTION, PERSON, REMOVED, SYNC, WRITTEN, Entry, Work, item_id
from incident_sync.values import AttributeValue

ATTEMPTS_MAX = 5
"""Failed attempts at one change, after which it waits for a person."""

KEEP_SECONDS = 2 * 24 * 3600
"""How long the item of a removed incident is remembered: longer than a stream remembers a change (24 hours), so that a
late record finds what it must be compared with."""

REASON_MAX_CHARACTERS = 500

SEARCHABLE = ("synced", "synced_at", "searchable", "searchable_at", "job_id")
"""The parts of an incident's mark that its confirmation reads and writes."""

Part = dict[str, Any]
Values = Mapping[str, AttributeValue]


class Marks:
    """Makes transactions for these tables. Times are ISO 8601 as the tables have them."""

    def __init__(self, incidents: str, items: str) -> None:
        self._incidents = incidents
        self._items = items

    def written(self, entry: Entry, incident: Item, fields: Fields, *, work: Work, at: str, key: str) -> list[Part]:
        """Both objects are written; `key` is the document's."""
        mark: Mapping[str, bool | str] = {"synced": True, "searchable": False, "synced_at": at, "object": key}
        return [self._says(incident, fields, mark), self._worked(entry, WRITTEN, work, at)]

    def removed(self, entry: Entry, incident: Item | None, fields: Fields, *, work: Work, at: str) -> list[Part]:
        """Both objects are gone, because the incident is open again or gone itself."""
        if incident is None:
            first = self._gone(entry.incident_id)
        else:
            first = self._says(incident, fields, {"synced": False, "searchable": False, "removed_at": at})
        return [first, self._worked(entry, REMOVED, work, at)]

    def failed(self, entry: Entry, reason: str, *, work: Work, at: str, for_good: bool) -> list[Part]:
        """An attempt at writing or removing failed; with `for_good` another cannot help."""
        return [self._item(entry, _charged(entry, reason, at, for_good) | _stamp(work, FAILED))]

    def covered(self, entry: Entry, *, job: str, run: str, at: str) -> list[Part]:
        """The document can be found. Only the mark that speaks of the version that the job has read is extended."""
        names = {"#key": KEY, "#mark": MARK} | {f"#{name}": name for name in SEARCHABLE}
        first = {
            "TableName": self._incidents,
            "Key": {KEY: {"S": entry.incident_id}},
            "UpdateExpression": "SET #mark.#searchable = :true, #mark.#searchable_at = :at, #mark.#job_id = :job",
            "ConditionExpression": "attribute_exists(#key) AND #mark.#synced = :true AND #mark.#synced_at = :since",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {
                ":true": {"BOOL": True},
                ":at": {"S": at},
                ":job": {"S": job},
                ":since": {"S": entry.since or ""},
            },
        }
        settled = {"job": {"S": job}, "confirmed": {"S": run}}
        return [{"Update": first}, self._item(entry, settled, ("waits_for", "since", "attempts", "reason"))]

    def left(self, entry: Entry, *, job: str, run: str, now: float) -> list[Part]:
        """Nobody finds the document any more. The item may be forgotten after a while."""
        settled = {"job": {"S": job}, "confirmed": {"S": run}, "expiresAt": {"N": str(int(now) + KEEP_SECONDS)}}
        return [self._item(entry, settled, ("waits_for", "since", "attempts", "reason"))]

    def failed_in_job(self, entry: Entry, reason: str, *, job: str, run: str, at: str) -> list[Part]:
        """The job did not take the document in, or did not take it away: write or remove it again."""
        charged = _charged(entry, reason, at, for_good=False)
        settled = {"made": {"S": FAILED}, "job": {"S": job}, "confirmed": {"S": run}}
        return [self._item(entry, charged | settled)]

    def lost(self, entry: Entry, *, at: str) -> list[Part]:
        """The incident does not bear the mark of what was written for it, so write or remove it again. Nobody's
        fault."""
        return [self._item(entry, {"waits_for": {"S": SYNC}, "since": {"S": at}})]

    def _worked(self, entry: Entry, made: str, work: Work, at: str) -> Part:
        """Attempts and reason stay until a job has covered it: a document that fails in each job fails five times."""
        waits = {"waits_for": {"S": INGESTION}, "since": {"S": at}}
        return self._item(entry, waits | _stamp(work, made), ("job", "confirmed", "expiresAt"))

    def _item(self, entry: Entry, values: Values, removed: Iterable[str] = ()) -> Part:
        names = {f"#{name}": name for name in (*values, *removed, "waits_for", "since", "change")}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        if removed:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in removed)
        was = {"waits_for": entry.waits_for, "since": entry.since, "change": entry.change}
        condition, before = _still({name: None if text is None else {"S": text} for name, text in was.items()}, "was_")
        update = {
            "TableName": self._items,
            "Key": {"id": {"S": item_id(entry.incident_id)}},
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()} | before,
        }
        return {"Update": update}

    def _says(self, incident: Item, fields: Fields, mark: Mapping[str, bool | str]) -> Part:
        """Mark an incident that says what was read."""
        was = {f"f{number}": value for number, value in enumerate(seen(incident, fields).values())}
        names = {f"#f{number}": name for number, name in enumerate(seen(incident, fields))}
        condition, before = _still(was, "")
        update = {
            "TableName": self._incidents,
            "Key": {KEY: incident[KEY]},
            "UpdateExpression": "SET #mark = :mark",
            "ConditionExpression": f"attribute_exists(#key) AND {condition}",
            "ExpressionAttributeNames": names | {"#key": KEY, "#mark": MARK},
            "ExpressionAttributeValues": before | {":mark": {"M": {name: _value(said) for name, said in mark.items()}}},
        }
        return {"Update": update}

    def _gone(self, incident_id: str) -> Part:
        check = {
            "TableName": self._incidents,
            "Key": {KEY: {"S": incident_id}},
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": KEY},
        }
        return {"ConditionCheck": check}


def is_set_aside(entry: Entry, *, for_good: bool = False) -> bool:
    """Whether one failure more makes it wait for a person."""
    return for_good or entry.attempts + 1 >= ATTEMPTS_MAX


def shortened(reason: str) -> str:
    """A reason as an item holds it: people read it, and a page of the index carries many."""
    return reason if len(reason) <= REASON_MAX_CHARACTERS else reason[: REASON_MAX_CHARACTERS - 3] + "..."


def _still(was: Mapping[str, AttributeValue | None], prefix: str) -> tuple[str, dict[str, AttributeValue]]:
    """A condition that each attribute is what it was, absent where it is None, and the values that it names."""
    terms, values = [], {}
    for name, value in was.items():
        if value is None:
            terms.append(f"attribute_not_exists(#{name})")
        else:
            terms.append(f"#{name} = :{prefix}{name}")
            values[f":{prefix}{name}"] = value
    return " AND ".join(terms), values


def _stamp(work: Work, made: str) -> dict[str, AttributeValue]:
    return {"run": {"S": work.run}, "pass": {"N": str(work.number)}, "made": {"S": made}}


def _charged(entry: Entry, reason: str, at: str, for_good: bool) -> dict[str, AttributeValue]:
    """One attempt more, at the end of the queue, so that what fails keeps nobody waiting."""
    return {
        "waits_for": {"S": PERSON if is_set_aside(entry, for_good=for_good) else SYNC},
        "since": {"S": at},
        "attempts": {"N": str(entry.attempts + 1)},
        "reason": {"S": shortened(reason)},
    }


def _value(said: bool | str) -> AttributeValue:
    return {"BOOL": said} if isinstance(said, bool) else {"S": said}
