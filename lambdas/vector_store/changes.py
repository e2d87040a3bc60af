"""Changes and vectors, the two things that a store is told; read from JSON, and every fault a sentence.

A change is `{"id": "<record>" or "receipt": "<receipt>", "at", "born"?, "died"?, "set"?}` (docs/vector_store.md). A
vector's row is `{"id", "at", "text"}`, `at` null where its delta's counts; its numbers travel beside it as float32,
little-endian."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from shared.stream_records import SEQUENCE_DIGITS
from vector_store.errors import ChangeInvalid

Value = str | int | float | bool | None

TEXT = "text"
"""The field that is a record's document."""

RESERVED = ("receipt_id", "line", "word")
"""Metadata that a record's id says."""

REFUSED_BY_CHROMA = ("#", "$", "chroma:")
"""What no name of Chroma's metadata begins with."""

REPAIRS_MAX = 10**8 - 1

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
"""Chroma's metadata has integers of 64 bits."""

FLOAT32_BYTES = 4

ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
"""A receipt's, a run's or a label's."""

RECORD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}/\d{5}(?:/\d{5})?", re.ASCII)
AT = re.compile(rf"\d{{{SEQUENCE_DIGITS}}}(?:\.\d{{8}})?", re.ASCII)

CHANGE_MEMBERS = frozenset({"id", "receipt", "at", "born", "died", "set"})
VECTOR_MEMBERS = frozenset({"id", "at", "text"})
NOTHING: Mapping[str, Value] = MappingProxyType({})
ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


class Change(NamedTuple):
    """What one record of the stream, or one repair, says of a record or a receipt."""

    owner: str
    """A record's id, or a receipt's: only the former has a slash."""
    at: str
    born: bool = False
    died: bool = False
    set: Mapping[str, Value] = NOTHING

    def json(self) -> str:
        """The canonical JSON, on one line: equal changes have equal texts."""
        said: dict[str, Any] = {("id" if is_record(self.owner) else "receipt"): self.owner, "at": self.at}
        if self.born:
            said["born"] = True
        if self.died:
            said["died"] = True
        if self.set:
            said["set"] = dict(self.set)
        return canonical(said)


class VectorRow(NamedTuple):
    """A record's embedding. The text is what was embedded; a record's document is what its item says."""

    id: str
    at: str
    text: str
    vector: bytes


def canonical(value: object) -> str:
    """JSON with sorted names and no spaces."""
    return ENCODER.encode(value)


def is_unicode(text: str) -> bool:
    """Whether no character is half of a surrogate pair. Python's JSON lets it pass, and no queue takes it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def check_text(text: str, where: str) -> None:
    """Raises ChangeInvalid, which says `where`, for half of a surrogate pair."""
    if not is_unicode(text):
        raise ChangeInvalid(f"{where} holds half of a surrogate pair, which is no character")


def is_record(owner: str) -> bool:
    return "/" in owner


def receipt_of(owner: str) -> str:
    """The receipt of a record; a receipt's own id."""
    return owner.partition("/")[0]


def repairing(at: str, number: int) -> str:
    """The `at` of the repair `number` (from 1 on) of what was said at `at`: later than that, and earlier than whatever
    the stream tells next. Raises ChangeInvalid."""
    if not 1 <= number <= REPAIRS_MAX:
        raise ChangeInvalid(f"a repair's number is 1 to {REPAIRS_MAX}")
    return f"{_at({'at': at})[:SEQUENCE_DIGITS]}.{number:08}"


def parse_json(text: str | bytes, what: str = "the line") -> object:
    """Read JSON. Raises ChangeInvalid, which says `what` is none."""
    try:
        return json.loads(text)
    except UnicodeDecodeError as error:
        raise ChangeInvalid(f"{what} is not UTF-8 at offset {error.start}") from None
    except json.JSONDecodeError as error:
        raise ChangeInvalid(f"{what} is not JSON at column {error.colno}: {error.msg}") from None
    except (RecursionError, ValueError):
        raise ChangeInvalid(f"{what} is not JSON: nested too deeply, or a number with too many digits") from None


def parse_change(line: str | bytes) -> Change:
    """Read a line of a file or the body of a message. Raises ChangeInvalid."""
    return read_change(parse_json(line))


def parse_vector(line: str | bytes, data: bytes, *, dimension: int, delta_at: str) -> VectorRow:
    """Read a line of a file with its vector. Raises ChangeInvalid."""
    return read_vector(parse_json(line), data, dimension=dimension, delta_at=delta_at)


