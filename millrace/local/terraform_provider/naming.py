"""Which member of an AWS request an attribute of Terraform becomes, and back.

Most names are the same but for underscores, capitals and a plural: `sse_algorithm` is `SSEAlgorithm`, the block `rule`
is the list `Rules`. A resource type lists only its exceptions, as `{path of the attribute: place of the member}`; both
are dotted (`"global_secondary_index.projection_type": "Projection.ProjectionType"`), and a place may lead into a map of
strings (`"Attributes.DelaySeconds"`). The place NOWHERE says that the attribute is not sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import datetime
from typing import Any

from botocore.model import Shape

from millrace.local.terraform_provider.schema import Block, attributes, blocks
from millrace.local.terraform_provider.wire import is_unknown

NOWHERE = ""
TERRAFORMS_OWN = frozenset({"id", "region", "tags", "tags_all"})
"""Attributes of a resource that no request carries under their own name; tagging is a call of its own."""

Places = Mapping[str, str]
Place = tuple[str, ...]


def spelling(name: str) -> str:
    return name.replace("_", "").lower()


def member(names: Iterable[str], attribute: str) -> str | None:
    """The name among `names` that the attribute becomes."""
    spelled = {spelling(name): name for name in names}
    return spelled.get(spelling(attribute)) or spelled.get(spelling(attribute) + "s")


def place_of(shape: Shape | None, attribute: str, places: Places, path: str = "") -> Place | None:
    """Where in a structure of that shape the attribute goes; None when nowhere."""
    full = path + attribute
    if full in places:
        place = tuple(places[full].split(".")) if places[full] else None
        return place if place and shape_at(shape, place) is not None else None
    if shape is None or shape.type_name != "structure" or (not path and attribute in TERRAFORMS_OWN):
        return None
    name = member(shape.members, attribute)
    return (name,) if name else None


def shape_at(shape: Shape | None, place: Iterable[str]) -> Shape | None:
    for name in place:
        if shape is None or shape.type_name not in ("structure", "map"):
            return None
        shape = shape.value if shape.type_name == "map" else shape.members.get(name)
    return shape


def item_shape(shape: Shape | None) -> Shape | None:
    """The shape itself, or that of a list's items."""
    return shape.member if shape is not None and shape.type_name == "list" else shape


def is_set(value: Any) -> bool:
    """Has the configuration given this argument? An unknown value is one; a block that is absent is `[]`."""
    return value is not None and value != []


def unsent(
    block: Block,
    config: Mapping[str, Any],
    shape: Shape | None,
    places: Places,
    elsewhere: Set[str],
    path: str = "",
) -> Iterator[str]:
    """The paths of the arguments set in `config` that no request carries.

    `elsewhere` are the paths that the resource type's own code sends; `"block.*"` stands for all that is in the block.
    """
    for name in (*attributes(block), *blocks(block)):
        given, full = config.get(name), path + name
        if given is None or not is_set(given) or (not path and name in ("tags", "tags_all")):
            continue
        place = place_of(shape, name, places, path)
        if place is None and full not in elsewhere:
            yield full
        elif name in blocks(block) and not is_unknown(given) and f"{full}.*" not in elsewhere:
            inner = item_shape(shape_at(shape, place)) if place else None
            for item in given if isinstance(given, list) else [given]:
                if not is_unknown(item):
                    yield from unsent(blocks(block)[name]["block"], item, inner, places, elsewhere, f"{full}.")


def to_request(block: Block, value: Mapping[str, Any], shape: Shape, places: Places, path: str = "") -> dict[str, Any]:
    """The part of a request that the object of `block` fills; what is null or unknown is left out."""
    request: dict[str, Any] = {}
    for name in (*attributes(block), *blocks(block)):
        given = value.get(name)
        place = place_of(shape, name, places, path)
        if place is None or given is None or is_unknown(given):
            continue
        nested = blocks(block).get(name)
        if nested and not given:
            continue
        target = shape_at(shape, place)
        assert target is not None
        put(request, place, _sent(given, target, nested and nested["block"], places, f"{path}{name}."))
    return request


def put(request: dict[str, Any], place: Place, value: Any) -> None:
    *outer, last = place
    for name in outer:
        request = request.setdefault(name, {})
    request[last] = value


def _sent(value: Any, shape: Shape, block: Block | None, places: Places, path: str) -> Any:
    kind = shape.type_name
    if block and kind == "structure":
        item = value[0] if isinstance(value, list) else value
        return to_request(block, item, shape, places, path)
    if block and kind == "list":
        return [to_request(block, item, shape.member, places, path) for item in value]
    if kind == "list" and isinstance(value, dict):
        return as_pairs(value, shape)
    if kind == "list":
        return [_sent(item, shape.member, None, places, path) for item in value]
    if kind == "string" and not isinstance(value, str):
        return json.dumps(value)
    if kind in ("integer", "long"):
        return int(value)
    if kind in ("float", "double"):
        return float(value)
    return value


def as_pairs(pairs: Mapping[str, str], shape: Shape) -> Any:
    """A map as the operation wants it: a map, or a list of structures of two (`Key`, `Value` or `Name`, `Value`)."""
    if shape.type_name == "map":
        return dict(pairs)
    value = next(name for name in shape.member.members if spelling(name) == "value")
    key = next(name for name in shape.member.members if name != value)
    return [{key: name, value: item} for name, item in sorted(pairs.items())]


def from_pairs(pairs: Any) -> dict[str, str]:
    """The inverse of `as_pairs`."""
    if isinstance(pairs, dict):
        return dict(pairs)
    result = {}
    for pair in pairs or []:
        value = next(name for name in pair if spelling(name) == "value")
        key = next(name for name in pair if name != value)
        result[pair[key]] = pair[value]
    return result


def from_answer(
    block: Block, answer: Mapping[str, Any], shape: Shape | None, places: Places, path: str = ""
) -> dict[str, Any]:
    """What the answer says of a block's attributes, as Terraform writes it.

    An attribute that this kind of answer cannot hold is absent; one that it could hold and does not is None or [].
    """
    seen: dict[str, Any] = {}
    for name, spec in attributes(block).items():
        place = _answered_place(answer, shape, name, places, path)
        if place is not None:
            seen[name] = _read(dig(answer, place), spec["type"])
    for name, nested in blocks(block).items():
        place = _answered_place(answer, shape, name, places, path)
        if place is not None:
            inner = item_shape(shape_at(shape, place))
            found = dig(answer, place)
            items = found if isinstance(found, list) else [] if found is None else [found]
            seen[name] = [from_answer(nested["block"], item, inner, places, f"{path}{name}.") for item in items]
    return seen


def _answered_place(
    answer: Mapping[str, Any], shape: Shape | None, name: str, places: Places, path: str
) -> Place | None:
    found = place_of(shape, name, places, path)
    if found is not None or path + name in places or (not path and name in TERRAFORMS_OWN):
        return found
    extra = member(answer, name)  # what the resource type's own code put beside the service's words
    return (extra,) if extra else None


def dig(answer: Any, place: Iterable[str]) -> Any:
    for name in place:
        if answer is None:
            return None
        answer = answer.get(name)
    return answer


def _read(value: Any, kind: Any) -> Any:
    if value is None:
        return None
    if kind == "string":
        if isinstance(value, datetime):
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        return value if isinstance(value, str) else json.dumps(value)
    if kind == "number":
        number = float(value)
        return int(number) if number.is_integer() else number
    if kind == "bool":
        return value is True or value == "true"
    if kind == ["map", "string"]:
        return from_pairs(value)
    return list(value)
