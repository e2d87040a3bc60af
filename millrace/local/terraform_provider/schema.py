"""What hashicorp/aws accepts: the schema file, and the walks over it that the rest of the provider needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

PROVIDER = "registry.terraform.io/hashicorp/aws"
SCHEMA_FOLDER = Path(__file__).with_name("schema")
SCHEMA_FILE = SCHEMA_FOLDER / "aws-6.62.0.json"
TYPES_FILE = SCHEMA_FOLDER / "types.txt"

Block = dict[str, Any]
"""`{"attributes": {name: spec}, "block_types": {name: {"nesting_mode", "block", "min_items"?, "max_items"?}}}`, where a
spec is `{"type", "required"?, "optional"?, "computed"?}`."""


@cache
def load() -> dict[str, Any]:
    """The provider's part of the schema file: `provider`, `resource_schemas`, `data_source_schemas`."""
    return json.loads(SCHEMA_FILE.read_text("utf-8"))["provider_schemas"][PROVIDER]


def resource_block(type_name: str) -> Block:
    return load()["resource_schemas"][type_name]["block"]


def data_block(type_name: str) -> Block:
    return load()["data_source_schemas"][type_name]["block"]


def attributes(block: Block) -> dict[str, Any]:
    return block.get("attributes", {})


def blocks(block: Block) -> dict[str, Any]:
    return block.get("block_types", {})


def unconfigurable(block: Block, config: Any, path: str = "") -> Iterator[str]:
    """The dotted paths of attributes that `config` sets although only the service may."""
    for name, spec in attributes(block).items():
        if config.get(name) is not None and not (spec.get("optional") or spec.get("required")):
            yield path + name
    for name, nested in blocks(block).items():
        inner = config.get(name)
        for item in inner if isinstance(inner, list) else [inner]:
            if isinstance(item, dict):
                yield from unconfigurable(nested["block"], item, f"{path}{name}.")
