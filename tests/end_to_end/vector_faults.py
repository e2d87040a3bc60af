"""The same few changes of receipts again and again, each time with other troubles, and readers who follow the pointer
meanwhile."""

from __future__ import annotations

import itertools
import re
import threading
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Any, Self

from millrace.local.bedrock import titan
from tests.end_to_end.campaign import Point, Trouble, first_of_each_kind
from tests.end_to_end.vector_stack import (
    COMPACT,
    DIMENSION,
    EMBED,
    LEASE,
    Item,
    VectorStack,
    export_of,
    label,
    line,
    receipt,
    word,
)
from vector_store.places import COLLECTIONS
from vector_store.pointer import Pointer, Pointers
from vector_store.snapshots import Snapshots
from vector_store.store import open_snapshot

DEATHS: Mapping[str, int] = defaultdict(lambda: 3, {EMBED: 4, COMPACT: 5})
"""How many processes of a function may die in one round. A call of compact is made five times before its job fails, and
there are two collections; a message that is being embedded comes back a thousand times."""
AT_FIRST = 5
"""Rounds that are prepared at once, as many as there are in a run that is no soak."""
LOOK_SECONDS = 0.2
READS = ("Get", "Invoke", "List", "Query")
"""How the names of those actions begin that nobody but the caller sees an effect of: who dies after one leaves what the
call before it has left."""


@dataclass(frozen=True)
class Round:
    """Three receipts: one comes, of one a line, a word and a label are changed, one is deleted."""

    name: str

    @property
    def new(self) -> str:
        return f"{self.name}-new"

    @property
    def changed(self) -> str:
        return f"{self.name}-changed"

    @property
    def deleted(self) -> str:
        return f"{self.name}-deleted"

    def prepare(self, stack: VectorStack) -> None:
        for receipt_id in (self.changed, self.deleted):
            self._bring(stack, receipt_id, "Milk 2.49", "Total 7.98")

    def happen(self, stack: VectorStack) -> None:
        self._bring(stack, self.new, "Oat bread", "Total 3.10")
        edited = [line(self.changed, 1, "Cream 2.49"), word(self.changed, 1, 1, "Cream")]
        for item in (*edited, label(self.changed, 2, 2, "TOTAL", "VALID")):
            stack.put_one(item)
        self._embed(stack, self.changed, f"{self.name}-edited", edited)
        stack.delete_receipt(self.deleted)

    def _bring(self, stack: VectorStack, receipt_id: str, *texts: str) -> None:
        items = receipt(receipt_id, *texts)
        stack.put(*items)
        self._embed(stack, receipt_id, receipt_id, items)

    def _embed(self, stack: VectorStack, receipt_id: str, run_id: str, items: Iterable[Item]) -> None:
        stack.embed(receipt_id, export_of(items), run_id)


class Rounds:
    """The rehearsal comes first, once: `calls` are those that functions made for it, in their order."""

    def __init__(self, stack: VectorStack, readers: Readers) -> None:
        self._stack = stack
        self._readers = readers
        self._numbers = itertools.count()
        self._prepared: list[Round] = []
        self.prepare(AT_FIRST)
        calm = self._prepared.pop(0)
        self.calm = calm.name
        rule = stack.instance.order_fault("*", function="*-vector-*", watch=True)
        calm.happen(stack)
        stack.settled()
        self.calls = next(told["calls"] for told in stack.instance.faults() if told["id"] == rule)
        stack.instance.forget_faults()
        assert {call["function"] for call in self.calls} >= {EMBED, COMPACT}
        expect_right(stack)

    def points(self, *functions: str) -> list[Point]:
        """The first call of each kind by which these functions change something, for any collection and receipt."""
        calls = [
            {**call, "resource": _of_any(call["resource"])}
            for call in self.calls_of(*functions)
            if not call["action"].partition(":")[2].startswith(READS)
        ]
        return first_of_each_kind(calls, self.calm)

    def calls_of(self, *functions: str) -> list[dict[str, Any]]:
        return [call for call in self.calls if call["function"] in functions]

    def prepare(self, number: int) -> None:
        """Have what so many rounds begin with published, in as few compactions as can be."""
        fresh = [Round(f"round-{next(self._numbers):03}") for _ in range(number - len(self._prepared))]
        for each in fresh:
            each.prepare(self._stack)
        if fresh:
            self._stack.settled()
        self._prepared += fresh

    def suffer(self, shares: Sequence[Sequence[Trouble]]) -> list[Trouble]:
        """A round for each share of the troubles; the troubles that no call met."""
        self.prepare(len(shares))
        return [trouble for share in shares for trouble in self._suffer(share)]

    def _suffer(self, share: Sequence[Trouble]) -> list[Trouble]:
        stack, this = self._stack, self._prepared.pop(0)
        rules = {stack.instance.order_fault(**trouble): trouble for trouble in share}
        try:
            this.happen(stack)
            settle_with_deaths(stack)
            met = {told["id"] for told in stack.instance.faults() if told["applied"]}
            stack.instance.forget_faults()
            expect_right(stack)
            self._readers.expect_whole()
        except AssertionError as error:
            raise AssertionError(f"{this.name}: {error}\nwhere " + "\n      ".join(map(str, share))) from error
        return [trouble for number, trouble in rules.items() if number not in met]


