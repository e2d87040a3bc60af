"""The law of docs/incident_sync.md, checked from outside: by the application's table, the bucket, what each ingestion
job saw and what Retrieve answers, and not by what anybody believes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import Any

from benchmarks.incident_table import ATTRIBUTES, DATES, TEXTS, THREADS, Incident
from incident_sync.documents import METADATA_SUFFIX, SUFFIX
from tests.end_to_end.incident_stack import IncidentStack, Item

JUST_THESE = ("incident_id", "status", *TEXTS, *ATTRIBUTES, *DATES)


def expect_lawful(stack: IncidentStack, known: Collection[str]) -> None:
    """Whatever has happened to these incidents: nothing is marked that is not so."""
    _Now(stack, known).expect_marks()


def expect_settled(stack: IncidentStack, known: Collection[str]) -> None:
    """Nothing of these incidents is left to do: each closed one is found as it is, or a person can read why not, and of
    the others nothing is found."""
    now = _Now(stack, known)
    now.expect_marks()
    now.expect_nothing_waits()
    now.expect_objects()
    now.expect_found()


class _Now:
    """How things are with the incidents that are known."""

    def __init__(self, stack: IncidentStack, known: Collection[str]) -> None:
        incidents, items = stack.incidents(), stack.items()
        self._stack = stack
        self._known = sorted(known)
        self._incidents: Mapping[str, Incident] = {name: incidents[name] for name in known if name in incidents}
        self._items: Mapping[str, Item] = {name: items[name] for name in known if name in items}
        self._objects = stack.objects()
        self._jobs = {
            job["id"]: job for job in stack.instance.jobs(stack.data_source.place.data_source_id, covered=True)
        }
        keys = [mark["object"] for mark in map(_mark, self._incidents.values()) if mark.get("synced")]
        with ThreadPoolExecutor(THREADS) as pool:
            self._bodies = dict(zip(keys, pool.map(stack.body, keys), strict=True))

    def expect_marks(self) -> None:
        for name, incident in self._incidents.items():
            mark, waits_for = _mark(incident), self._items.get(name, {}).get("waits_for")
            if mark.get("synced") and waits_for != "sync" and waits_for != "person":
                assert self._bodies[mark["object"]] == said(incident), f"{name} is marked and was not written"
            if mark.get("synced"):
                assert mark["object"] + METADATA_SUFFIX in self._objects, f"{name} is marked and has no metadata"
            if mark.get("searchable"):
                self._expect_covered(name, mark, changed=waits_for is not None)

    def _expect_covered(self, name: str, mark: Mapping[str, Any], *, changed: bool) -> None:
        job = self._jobs[mark["job_id"]]
        assert job["status"] == "COMPLETE", f"{name} is searchable by a job that is {job['status']}"
        written = datetime.fromisoformat(mark["synced_at"]).timestamp()
        assert job["started"] >= written - 0.001, f"{name} is searchable by a job that began before it was written"
        if not changed:
            seen = {each["key"]: each["etag"].strip('"') for each in job["covered"]}
            for key in (mark["object"], mark["object"] + METADATA_SUFFIX):
                assert seen.get(key) == self._objects[key], f"{key} is not what {mark['job_id']} has seen"

    def expect_nothing_waits(self) -> None:
        for name in self._known:
            item = self._items.get(name, {})
            waits_for = item.get("waits_for")
            assert waits_for in (None, "person"), f"{name} still waits for {waits_for}: {item}"
            assert waits_for is None or item["reason"], f"nobody can read why {name} waits"

    def expect_objects(self) -> None:
        """Both objects of what is marked, and none of what is not."""
        marked = {mark["object"] for mark in map(_mark, self._incidents.values()) if mark.get("synced")}
        ours = {key for key in self._objects if self._incident_of(key) in self._known}
        assert ours == marked | {key + METADATA_SUFFIX for key in marked}

    def _incident_of(self, key: str) -> str:
        return key.removeprefix(self._stack.prefix).removesuffix(METADATA_SUFFIX).removesuffix(SUFFIX)

    def expect_found(self) -> None:
        asked = {name for name, item in self._items.items() if item.get("waits_for") != "person"}
        closed = {name for name in asked if self._incidents.get(name, {}).get("status") == "CLOSED"}
        for name in closed:
            assert _mark(self._incidents[name]).get("searchable"), f"{name} is not marked: {self._incidents[name]}"
        assert self._stack.searchable(*sorted(asked)) == closed


def said(incident: Incident) -> dict[str, Any]:
    """What an incident's object has to say."""
    return {name: _shown(incident[name]) for name in JUST_THESE if name in incident}


def _shown(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _mark(incident: Incident) -> Mapping[str, Any]:
    return incident.get("kb_sync_status", {})
