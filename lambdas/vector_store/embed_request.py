"""What the queue asks of the embedding worker: `{"receipt_id", "run_id", "bucket", "key"}`."""

from __future__ import annotations

from typing import NamedTuple

from vector_store.changes import ID, parse_json
from vector_store.errors import ChangeInvalid, MessageInvalid

KEY_MAX_BYTES = 1024
"""The longest key of an object (S3 user guide)."""


class Request(NamedTuple):
    """One export to embed: the NDJSON of a receipt, as the run of this id."""

    receipt_id: str
    run_id: str
    bucket: str
    key: str

    @property
    def prefix(self) -> str:
        """Where the run's files are within a collection."""
        return f"delta/{self.run_id}/"


def read_request(body: str) -> Request:
    """The request of a message. Raises MessageInvalid, which names the field."""
    try:
        found = parse_json(body, "the message")
    except ChangeInvalid as error:
        raise MessageInvalid(str(error)) from error
    if not isinstance(found, dict):
        raise MessageInvalid("the message is no JSON object")
    if unknown := found.keys() - set(Request._fields):
        raise MessageInvalid(
            f"the message has no field {', '.join(sorted(unknown))}; it has {', '.join(Request._fields)}"
        )
    for name in ("receipt_id", "run_id"):
        value = found.get(name)
        if not isinstance(value, str) or not ID.fullmatch(value):
            raise MessageInvalid(f"{name} is no id of the form {ID.pattern}")
    for name in ("bucket", "key"):
        value = found.get(name)
        if not isinstance(value, str) or not 0 < len(value.encode("utf-8", "surrogatepass")) <= KEY_MAX_BYTES:
            raise MessageInvalid(f"{name} is no text of 1 to {KEY_MAX_BYTES} bytes")
    return Request(**found)
