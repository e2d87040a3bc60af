"""An application that keeps receipts in a table, and the stream that tells of them."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from shared.stream_records import padded
from tests.fakes.api_model import check_parameters

Item = dict[str, Any]
Record = dict[str, Any]
PAGE_ITEMS = 7


def sequence(number: int) -> str:
    """The sequence number of the stream's record number so many."""
    return f"4959000000000000000{number:05}"


def at(number: int) -> str:
    """The same as changes have it."""
    return padded(sequence(number))


def typed(**attributes: Any) -> Item:
    """Texts and numbers as DynamoDB has them."""
    return {name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in attributes.items()}


class Receipts:
    """The table `receipts`: every write is a record of the stream, numbered from 1."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.stream: list[Record] = []

    def put(self, receipt: str, sort: str, **attributes: Any) -> Record:
        """Write an item, whole."""
        return self._write(f"RECEIPT#{receipt}", sort, typed(**attributes))

    def remove(self, receipt: str, sort: str) -> Record:
        """Remove an item that is there."""
        return self._write(f"RECEIPT#{receipt}", sort, None)

    def _write(self, partition: str, sort: str, attributes: Item | None) -> Record:
        keys = {"pk": {"S": partition}, "sk": {"S": sort}}
        before = self.items.pop((partition, sort), None)
        now = None if attributes is None else keys | attributes
        if now is not None:
            self.items[partition, sort] = now
        self.stream.append(record(len(self.stream) + 1, keys, before, now))
        return self.stream[-1]


def record(number: int, keys: Item, before: Item | None, now: Item | None) -> Record:
    """A record as Lambda delivers it."""
    images = {"OldImage": before, "NewImage": now}
    return {
        "eventID": f"event-{number}",
        "eventName": "INSERT" if before is None else "REMOVE" if now is None else "MODIFY",
        "eventSource": "aws:dynamodb",
        "dynamodb": {"Keys": keys, "SequenceNumber": sequence(number), "StreamViewType": "NEW_AND_OLD_IMAGES"}
        | {name: image for name, image in images.items() if image is not None},
    }


def create_receipts_table(dynamodb: Any, table: str) -> None:
    """Make the table, of a service that has tables."""
    keys = {"pk": "HASH", "sk": "RANGE"}
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
    )


class ReceiptsClient:
    """DynamoDB with the table alone, read as the check reads it, in small pages. A scan gives the partitions in some
    order; it sees the items of `scanned`, where that is given, as it may see an older table."""

    def __init__(self, receipts: Receipts, *, scanned: Receipts | None = None) -> None:
        self._items = receipts.items
        self._scanned = receipts.items if scanned is None else scanned.items

    def scan(self, **asked: Any) -> dict[str, Any]:
        check_parameters("dynamodb", "Scan", asked)
        places = sorted(self._scanned, key=lambda place: (sha256(place[0].encode()).digest(), place[1]))
        return self._page([self._scanned[place] for place in places], asked)

    def query(self, **asked: Any) -> dict[str, Any]:
        check_parameters("dynamodb", "Query", asked)
        assert asked["ConsistentRead"], "who does not ask for it may see an older item"
        partition = asked["ExpressionAttributeValues"][":pk"]["S"]
        return self._page([self._items[place] for place in sorted(self._items) if place[0] == partition], asked)

    def _page(self, items: list[Item], asked: dict[str, Any]) -> dict[str, Any]:
        keys = [{"pk": item["pk"], "sk": item["sk"]} for item in items]
        first = keys.index(asked["ExclusiveStartKey"]) + 1 if "ExclusiveStartKey" in asked else 0
        page = items[first : first + PAGE_ITEMS]
        names = {asked["ExpressionAttributeNames"][name] for name in asked["ProjectionExpression"].split(", ")}
        reply: dict[str, Any] = {
            "Items": [{name: value for name, value in item.items() if name in names} for item in page]
        }
        if len(page) == PAGE_ITEMS:
            reply["LastEvaluatedKey"] = keys[first + len(page) - 1]
        return reply
