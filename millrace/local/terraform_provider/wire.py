"""Values on the wire: Terraform's msgpack, and the two things in it that msgpack itself does not have.

An unknown value is an extension (go-cty sends 12 with what it knows of the value, and takes 0). A number that no 64-bit
float holds exactly, such as 0.1, travels as text, in both directions.
"""

from __future__ import annotations

from typing import Any

import msgpack
from tf.gen import tfplugin_pb2 as pb

from millrace.local.terraform_provider.schema import Block, attributes, blocks

UNKNOWN = msgpack.ExtType(0, b"\x00")


def is_unknown(value: Any) -> bool:
    return isinstance(value, msgpack.ExtType)


def decode(dynamic: pb.DynamicValue, block: Block) -> Any:
    """An object of the block's shape, or None; every unknown in it is UNKNOWN, every number an int or a float."""
    value = msgpack.unpackb(dynamic.msgpack, ext_hook=lambda _code, _data: UNKNOWN, strict_map_key=False)
    return value if value is None else _numbers_of_block(block, value)


def encode(value: Any) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=msgpack.packb(_portable(value)))


def settle(value: Any) -> Any:
    """The value without unknowns: after apply, what the service did not say is null."""
    if is_unknown(value):
        return None
    if isinstance(value, dict):
        return {name: settle(item) for name, item in value.items()}
    if isinstance(value, list):
        return [settle(item) for item in value]
    return value


def holds_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(holds_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_unknown(item) for item in value)
    return is_unknown(value)


def _portable(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else repr(value)
    if isinstance(value, dict):
        return {name: _portable(item) for name, item in value.items()}
    if isinstance(value, list) and not is_unknown(value):
        return [_portable(item) for item in value]
    return value


def _numbers_of_block(block: Block, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    result = dict(value)
    for name, spec in attributes(block).items():
        result[name] = _numbers(spec["type"], value.get(name))
    for name, nested in blocks(block).items():
        inner = value.get(name)
        if isinstance(inner, list) and not is_unknown(inner):
            result[name] = [_numbers_of_block(nested["block"], item) for item in inner]
        else:
            result[name] = _numbers_of_block(nested["block"], inner)
    return result


def _numbers(kind: Any, value: Any) -> Any:
    if value is None or is_unknown(value) or (isinstance(kind, str) and kind != "number"):
        return value
    if kind == "number":
        return _number(value) if isinstance(value, str) else value
    outer, inner = kind
    if outer == "object":
        return {name: _numbers(inner[name], item) for name, item in value.items()}
    if outer == "map":
        return {name: _numbers(inner, item) for name, item in value.items()}
    return [_numbers(inner, item) for item in value]


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)
