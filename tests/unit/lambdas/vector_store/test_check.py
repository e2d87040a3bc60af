"""The check on a table, a bucket and queues in memory, and on the real Chroma."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from itertools import count
from typing import Any

import pytest

from shared.outbox import Outbox
from shared.stream_records import read_record
from tests.fakes.checked import agreeing
from tests.fakes.compaction import BUCKET, DIMENSION, TABLE, World
from tests.fakes.histories import Event, vector
from tests.fakes.intercepted import Intercepted
from tests.fakes.pool import InlinePool
from tests.fakes.receipts import Receipts, ReceiptsClient, at
from tests.fakes.sqs import FakeSqs
from tests.fakes.stepfunctions import FakeStepFunctions
from vector_store import check, looking
from vector_store.changes import Change, VectorRow
from vector_store.check import Asked, Check, Means
from vector_store.embed_records import Record, read_records
from vector_store.embed_request import Request, read_request
from vector_store.errors import CheckIncomplete, EventInvalid, SnapshotInvalid, StoreUnavailable
from vector_store.machine import Machine
from vector_store.places import COLLECTIONS, LINES, WORDS
from vector_store.pointer import Pointers
from vector_store.receipts import told_by
from vector_store.receipts_table import ReceiptsTable
from vector_store.repair_exports import RepairExports
from vector_store.snapshots import Snapshots

pytestmark = pytest.mark.usefixtures("quiet")

QUEUE, MACHINE = "https://sqs/embed-ndjson.fifo", "arn:aws:states:eu-west-1:123456789012:stateMachine:compaction"
SECONDS = 840.0
MILK, BREAD = "R1/00001", "R1/00002"

Guard = Callable[[Any], Any]


class Checked:
    """Receipts, a store of their lines, and the check."""

    def __init__(self) -> None:
        self.world = World()
        self.receipts = Receipts()
        self.client: Any = ReceiptsClient(self.receipts)
        self.sqs = FakeSqs(self.world.clock)
        self.machines = FakeStepFunctions()
        self._numbers = count(1)

    def put(self, sort: str, receipt: str = "R1", **attributes: Any) -> Change | None:
        return _told(self.receipts.put(receipt, sort, **attributes))

    def remove(self, sort: str, receipt: str = "R1") -> Change | None:
        return _told(self.receipts.remove(receipt, sort))

    def tell(self, *changes: Change | None) -> None:
        """Changes come as a delta, those that are born with a vector."""
        events: list[Event] = [change for change in changes if change]
        events += [VectorRow(it.owner, it.at, "text", vector(1, 2)) for it in changes if it and it.born]
        self.world.tell(*events)

    def check(
        self,
        *collections: str,
        repair: bool = False,
        seconds: float = SECONDS,
        settle_seconds: float = 0.0,
        guard: Guard = lambda client: client,
    ) -> dict[str, Any]:
        """A call's answer, by collection; of the lines alone if none is named."""
        clock, dynamodb = self.world.clock, guard(self.world.dynamodb)
        outbox = Outbox(self.sqs, QUEUE, clock=clock, random=lambda: 0.5)
        means = Means(
            ReceiptsTable(self.client, "receipts"),
            self.world.deltas_of,
            lambda collection: Snapshots(self.world.s3, BUCKET, collection),
            Pointers(dynamodb, TABLE),
            Machine(self.machines, MACHINE),
            RepairExports(self.world.s3, BUCKET, outbox, InlinePool()),
            DIMENSION,
            InlinePool(),
            clock,
            f"token{next(self._numbers)}",
            settle_seconds,
        )
        asked = Asked(collections or (LINES,), repair)
        answer = Check(asked, means, stop_at=clock.monotonic() + seconds).go()
        clock.now += 60
        found: dict[str, Any] = answer["collections"]
        return found

    def drift(self, **more: Any) -> list[str]:
        """What a check of the lines says is wrong."""
        return [f"{it['id']} {it['what']}" for it in self.check(**more)[LINES]["examples"]]

    def requests(self) -> list[Request]:
        return [read_request(body) for body in self.sqs.bodies(QUEUE)]

    def exported(self, request: Request) -> list[Record]:
        source = BytesIO(self.world.s3[f"{request.bucket}/{request.key}"])
        records = list(read_records(source, request.receipt_id))
        assert all(isinstance(it, Record) for it in records)
        return [it for it in records if isinstance(it, Record)]

    @property
    def asked_for(self) -> list[Any]:
        """The collections that a compaction was asked for."""
        return [it["collection"] for it in self.machines.started.get(MACHINE, [])]


