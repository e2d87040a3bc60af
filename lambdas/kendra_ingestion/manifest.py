"""The rules of the execution's input and of the manifest. Every error names the field and says what is
allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema

from kendra_ingestion.errors import ManifestInvalid
from kendra_ingestion.planning import FULL
from kendra_ingestion.strict_json import NotJson, parse, pointer, shown

MANIFEST_MAX_BYTES = 5 * 1024 * 1024
"""Our own limit: 100,000 ids to delete of 50 characters each fit."""

CONTROL_PATH = "/_control/manifest.json"
NOT_EMPTY = "a string that is not empty"
SHOWN_ERRORS = 3


class Request(NamedTuple):
    """The execution's input: which manifest to load. `of_event` is whether an event asks for it, and no person."""

    bucket: str
    key: str
    of_event: bool

    @property
    def prefix(self) -> str:
        """The folder that the manifest lies in."""
        return self.key.removesuffix(CONTROL_PATH)


class Manifest(NamedTuple):
    """A job, as its manifest describes it."""

    job_id: str
    prefix: str
    mode: str
    """FULL or CHANGED (planning)."""
    deletes: tuple[str, ...]
    retry_of: str | None


def read_request(given: object, *, ingestion_bucket: str) -> Request:
    """Check the execution's input: `{"bucket", "key", "sequencer"?}`; every event has a sequencer. Raises
    ManifestInvalid."""
    if not isinstance(given, dict):
        raise ManifestInvalid(f"input / is {shown(given)}; allowed: an object with bucket and key")
    for name in given:
        if name not in ("bucket", "key", "sequencer"):
            raise ManifestInvalid(f"input {pointer(name)} is not known; allowed: bucket, key, sequencer")
    for name in ("bucket", "key"):
        if name not in given:
            raise ManifestInvalid(f"input {pointer(name)} is missing; allowed: {NOT_EMPTY}")
    for name, value in given.items():
        if not isinstance(value, str) or not value:
            raise ManifestInvalid(f"input {pointer(name)} is {shown(value)}; allowed: {NOT_EMPTY}")
    request = Request(given["bucket"], given["key"], "sequencer" in given)
    if request.bucket != ingestion_bucket:
        raise ManifestInvalid(
            f"input /bucket is {shown(request.bucket)}; allowed: {shown(ingestion_bucket)}, "
            "the ingestion bucket of this deployment"
        )
    if not request.key.endswith(CONTROL_PATH) or request.prefix == "":
        raise ManifestInvalid(f"input /key is {shown(request.key)}; allowed: <prefix>{CONTROL_PATH}")
    return request


def check_size(size: int) -> None:
    """Refuse a manifest of more than 5 MiB, before its body is read. Raises ManifestInvalid."""
    if size > MANIFEST_MAX_BYTES:
        raise ManifestInvalid(
            f"manifest / has {size:,} bytes; allowed: at most {MANIFEST_MAX_BYTES:,}. "
            "Split its deletes over several jobs"
        )


def read_manifest(body: bytes, *, folder: str) -> Manifest:
    """Check a manifest that lies in `folder`. Raises ManifestInvalid."""
    check_size(len(body))
    try:
        fields = parse(body)
    except NotJson as error:
        raise ManifestInvalid(f"manifest / {error}; allowed: UTF-8 JSON without a byte order mark") from None
    problems = [_explain(error) for error in islice(_validator().iter_errors(fields), SHOWN_ERRORS)]
    if problems:
        raise ManifestInvalid("; ".join(problems))
    if fields["prefix"] != folder:
        raise ManifestInvalid(
            f"manifest /prefix is {shown(fields['prefix'])}; allowed: {shown(folder)}, "
            "the folder that the manifest lies in"
        )
    retry_of = fields.get("retryOf")
    if retry_of == fields["jobId"]:
        raise ManifestInvalid(
            f"manifest /retryOf is {shown(retry_of)}, this job's own id; allowed: the jobId of an earlier job"
        )
    return Manifest(
        fields["jobId"], fields["prefix"], fields.get("mode", FULL), tuple(fields.get("deletes", ())), retry_of
    )


@cache
def _validator() -> Any:
    schema = json.loads(Path(__file__).with_name("manifest.schema.json").read_text(encoding="utf-8"))
    rules = {"required": _required, "uniqueItems": _unique_strings}
    return jsonschema.validators.extend(jsonschema.Draft202012Validator, rules)(schema)


def _required(_: Any, names: list[str], fields: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
    """As JSON Schema's required, with the missing field as the error's path."""
    for name in names if isinstance(fields, dict) else ():
        if name not in fields:
            yield jsonschema.ValidationError("is missing", path=[name])


def _unique_strings(_: Any, wanted: bool, items: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
    """As JSON Schema's uniqueItems, for strings: the library compares what it cannot sort pair by pair, which
    takes hours for a manifest made of a million objects."""
    if not (wanted and isinstance(items, list)):
        return
    seen: set[str] = set()
    for place, item in enumerate(items):
        if isinstance(item, str):
            if item in seen:
                yield jsonschema.ValidationError(f"{shown(item)} is given twice", path=[place])
                return
            seen.add(item)


def _explain(error: Any) -> str:
    where = list(error.absolute_path)
    allowed = error.schema["description"]
    if error.validator == "required":
        allowed = error.schema["properties"][where[-1]]["description"]
        return f"manifest {pointer(*where)} is missing; allowed: {allowed}"
    if error.validator == "additionalProperties":
        unknown = next(name for name in error.instance if name not in error.schema["properties"])
        known = ", ".join(error.schema["properties"])
        return f"manifest {pointer(*where, unknown[:80])} is not known; allowed: {known}"
    if error.validator == "uniqueItems":
        return f"manifest {pointer(*where)}: {error.message}; allowed: {allowed}"
    if error.validator in ("minLength", "maxLength"):
        return f"manifest {pointer(*where)} has {len(error.instance):,} characters; allowed: {allowed}"
    if error.validator == "maxItems":
        return f"manifest {pointer(*where)} has {len(error.instance):,} entries; allowed: {allowed}"
    return f"manifest {pointer(*where)} is {shown(error.instance)}; allowed: {allowed}"
