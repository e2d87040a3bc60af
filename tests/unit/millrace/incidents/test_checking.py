"""What a check finds, and what it repairs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product

import pytest

from incident_sync import documents, incidents, items
from millrace.incidents import checking
from millrace.incidents.checking import Checked, Fact, Finding, Kind, Stores, check, judge, repair
from millrace.incidents.waiting import WaitsFor
from tests.fakes.operator.incidents import IncidentStores

NOW = datetime(2025, 10, 5, 12, tzinfo=UTC)
WELL = Fact.CLOSED | Fact.SYNCED | Fact.REGISTERED | checking.OBJECTS


def found(there: IncidentStores) -> set[tuple[str, str]]:
    return {(finding.name, str(finding.kind)) for finding in check(there.stores).findings}


class TestJudging:
    def test_what_is_closed_written_and_there_is_well(self) -> None:
        assert judge(WELL) is None
        assert judge(Fact.NOTHING) is None
        assert judge(Fact.REGISTERED | Fact.REMOVED) is None

    @pytest.mark.parametrize(
        ("facts", "kind"),
        [
            (Fact.CLOSED, Kind.NOT_REGISTERED),
            (WELL & ~Fact.REGISTERED, Kind.NOT_REGISTERED),
            (WELL & ~Fact.SYNCED, Kind.NOT_SYNCED),
            (WELL & ~Fact.DOCUMENT, Kind.OBJECT_MISSING),
            (WELL & ~Fact.METADATA, Kind.OBJECT_MISSING),
            (WELL & ~Fact.CLOSED, Kind.NOT_REMOVED),
            (Fact.REGISTERED, Kind.NOT_REMOVED),
            (Fact.REGISTERED | Fact.REMOVED | Fact.METADATA, Kind.ORPHANED),
            (Fact.DOCUMENT, Kind.ORPHANED),
            (Fact.FOREIGN, Kind.FOREIGN),
        ],
    )
    def test_each_disagreement_has_its_kind(self, facts: Fact, kind: Kind) -> None:
        assert judge(facts) is kind

    def test_what_waits_for_a_sync_or_a_person_is_no_finding_whatever_else_is_known(self) -> None:
        for choice in product((False, True), repeat=6):
            facts = (Fact.CLOSED, Fact.SYNCED, Fact.REGISTERED, Fact.REMOVED, Fact.DOCUMENT, Fact.METADATA)
            known = [fact for fact, there in zip(facts, choice, strict=True) if there]
            together = Fact.WAITING
            for fact in known:
                together |= fact
            assert judge(together) is None


class TestChecking:
    def test_where_all_agree_there_is_no_finding(self, there: IncidentStores) -> None:
        there.written("INC-1")
        there.written("INC-2", "ingestion")
        there.incident("INC-3", "OPEN")
        there.item("INC-4", made="removed")
        there.item("INC-5", "sync")
        there.incident("INC-5")
        there.put("")
        assert check(there.stores) == Checked(closed=3, registered=4, documents=2, findings=())

    def test_every_way_to_disagree_is_found(self, there: IncidentStores) -> None:
        there.incident("never-told")
        there.incident("unmarked", synced=False)
        there.item("unmarked", made="written")
        there.written("half-there")
        there.s3.delete_object(Bucket="data", Key=f"incidents/closed/half-there{checking.METADATA}")
        there.written("reopened")
        there.incident("reopened", "OPEN", synced=True)
        there.item("deleted", made="written")
        there.objects("deleted")
        there.objects("nobodys")
        there.objects("half-an-orphan", checking.METADATA)
        there.put("notes/readme.txt")
        there.put("INC..7.json.md")
        assert found(there) == {
            ("never-told", "not-registered"),
            ("unmarked", "not-synced"),
            ("half-there", "object-missing"),
            ("reopened", "not-removed"),
            ("deleted", "not-removed"),
            ("nobodys", "orphaned"),
            ("half-an-orphan", "orphaned"),
            ("incidents/closed/notes/readme.txt", "foreign"),
            ("incidents/closed/INC..7.json.md", "foreign"),
        }

    def test_an_id_that_begins_as_another_does_is_another(self, there: IncidentStores) -> None:
        there.written("INC-1")
        there.incident("INC-1.json", synced=True)
        there.item("INC-1.json", made="written")
        assert found(there) == {("INC-1.json", "object-missing")}

    def test_what_changed_while_the_check_read_is_looked_at_again(self, there: IncidentStores) -> None:
        there.incident("INC-1")

        class Slow(Stores):
            def objects(self) -> Iterator[tuple[str, Fact]]:
                there.written("INC-1")
                return iter(())

        deployed = there.stores._deployed
        assert check(Slow(there.dynamodb, there.s3, deployed)).findings == ()

    def test_the_lease_is_no_incident(self, there: IncidentStores) -> None:
        for key in ("pass", "pass/a-run", "confirm/a-run"):
            there.dynamodb.put_item(TableName="millrace-incident-sync", Item={"id": {"S": key}, "run": {"S": "r"}})
        assert check(there.stores) == Checked(0, 0, 0, ())

    def test_every_page_of_the_listing_is_read(self, there: IncidentStores, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("INC-1", "INC-2", "INC-3"):
            there.objects(name)
        list_objects = there.s3.list_objects_v2
        monkeypatch.setattr(there.s3, "list_objects_v2", lambda **more: list_objects(**more, MaxKeys=2))
        assert {name for name, _ in found(there)} == {"INC-1", "INC-2", "INC-3"}


class TestRewriting:
    def test_what_is_written_and_waits_for_nobody_is_unproven(self, there: IncidentStores) -> None:
        there.written("INC-1")
        there.written("INC-2", "ingestion")
        there.written("INC-3", "person")
        there.incident("INC-4", "OPEN")
        there.item("INC-5", made="removed")
        there.incident("INC-6")
        findings = check(there.stores, rewrite=True).findings
        told = {(finding.name, str(finding.kind)) for finding in findings}
        assert told == {("INC-1", "unproven"), ("INC-2", "unproven"), ("INC-6", "not-registered")}
        assert repair(findings, there.waiting, NOW) == []
        assert {each.incident_id for each in there.waiting.waiting(WaitsFor.SYNC)} == {"INC-1", "INC-2", "INC-6"}


class TestRepairing:
    def test_what_is_wrong_waits_for_a_sync_and_is_no_finding_then(self, there: IncidentStores) -> None:
        there.incident("never-told")
        there.item("deleted", made="written")
        there.objects("nobodys")
        assert repair(check(there.stores).findings, there.waiting, NOW) == []
        waiting = {each.incident_id for each in there.waiting.waiting(WaitsFor.SYNC)}
        assert waiting == {"never-told", "deleted", "nobodys"}
        assert found(there) == set()

    def test_what_no_sync_can_repair_is_left_to_a_person(self, there: IncidentStores) -> None:
        there.put("readme.txt")
        (left,) = repair(check(there.stores).findings, there.waiting, NOW)
        assert left == Finding(Kind.FOREIGN, "incidents/closed/readme.txt")
        assert list(there.waiting.waiting(*WaitsFor)) == []

    def test_what_waits_for_a_person_meanwhile_is_left_with_its_reason(self, there: IncidentStores) -> None:
        there.item("INC-1", "person", reason="why")
        repair([Finding(Kind.NOT_SYNCED, "INC-1")], there.waiting, NOW)
        assert there.item_of("INC-1")["reason"] == "why"


def test_the_names_are_those_that_the_functions_write() -> None:
    key = documents.object_key("incidents/closed/", "INC-1")
    assert checking._of_object("incidents/closed/", key) == ("INC-1", Fact.DOCUMENT)
    assert checking._of_object("incidents/closed/", documents.metadata_key(key)) == ("INC-1", Fact.METADATA)
    assert checking.AN_ID.pattern == documents.INCIDENT_ID.pattern
    assert incidents.CLOSED == {"S": checking.CLOSED}
    assert tuple(WaitsFor) == (items.SYNC, items.INGESTION, items.PERSON)
    assert (items.INCIDENT, items.REMOVED) == (checking.ITEM, "removed")
