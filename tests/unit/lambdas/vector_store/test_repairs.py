"""Check, repair and compaction against an application that keeps receipts, and a way from the table to the store that
loses some of what the stream tells, delivers some of it late, and all of it in any order. Checks happen at any moment,
know an older store than they might, and may not see every delta that waits.

1. Where nothing is lost, the store says in the end what the table does: no repair beats a later change.
2. Where something is lost, one more check mends it, and the check after that finds nothing.

What a store should say is read here from the table's items a second time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, NamedTuple

import pytest

from shared.stream_records import read_record
from tests.conftest import Tell
from tests.fakes.histories import Event, vector
from tests.fakes.receipts import Receipts, at
from tests.fakes.stores import Store
from vector_store import drift, law
from vector_store.changes import Change, Value, VectorRow, receipt_of, repairing
from vector_store.drift import FIRST_AT, SECONDS_A_NUMBER, Compared, compare, told
from vector_store.law import Known
from vector_store.places import COLLECTIONS, LINES, WORDS
from vector_store.receipts import told_by

RECEIPTS = ("R1", "R1-2")
LINES_OF_RECEIPT = ("LINE#00001", "LINE#00002")
WORDS_OF_LINE = ("WORD#00001", "WORD#00002")
LABELS = ("TOTAL", "DATE")
STATUSES = ("VALID", "INVALID", "PENDING")


class Lived(NamedTuple):
    """What has become of a world: how many checks found something, and how many events never came."""

    repairs: int
    lost: int


class World:
    """A table, the events that are on their way, and one collection's store. Of those on their way a check sees the
    ones in deltas, most of the time."""

    def __init__(self, random: Random, collection: str, *, losing: float) -> None:
        self.random = random
        self.collection = collection
        self.losing = losing
        self.table = Receipts()
        self.store = Store()
        self.under_way: list[Event] = []
        self.in_deltas: list[Event] = []
        self.now = 1_760_000_000.0
        self.repairs = 0
        self.lost = 0

    def write(self, receipt: str, sort: str, attributes: dict[str, Any] | None) -> None:
        """One write of the application; with it an embedding, sooner or later."""
        key = f"RECEIPT#{receipt}", sort
        if attributes is None:
            if key not in self.table.items:
                return
            record = self.table.remove(receipt, sort)
        else:
            record = self.table.put(receipt, sort, **attributes)
        change = told_by(read_record(record)).get(self.collection)
        if not isinstance(change, Change):
            return
        if self.random.random() < self.losing:
            self.lost += 1
        else:
            self.under_way.append(change)
        if change.born and self.random.random() < 0.7:
            numbers = vector(self.random.random(), self.random.random())
            self.under_way.append(VectorRow(change.owner, change.at, "text", numbers))

    def move(self) -> None:
        """Some events come into deltas, and some deltas are merged, in any order."""
        self.random.shuffle(self.under_way)
        for _ in range(self.random.randrange(3)):
            if self.under_way:
                self.in_deltas.append(self.under_way.pop())
        if self.in_deltas and self.random.random() < 0.4:
            self.random.shuffle(self.in_deltas)
            count = self.random.randrange(1, len(self.in_deltas) + 1)
            self.store.take(*self.in_deltas[:count])
            del self.in_deltas[:count]

    def settle(self) -> None:
        """Everything comes that ever does."""
        rest = self.under_way + self.in_deltas
        self.random.shuffle(rest)
        if rest:
            self.store.take(*rest)
        self.under_way, self.in_deltas = [], []

    def known(self, *, all_deltas: bool) -> dict[str, Known]:
        """What a check knows of the store."""
        seen = self.in_deltas if all_deltas or self.random.random() < 0.8 else []
        changes = [it for it in seen if isinstance(it, Change)]
        vectors = [it for it in seen if isinstance(it, VectorRow)]
        return law.merge(self.store.state.of_receipts(RECEIPTS), law.heard(changes, vectors))

    def check(self, known: dict[str, Known]) -> bool:
        """Check and repair, knowing this; whether it found anything."""
        self.now += SECONDS_A_NUMBER
        found = False
        for receipt in RECEIPTS:
            items = [item for (partition, _), item in self.table.items.items() if partition == f"RECEIPT#{receipt}"]
            of_receipt = {owner: it for owner, it in known.items() if receipt_of(owner) == receipt}
            compared = drift.compare(receipt, told(items, self.collection), of_receipt, now=self.now)
            found = found or not compared.is_clean
            self.in_deltas += compared.repairs
            self.under_way += (VectorRow(it.id, it.at, it.text, vector(3, 4)) for it in compared.unembedded)
        self.repairs += found
        return found

    def says_what_the_table_does(self) -> bool:
        should = expected(self.table, self.collection)
        known = self.store.state.of_receipts(RECEIPTS)
        if {owner for owner, it in known.items() if it.exists} != should.keys():
            return False
        return all(shown(row.document, row.metadata) == should[name] for name, row in self.store.chroma.sorted())


def shown(document: str, metadata: dict[str, Value]) -> dict[str, Value]:
    ids = ("receipt_id", "line", "word")
    return {"text": document, **{name: value for name, value in metadata.items() if name not in ids}}


def expected(table: Receipts, collection: str) -> dict[str, dict[str, Value]]:
    """Every record of the table, with its text and what else is shown of it."""
    found: dict[str, dict[str, Value]] = {}
    places: dict[str, dict[str, Value]] = {}
    labels: dict[str, dict[str, Value]] = {}
    for (partition, sort), item in table.items.items():
        receipt = partition.removeprefix("RECEIPT#")
        said: dict[str, Value] = {
            name: value["S"] if "S" in value else float(value["N"])
            for name, value in item.items()
            if name not in ("pk", "sk")
        }
        match sort.split("#"):
            case ["LINE", line] if collection == LINES:
                found[f"{receipt}/{line}"] = said
            case ["LINE", line, "WORD", word] if collection == WORDS:
                found[f"{receipt}/{line}/{word}"] = said
            case ["LINE", line, "WORD", word, "LABEL", label] if collection == WORDS:
                labels.setdefault(f"{receipt}/{line}/{word}", {})[f"label:{label}"] = said["status"]
            case ["PLACE"]:
                places[receipt] = said
    return {name: {**places.get(receipt_of(name), {}), **own, **labels.get(name, {})} for name, own in found.items()}


def operation(random: Random, table: Receipts) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """What the application does next, as writes: receipt, sort key, and attributes, or None for a removal. It leaves
    nothing behind: no label without its word, and nothing of a receipt without its item RECEIPT."""
    receipt = random.choice(RECEIPTS)
    of_receipt = [sort for partition, sort in table.items if partition == f"RECEIPT#{receipt}"]
    if not of_receipt:
        writes = [(receipt, "RECEIPT", {"total": 1}), (receipt, random.choice(LINES_OF_RECEIPT), item(random))]
        yield from random.sample(writes, len(writes))
        return
    line = random.choice(LINES_OF_RECEIPT)
    word = f"{line}#{random.choice(WORDS_OF_LINE)}"
    label = f"{word}#LABEL#{random.choice(LABELS)}"
    match random.choices(range(8), (5, 8, 6, 2, 3, 3, 2, 2))[0]:
        case 0:
            yield receipt, line, item(random)
        case 1:
            yield receipt, word, item(random)
        case 2 if word in of_receipt:
            yield receipt, label, {"status": random.choice(STATUSES)}
        case 3:
            yield receipt, label, None
        case 4:
            gone = [sort for sort in of_receipt if sort == word or sort.startswith(f"{word}#")]
            yield from ((receipt, sort, None) for sort in random.sample(gone, len(gone)))
        case 5:
            yield receipt, "PLACE", {"merchant_name": random.choice(("Dairy", "Bakery")), "address": "Main St"}
        case 6:
            yield receipt, "PLACE", None
        case 7:
            yield from ((receipt, sort, None) for sort in random.sample(of_receipt, len(of_receipt)))


def item(random: Random) -> dict[str, Any]:
    found: dict[str, Any] = {"text": random.choice(("MILK", "BREAD", "1.29"))}
    if random.random() < 0.5:
        found["x"] = random.randrange(3)
    return found


def lived(seed: int, collection: str, *, losing: float, operations: int) -> Lived:
    """Live through a history, and assert the law; see above."""
    random = Random(f"{seed} {collection} {losing}")
    world = World(random, collection, losing=losing)
    known = world.known(all_deltas=True)
    for _ in range(operations):
        for write in list(operation(random, world.table)):
            world.write(*write)
            world.move()
            if random.random() < 0.5:
                known = world.known(all_deltas=False)
            if random.random() < 0.1:
                world.check(known)
    world.settle()
    if not world.lost:
        assert world.says_what_the_table_does(), f"seed {seed}: a repair beat a change"
    for _ in range(2):
        # The second time for vectors: the first check may bring records to life.
        world.check(world.known(all_deltas=True))
        world.settle()
        assert world.says_what_the_table_does(), f"seed {seed}: not mended"
    assert world.store.chroma.rows.keys() == expected(world.table, collection).keys(), "all texts have vectors"
    assert not world.check(world.known(all_deltas=True)), f"seed {seed}: a check after the repair finds something"
    return Lived(world.repairs, world.lost)


@pytest.mark.parametrize("losing", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("collection", COLLECTIONS)
@pytest.mark.parametrize(
    "seeds", [range(40), pytest.param(range(40, 500), marks=pytest.mark.soak)], ids=["few", "many"]
)
def test_a_repaired_store_says_what_the_table_does(collection: str, losing: float, seeds: range, tell: Tell) -> None:
    lives = [lived(seed, collection, losing=losing, operations=30) for seed in seeds]
    repairs, lost = sum(it.repairs for it in lives), sum(it.lost for it in lives)
    assert repairs
    assert bool(lost) == bool(losing)
    tell(f"{len(lives)} histories, {lost} changes lost, {repairs} checks that repaired: as the table every time")


def beats_the_stream(known: Iterable[Known], now: float) -> str:  # noqa: ARG001 - as it is called
    return repairing(at(99_999), 1)


def beats_nothing(known: Iterable[Known], now: float) -> str:  # noqa: ARG001 - as it is called
    return FIRST_AT


def keeps_no_record_alive(*given: Any, now: float) -> Compared:
    found = compare(*given, now=now)
    return found._replace(repairs=[it._replace(born=False) for it in found.repairs if it.set or it.died])


def forgets_what_ended(*given: Any, now: float) -> Compared:
    found = compare(*given, now=now)
    kept = [
        it._replace(set={name: value for name, value in it.set.items() if value is not None}) for it in found.repairs
    ]
    return found._replace(repairs=[it for it in kept if it.born or it.died or it.set])


@pytest.mark.parametrize(
    ("precaution", "mutant"),
    [
        ("repair_at", beats_the_stream),
        ("repair_at", beats_nothing),
        ("compare", keeps_no_record_alive),
        ("compare", forgets_what_ended),
    ],
    ids=lambda it: getattr(it, "__name__", None),
)
def test_a_check_without_one_of_its_precautions_is_caught(
    precaution: str, mutant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, precaution, mutant)
    lives = ((seed, losing) for seed in range(100) for losing in (0.0, 0.3))
    with pytest.raises(AssertionError, match="seed"):
        deque((lived(seed, WORDS, losing=losing, operations=30) for seed, losing in lives), maxlen=0)