def settle_with_deaths(stack: VectorStack) -> None:
    """Wait until nothing moves. The lease of a consumer that has died is ended at once, as if its time were over."""
    settled = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        burying = pool.submit(_bury, stack, settled)
        try:
            stack.settled()
        finally:
            settled.set()
        burying.result()


def _bury(stack: VectorStack, settled: threading.Event) -> None:
    buried = 0
    while not settled.wait(LOOK_SECONDS):
        dead = sum(
            told["applied"]
            for told in stack.instance.faults()
            if told["rule"]["kill"] and told["rule"]["function"] == EMBED
        )
        if dead > buried:
            end_lease(stack)
            buried = dead


def end_lease(stack: VectorStack, at: float = 0) -> None:
    """Let the lease be over at that time, in seconds since the epoch. Only where its holder renews it no more."""
    if "until" in (stack.lease() or {}):
        stack.set_in_item(LEASE, until=Decimal(f"{at:.3f}"))


def expect_right(stack: VectorStack) -> None:
    """What is published is the table's contents, with each text's own vector; nothing was set aside or is dead, and
    nobody has the lease."""
    stack.expect_published()
    for collection in COLLECTIONS:
        assert stack.aside(collection) == []
        with stack.store(collection) as store:
            shown = {name: it.document for name, it, _ in store.chroma.read(store.chroma.ids())}
            for name, vector in store.chroma.vectors(shown).items():
                assert vector == vector_of(shown[name]), f"the vector of {name} is another text's"
    dead = {which: stack.dead_letters(which) for which in stack.outputs["vector_dead_letter_queue_urls"]}
    assert not any(dead.values()), dead
    assert "until" not in (stack.lease() or {})


def vector_of(text: str) -> bytes:
    """What the model makes of a text, as the store keeps it."""
    return array("f", titan.vector(text, DIMENSION, normalize=True)).tobytes()


class Readers:
    """Readers who open whatever a pointer names as soon as it moves, from now on until they are closed."""

    def __init__(self, stack: VectorStack) -> None:
        self._stack = stack
        self._seen: dict[str, list[Pointer]] = {collection: [] for collection in COLLECTIONS}
        self._wrong: list[str] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="readers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closed.set()
        self._thread.join()

    def expect_whole(self) -> None:
        """Everything that was published so far was opened, and was whole."""
        for collection in COLLECTIONS:
            published, seen = self._stack.pointer(collection), self._seen[collection]
            self._stack.wait_until(partial(seen.__contains__, published), f"{published} was opened")
        assert self._wrong == []

    def _follow(self) -> None:
        pointers = Pointers(self._stack.instance.client("dynamodb"), self._stack.outputs["vector_store_table"])
        s3 = self._stack.instance.client("s3")
        while not self._closed.wait(LOOK_SECONDS):
            for collection, seen in self._seen.items():
                found = pointers.read(collection)
                if found and found not in seen:
                    try:
                        self._open(Snapshots(s3, self._stack.bucket, collection), found, collection)
                    except Exception as error:  # whatever it is, a reader has met it
                        self._wrong.append(f"{found}: {error!r}")
                    seen.append(found)

    def _open(self, snapshots: Snapshots, found: Pointer, collection: str) -> None:
        """Opening holds the archive against the manifest's checksum, and checking Chroma against the state."""
        with open_snapshot(snapshots, found, collection) as store:
            store.check([])
            assert store.chroma.count() == found.records
        versions = [each.version for each in self._seen[collection]]
        assert found.version > max(versions, default=0), f"after versions {versions}"


def _of_any(resource: str) -> str:
    """The pattern of a resource for both collections, all receipts of a round, and all calls that make a snapshot."""
    return re.sub(r"(?<=/)(lines|words)(?=/)|(?<=-)(new|changed|edited|[0-9a-f]{8})(?=[/.])", "*", resource)