def read_change(value: object) -> Change:
    """Check a change. Raises ChangeInvalid, which names the member; an empty `set` is as good as none."""
    said = _members(value, CHANGE_MEMBERS, "a change")
    owner, at = _owner(said), _at(said)
    born, died = (_flag(said, name) for name in ("born", "died"))
    if born and died:
        raise ChangeInvalid("born and died are both there; a change has one of them at most")
    if born and not is_record(owner):
        raise ChangeInvalid("born is there with receipt; only a record is born")
    fields = _fields(said, is_record(owner))
    if not (born or died or fields):
        raise ChangeInvalid("born, died and set are all missing, or set is empty; a change has one of them at least")
    return Change(owner, at, born, died, fields)


def read_vector(value: object, data: bytes, *, dimension: int, delta_at: str) -> VectorRow:
    """Check a vector's row and its numbers, `dimension` finite float32. A row without `at` has its delta's.

    Raises ChangeInvalid, which names the member."""
    said = _members(value, VECTOR_MEMBERS, "a vector's row")
    record = _id(said, "id", RECORD_ID)
    at = _at(said if said.get("at") is not None else {"at": delta_at})
    text = said.get("text")
    if not isinstance(text, str):
        raise ChangeInvalid(f"text is {_kind(text)}; allowed: a text")
    check_text(text, "text")
    if len(data) != dimension * FLOAT32_BYTES:
        raise ChangeInvalid(f"the vector has {len(data)} bytes; allowed: {dimension} float32 numbers of 4 bytes")
    if not all(map(math.isfinite, struct.unpack(f"<{dimension}f", data))):
        raise ChangeInvalid("the vector holds a number that is not finite")
    return VectorRow(record, at, text, data)


def _members(value: object, known: frozenset[str], what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ChangeInvalid(f"{what} is {_kind(value)}; allowed: an object")
    if not value.keys() <= known:
        unknown = sorted(ascii(name)[:80] for name in value.keys() - known)
        raise ChangeInvalid(f"unknown members: {', '.join(unknown)}; {what} has {', '.join(sorted(known))}")
    return value


def _owner(said: Mapping[str, Any]) -> str:
    if ("id" in said) == ("receipt" in said):
        raise ChangeInvalid("id and receipt: a change has exactly one of them")
    return _id(said, "id", RECORD_ID) if "id" in said else _id(said, "receipt", ID)


def _id(said: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise ChangeInvalid(f"{name} is no id of the form {form.pattern}")
    return value


def _at(said: Mapping[str, Any]) -> str:
    at = said.get("at")
    if not isinstance(at, str) or not AT.fullmatch(at):
        raise ChangeInvalid(f"at is not {SEQUENCE_DIGITS} digits, with a repair's .<8 digits> or without")
    return at


def _flag(said: Mapping[str, Any], name: str) -> bool:
    if name in said and said[name] is not True:
        raise ChangeInvalid(f"{name} is {_kind(said[name])}; allowed: true, or no such member")
    return name in said


def _fields(said: Mapping[str, Any], of_record: bool) -> Mapping[str, Value]:
    fields = said.get("set", NOTHING)
    if not isinstance(fields, Mapping):
        raise ChangeInvalid(f"set is {_kind(fields)}; allowed: an object")
    return {_name(name, of_record): _value(name, value) for name, value in fields.items()} or NOTHING


def _name(name: object, of_record: bool) -> str:
    if not isinstance(name, str) or not name:
        raise ChangeInvalid("set has a field whose name is empty, or no text")
    check_text(name, "set has a field whose name")
    if name in RESERVED or name.startswith(REFUSED_BY_CHROMA):
        raise ChangeInvalid(
            f"set names {name[:80]}; allowed: any name but {', '.join(RESERVED)}, and none that begins with "
            f"{', '.join(REFUSED_BY_CHROMA)}"
        )
    if name == TEXT and not of_record:
        raise ChangeInvalid(f"set names {TEXT} of a receipt; only a record has a document")
    return name


def _value(name: str, value: object) -> Value:
    where = f"set.{name}"
    match value:
        case str():
            check_text(value, where)
            return value
        case None:
            return None
        case _ if name == TEXT:
            raise ChangeInvalid(f"{where} is {_kind(value)}; allowed: a text or null")
        case bool():
            return value
        case int():
            if not INTEGER_MIN <= value <= INTEGER_MAX:
                raise ChangeInvalid(f"{where} is a whole number of more than 64 bits")
            return value
        case float():
            if not math.isfinite(value):
                raise ChangeInvalid(f"{where} is a number that is not finite")
            return value or 0.0
    raise ChangeInvalid(f"{where} is {_kind(value)}; allowed: a text, a number, true, false or null")


def _kind(value: object) -> str:
    """What a value is, without its text."""
    match value:
        case None:
            return "null or missing"
        case bool():
            return "true" if value else "false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case Mapping():
            return "an object"
        case list():
            return "a list"
    return f"a {type(value).__name__}"
