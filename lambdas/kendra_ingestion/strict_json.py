"""JSON from people, read strictly: one meaning for every file, and a sentence for every fault."""

from __future__ import annotations

import json
from typing import Any, NoReturn

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NotJson(ValueError):
    """The bytes are not JSON as RFC 8259 means it. The message says what and where."""


def parse(body: bytes) -> Any:
    """Parse UTF-8 JSON. Refuses a byte order mark, NaN and Infinity, a name given twice, lone surrogates and
    nesting deeper than the interpreter can follow: Python's parser would take or crash on each of them."""
    if body.startswith(BYTE_ORDER_MARK):
        raise NotJson("begins with a byte order mark; save it as UTF-8 without BOM")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(f"is not UTF-8: byte 0x{body[error.start]:02x} at offset {error.start}") from None
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_names)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except NotJson:
        raise
    except json.JSONDecodeError as error:
        raise NotJson(f"is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise NotJson("is nested too deeply") from None
    except UnicodeEncodeError:
        raise NotJson("holds half of a surrogate pair (\\ud800 to \\udfff alone), which is no character") from None
    except ValueError:
        raise NotJson("holds a number with too many digits") from None
    return value


def shown(value: object, limit: int = 80) -> str:
    """A value as an error message shows it: JSON, on one line, never longer than `limit` characters."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value[: limit + 1] if isinstance(value, str) else value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def pointer(*path: str | int) -> str:
    """The JSON pointer (RFC 6901) of a field: `/deletes/3`. The whole document is `/`, which people read
    better than the RFC's empty string."""
    return "/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"holds {name}, which is not JSON")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise NotJson(f"gives the name {shown(name)} twice in one object")
            seen.add(name)
    return value