def _told(record: Any) -> Change | None:
    message = told_by(read_record(record)).get(LINES)
    return message if isinstance(message, Change) else None


@pytest.fixture
def checked() -> Checked:
    """A receipt with two lines and a place, all of it published."""
    checked = Checked()
    checked.tell(
        checked.put("RECEIPT"),
        checked.put("LINE#00001", text="Milk 1.29", x=1),
        checked.put("LINE#00002", text="Bread 3.10", x=2),
        checked.put("PLACE", merchant_name="Dairy"),
    )
    checked.world.finish()
    return checked


def test_a_store_that_says_what_the_table_does_is_clean(checked: Checked, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked.check() == {LINES: agreeing(version=1, records=2)}
    (metric,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    assert (metric["DriftingRecords"], metric["collection"]) == ([0.0], LINES)
    (directive,) = metric["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Millrace", [["service"], ["service", "collection"]])


def test_receipts_whose_ids_begin_alike_are_not_mixed_up(checked: Checked) -> None:
    receipts = ("R", "R1-2", "R1.x", "R10", "R1_0")
    for receipt in receipts:
        checked.tell(checked.put("RECEIPT", receipt), checked.put("LINE#00001", receipt, text=receipt))
    checked.world.finish()
    assert checked.drift() == []
    for receipt in receipts:
        checked.remove("LINE#00001", receipt)
    assert checked.drift() == [f"{receipt}/00001 superfluous" for receipt in sorted(receipts, key=lambda it: f"{it}/")]


def test_drift_of_every_kind_is_named_repaired_and_gone_after_the_compaction(checked: Checked) -> None:
    checked.put("LINE#00001", text="Milk 1.49", x=1)
    checked.remove("LINE#00002")
    checked.put("LINE#00003", text="Butter")
    checked.put("PLACE", merchant_name="Bakery")
    checked.put("RECEIPT", "R2")
    checked.put("LINE#00001", "R2", text="Tea")
    found = checked.check(repair=True)[LINES]
    assert {name: found[name] for name in ("missing", "superfluous", "different", "withoutVector")} == {
        "missing": 2,
        "superfluous": 1,
        "different": 2,
        "withoutVector": 2,
    }
    assert [(it["id"], it["what"]) for it in found["examples"]] == [
        (MILK, "different: text"),
        (BREAD, "superfluous"),
        ("R1/00003", "missing"),
        ("R1", "different: merchant_name"),
        ("R2/00001", "missing"),
    ]
    assert (found["repaired"], found["exported"]) == (5, 2)
    assert checked.asked_for == [LINES]
    checked.world.finish()
    checked.world.tell(*(VectorRow(it.id, it.at or "", it.text, vector(2, 1)) for it in _exports(checked)))
    checked.world.finish()
    assert checked.drift() == []
    with checked.world.reader() as store:
        shown = dict(store.state.shown())
        assert [(name, it.document) for name, it in shown.items()] == [
            (MILK, "Milk 1.49"),
            ("R1/00003", "Butter"),
            ("R2/00001", "Tea"),
        ]
        assert shown[MILK].metadata["merchant_name"] == "Bakery"


def _exports(checked: Checked) -> list[Record]:
    return [record for request in checked.requests() for record in checked.exported(request)]


def test_a_check_that_does_not_repair_writes_nothing(checked: Checked) -> None:
    checked.put("LINE#00003", text="Butter")
    objects, items = checked.world.s3.keys(BUCKET), checked.world.dynamodb.tables[TABLE].items
    assert checked.drift() == ["R1/00003 missing"]
    assert checked.world.s3.keys(BUCKET) == objects
    assert checked.world.dynamodb.tables[TABLE].items == items
    assert (checked.requests(), checked.asked_for) == ([], [])


def test_what_has_no_vector_is_exported_receipt_by_receipt_for_both_collections(checked: Checked) -> None:
    checked.put("LINE#00003", text="Butter")
    checked.put("LINE#00003#WORD#00001", text="Butter")
    checked.put("RECEIPT", "R2")
    checked.put("LINE#00001", "R2", text="Tea")
    found = checked.check(*COLLECTIONS, repair=True)
    assert [(found[name]["withoutVector"], found[name]["exported"]) for name in COLLECTIONS] == [(2, 2), (1, 1)]
    assert (found[WORDS]["version"], found[WORDS]["records"]) == (0, 0), "nothing is published of the words"
    first, second = checked.requests()
    assert first == Request("R1", "check-token1-000001", BUCKET, "exports/check/token1/R1.ndjson")
    assert [(it.id, it.text) for it in checked.exported(first)] == [
        ("R1/00003", "Butter"),
        ("R1/00003/00001", "Butter"),
    ]
    assert [message.group for message in checked.sqs.queue(QUEUE).messages] == ["R1", "R2"]
    assert first.run_id != second.run_id, "a run's folder is its own"
    assert checked.asked_for == list(COLLECTIONS)


def test_what_waits_in_deltas_is_neither_drift_nor_repaired(checked: Checked) -> None:
    checked.tell(checked.put("LINE#00001", text="Milk 1.49", x=1), checked.remove("LINE#00002"))
    checked.tell(checked.put("LINE#00003", text="Butter"))
    assert checked.drift(repair=True) == []
    assert checked.requests() == []


def test_a_delta_that_nobody_can_read_does_not_stop_the_check(checked: Checked) -> None:
    (delta,) = checked.world.tell(Change(MILK, at(9), set={"x": 5.0}))
    del checked.world.s3[f"{BUCKET}/{delta.key}"]
    assert checked.drift() == []


def test_repairs_that_wait_are_repaired_once(checked: Checked) -> None:
    checked.put("LINE#00001", text="Milk 1.49", x=1)
    assert checked.check(repair=True)[LINES]["repaired"] == 1
    assert checked.check(repair=True)[LINES]["repaired"] == 0
    assert len(checked.world.pending()) == 1


def test_a_compaction_that_publishes_meanwhile_makes_no_drift(checked: Checked) -> None:
    """What was pending is done by the time that the check asks, and not in the snapshot that it has open."""
    checked.tell(checked.put("LINE#00003", text="Butter"))
    reads = count(1)

    def compacted(name: str, function: Any, arguments: dict[str, Any]) -> Any:
        if name == "get_item" and next(reads) == 2:
            reply = function(**arguments)
            checked.world.finish()
            return reply
        return function(**arguments)

    assert checked.drift(guard=lambda client: Intercepted(client, compacted)) == []
    assert next(reads) > 3, "the check has opened the new one"


def test_a_reading_of_the_table_that_is_old_makes_no_drift(checked: Checked) -> None:
    """The scan is half the price of a consistent read, and may not see what has just been written."""
    checked.client = ReceiptsClient(checked.receipts, scanned=Receipts())
    assert checked.drift() == []


def test_drift_that_is_over_a_moment_later_is_none(checked: Checked) -> None:
    late = checked.put("LINE#00003", text="Butter")
    sleep = checked.world.clock.sleep

    def arrives(seconds: float) -> None:
        sleep(seconds)
        checked.tell(late)

    checked.world.clock.sleep = arrives  # type: ignore[method-assign]
    assert checked.drift(settle_seconds=45) == []
    assert checked.world.clock.slept == 45
    assert checked.drift(settle_seconds=45) == []
    assert checked.world.clock.slept == 45, "nothing differs, so nothing is waited for"


def test_drift_that_stays_is_waited_for_once_and_counted_once(checked: Checked) -> None:
    checked.put("LINE#00003", text="Butter")
    checked.put("LINE#00003#WORD#00001", text="Butter")
    found = checked.check(*COLLECTIONS, repair=True, settle_seconds=45)
    counts = [(it["missing"], it["different"], it["repaired"], it["exported"]) for it in found.values()]
    assert counts == [(1, 0, 1, 1), (1, 1, 2, 1)], "of the words the place is unknown, too"
    assert checked.world.clock.slept == 45, "both collections wait together"
    assert [len(checked.exported(it)) for it in checked.requests()] == [2]


def test_a_record_that_has_no_vector_yet_is_not_waited_for(checked: Checked) -> None:
    late = checked.put("LINE#00003", text="Butter")
    assert late
    checked.world.tell(late)
    checked.world.finish()
    assert checked.check(settle_seconds=45)[LINES]["withoutVector"] == 1
    assert checked.world.clock.slept == 0


def test_chroma_at_odds_with_the_state_is_damage_and_repairs_nothing(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked.put("LINE#00003", text="Butter")
    monkeypatch.setattr("vector_store.store.mark_of", lambda _: b"another")
    with pytest.raises(SnapshotInvalid, match=f"does not show record {MILK}"):
        checked.check(repair=True)
    assert checked.world.pending() == []
    assert checked.requests() == []


def test_when_the_time_ends_what_was_found_is_repaired_and_the_rest_is_named(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "RECEIPTS_AT_ONCE", 1)
    for number in range(2, 6):
        checked.put("RECEIPT", f"R{number}")
        checked.put("LINE#00001", f"R{number}", text="Tea")
    query = checked.client.query

    def slow(**asked: Any) -> Any:
        checked.world.clock.now += 250
        return query(**asked)

    checked.client.query = slow
    with pytest.raises(
        CheckIncomplete, match=r"4 receipts that look wrong.*lines: 3 differ, 3 are repaired, 3 exported"
    ):
        checked.check(repair=True)
    assert checked.asked_for == [LINES]
    checked.world.finish()
    checked.client.query = query
    assert checked.drift() == ["R5/00001 missing"]


def test_a_table_that_is_too_large_is_said_to_be(checked: Checked) -> None:
    with pytest.raises(CheckIncomplete, match="0 items of the table were read"):
        checked.check(seconds=0)


def test_repairs_are_cut_into_deltas_of_a_size_that_a_compaction_can_take(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "REPAIRS_AT_ONCE", 2)
    for number in range(3, 8):
        checked.put(f"LINE#{number:05}", text="Tea")
    checked.check(repair=True)
    assert [delta.records for delta in checked.world.deltas().pending()] == [2, 2, 1]
    checked.world.finish()
    assert checked.drift() == []


def test_at_most_twenty_examples_are_given(checked: Checked) -> None:
    for number in range(3, 33):
        checked.put(f"LINE#{number:05}", text="Tea")
    found = checked.check()[LINES]
    assert (found["missing"], len(found["examples"])) == (30, 20)


def test_of_many_items_that_make_no_sense_twenty_are_named(checked: Checked) -> None:
    for number in range(3, 33):
        checked.receipts.put("R1", f"LINE#{number:05}", text="Tea", x="left")
    found = checked.check()[LINES]
    assert (found["unreadable"], len(found["examples"])) == (30, 20)


def test_items_that_make_no_sense_are_named(checked: Checked) -> None:
    checked.receipts.put("R1", "LINE#00001", text="Milk", x="left")
    checked.receipts.put("no id", "LINE#00001", text="Milk")
    checked.receipts.items[("SHOP#1", "SHOP")] = {"pk": {"S": "SHOP#1"}, "sk": {"S": "SHOP"}}
    found = checked.check()[LINES]
    assert found["unreadable"] == 2
    assert found["examples"] == [
        {"id": "RECEIPT#R1 LINE#00001", "what": "unreadable: x is no number"},
        {"id": "RECEIPT#no id LINE#00001", "what": "unreadable: receipt_id is not of the form [A-Za-z0-9._-]{1,64}"},
    ]


def test_an_embedding_worker_that_cannot_be_asked_is_told_by_name(checked: Checked) -> None:
    checked.put("LINE#00003", text="Butter")
    checked.sqs.refused = {1}
    with pytest.raises(StoreUnavailable, match="exports not sent"):
        checked.check(repair=True)
    assert checked.asked_for == [LINES], "the repairs are on their way"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({}, Asked(COLLECTIONS, repair=False)),
        ({"collections": ["words", "lines"], "repair": True}, Asked(COLLECTIONS, repair=True)),
        ({"collections": ["words"]}, Asked((WORDS,), repair=False)),
    ],
)
def test_an_event_says_what_to_check(event: dict[str, Any], expected: Asked) -> None:
    assert check.asked(event) == expected


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({"collections": []}, "collections"),
        ({"collections": ["letters"]}, "collections"),
        ({"collections": "lines"}, "collections"),
        ({"collections": [["lines"]]}, "collections"),
        ({"repair": "yes"}, "repair"),
        ({"collection": "lines"}, "collection"),
    ],
)
def test_an_event_of_another_shape_is_refused_with_its_member(event: dict[str, Any], named: str) -> None:
    with pytest.raises(EventInvalid, match=named):
        check.asked(event)
