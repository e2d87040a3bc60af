"""What a check writes down while it works, in a file: a table may have more items than a function has memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shared.stream_records import Item
from vector_store.changes import Change, parse_change
from vector_store.drift import Unembedded
from vector_store.receipts import RECEIPT

SCHEMA = """
CREATE TABLE item (receipt TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE repair (collection TEXT NOT NULL, change TEXT NOT NULL);
CREATE TABLE export (
  collection TEXT NOT NULL, receipt TEXT NOT NULL, id TEXT NOT NULL, at TEXT NOT NULL, text TEXT NOT NULL
);
"""


class Workbook:
    """A file that goes with the check."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.executescript(SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()

    def add_items(self, items: Iterable[Item]) -> None:
        """Note items of receipts; those of other partitions are left out."""
        rows = ((item["pk"]["S"].removeprefix(RECEIPT), item) for item in items if _is_of_receipt(item))
        self._write(
            "INSERT INTO item VALUES (?, ?)", ((receipt, json.dumps(item, default=repr)) for receipt, item in rows)
        )

    def items_by_receipt(self) -> Iterator[tuple[str, list[Item]]]:
        """The items of every receipt, in the order of the receipts' ids with a slash behind."""
        rows = self._database.execute("SELECT receipt, body FROM item ORDER BY receipt || '/'")
        for receipt, some in groupby(rows, itemgetter(0)):
            yield receipt, [json.loads(body) for _, body in some]

    def add_repairs(self, collection: str, repairs: Iterable[Change]) -> None:
        self._write("INSERT INTO repair VALUES (?, ?)", ((collection, repair.json()) for repair in repairs))

    def repairs(self, collection: str) -> Iterator[Change]:
        rows = self._database.execute("SELECT change FROM repair WHERE collection = ?", (collection,))
        return (parse_change(change) for (change,) in rows)

    def add_exports(self, collection: str, receipt: str, unembedded: Iterable[Unembedded]) -> None:
        self._write("INSERT INTO export VALUES (?, ?, ?, ?, ?)", ((collection, receipt, *it) for it in unembedded))

    def exports(self) -> Iterator[tuple[str, list[Unembedded]]]:
        """What is to be embedded of every receipt."""
        rows = self._database.execute("SELECT receipt, id, at, text FROM export ORDER BY receipt, id")
        for receipt, some in groupby(rows, itemgetter(0)):
            yield receipt, [Unembedded(*row) for _, *row in some]

    def clear(self, collection: str) -> None:
        """Forget a collection's repairs and exports."""
        for table in ("repair", "export"):
            self._database.execute(f"DELETE FROM {table} WHERE collection = ?", (collection,))

    def _write(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(statement, rows)
        self._database.execute("COMMIT")


def _is_of_receipt(item: Item) -> bool:
    return bool(item["pk"]["S"].startswith(RECEIPT))
