"""MiniStack's DynamoDB streams, with records as DynamoDB writes them."""

from __future__ import annotations

import functools
import itertools
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from millrace.local.anchors import hold, patch

Record = dict[str, Any]
SHARD = "shardId-00000000000000000000-00000000"


@dataclass(frozen=True)
class Stream:
    """What is left of a stream: its oldest record stands at position `begin`, and more may come at the end."""

    begin: int
    records: list[Record]

    @property
    def end(self) -> int:
        """The position of the next record."""
        return self.begin + len(self.records)

    def after(self, position: int, most: int) -> list[tuple[int, Record]]:
        """Up to so many records with their positions, from this position on, or from the oldest that is left."""
        start = max(0, position - self.begin)
        return [(self.begin + start + at, record) for at, record in enumerate(self.records[start : start + most])]


class Streams:
    def __init__(self) -> None:
        from ministack.services import dynamodb

        self._dynamodb: Any = dynamodb
        self._writing = threading.RLock()
        self._numbers = itertools.count(1)

    def find(self, arn: str) -> Stream | None:
        """The stream of that ARN in the running scope; a closed one stays readable for a day."""
        service = self._dynamodb
        parts = arn.split(":", 5)[-1].split("/")
        table = service._tables.get(parts[1]) if parts[0] == "table" and parts[2:3] == ["stream"] else None
        if table and table.get("LatestStreamArn") == arn and table["StreamSpecification"]["StreamEnabled"]:
            return Stream(service.stream_start_position(parts[1]), service.stream_live_records(parts[1]))
        closed = service.closed_stream(arn)
        return Stream(closed["trimmed"], closed["records"]) if closed else None

    def install(self, written: Callable[[], None]) -> None:
        """`written` is called after each record."""
        service = self._dynamodb
        hold(service, "stream_start_position", "return _trimmed_count(")
        hold(service, "stream_live_records", "return _live_stream_records(")
        hold(service, "closed_stream", "closed = _closed_streams.get(stream_arn)")
        hold(service, "_item_size_bytes")
        patch(service, "_next_stream_seq", lambda _: self._sequence_number, "_stream_seq_counter += 1")
        patch(service, "_build_change_record", self._shaping, '"SizeBytes": 0', '"eventID": new_uuid()')
        patch(service, "_emit_stream_event", self._emitting(written), "_stream_records[table_name].append(record)")

    def _sequence_number(self) -> str:
        """More than any before it, as a number and as a text of the same length; 24 digits, AWS's have 21 to 40."""
        return f"{time.time_ns() // 1_000_000}{next(self._numbers):011d}"

    def _shaping(self, original: Callable[..., Record]) -> Callable[..., Record]:
        size_of = self._dynamodb._item_size_bytes

        @functools.wraps(original)
        def build(table: dict[str, Any], event_name: str, old: Any, new: Any, view_type: str) -> Record:
            record = original(table, event_name, old, new, view_type)
            change = record["dynamodb"]
            sizes = [size_of(change[part]) for part in ("Keys", "NewImage", "OldImage") if part in change]
            change["SizeBytes"] = sum(sizes)
            record["eventID"] = uuid.uuid4().hex
            return record

        return build

    def _emitting(self, written: Callable[[], None]) -> Callable[[Callable[..., None]], Callable[..., None]]:
        def make(original: Callable[..., None]) -> Callable[..., None]:
            @functools.wraps(original)
            def emit(*change: Any, **more: Any) -> None:
                with self._writing:  # the numbers stand in the order of the records
                    original(*change, **more)
                written()

            return emit

        return make
