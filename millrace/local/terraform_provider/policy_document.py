"""The data source aws_iam_policy_document: statements as the JSON document that hashicorp/aws makes of them.

As there: one value is written as a string, several as a list in descending order; condition values keep their order;
statements keep theirs, and one with the Sid of an earlier one takes its place; `&{` stands for `${`.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from millrace.local.terraform_provider.errors import DuplicateSid

DEFAULT_VERSION = "2012-10-17"
LISTS = {
    "actions": "Action",
    "not_actions": "NotAction",
    "resources": "Resource",
    "not_resources": "NotResource",
}
PRINCIPALS = {"principals": "Principal", "not_principals": "NotPrincipal"}

Statement = dict[str, Any]


def policy_document(config: Mapping[str, Any]) -> dict[str, Any]:
    """The data source's computed attributes: json, minified_json and id. Raises DuplicateSid."""
    sources = [json.loads(text) for text in config.get("source_policy_documents") or [] if text]
    overrides = [json.loads(text) for text in config.get("override_policy_documents") or [] if text]
    _refuse_duplicates("source_policy_documents", (each for source in sources for each in statements_of(source)))
    own = [statement(each) for each in config.get("statement") or []]
    _refuse_duplicates("statement", own)

    this = {
        "Version": config.get("version") or DEFAULT_VERSION,
        "Id": config.get("policy_id"),
        "Statement": own,
    }
    document = merge([*sources, this, *overrides])
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return {
        "json": text,
        "minified_json": json.dumps(document, separators=(",", ":"), ensure_ascii=False),
        "id": str(zlib.crc32(text.encode())),
    }


def statement(block: Mapping[str, Any]) -> Statement:
    result: Statement = {"Sid": block.get("sid"), "Effect": block.get("effect") or "Allow"}
    for attribute, member in LISTS.items():
        result[member] = one_or_many(block.get(attribute))
    for attribute, member in PRINCIPALS.items():
        result[member] = principals(block.get(attribute) or [])
    conditions: dict[str, dict[str, list[str]]] = {}
    for condition in block.get("condition") or []:
        values = conditions.setdefault(condition["test"], {}).setdefault(condition["variable"], [])
        values += [_variables(value) for value in condition["values"]]
    result["Condition"] = {
        test: {name: values[0] if len(values) == 1 else values for name, values in sorted(variables.items())}
        for test, variables in sorted(conditions.items())
    }
    return {member: value for member, value in result.items() if value}


def principals(blocks: Iterable[Mapping[str, Any]]) -> Any:
    by_type: dict[str, list[str]] = {}
    for block in blocks:
        by_type.setdefault(block["type"], []).extend(block["identifiers"])
    if by_type == {"*": ["*"]}:
        return "*"
    return {kind: one_or_many(identifiers) for kind, identifiers in sorted(by_type.items())}


def one_or_many(values: Iterable[str] | None) -> Any:
    ordered = sorted(map(_variables, values or []), reverse=True)
    return ordered[0] if len(ordered) == 1 else ordered


def statements_of(document: Mapping[str, Any]) -> list[Statement]:
    """IAM also takes one statement without a list around it."""
    statements = document.get("Statement", [])
    return [statements] if isinstance(statements, dict) else statements


def merge(documents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    version, name = "", None
    statements: list[Statement] = []
    for document in documents:
        version = max(version, document.get("Version") or "")
        name = document.get("Id") or name
        for new in statements_of(document):
            place = next(
                (at for at, old in enumerate(statements) if new.get("Sid") and old.get("Sid") == new["Sid"]),
                None,
            )
            if place is None:
                statements.append(new)
            else:
                statements[place] = new
    whole = {"Version": version, "Id": name, "Statement": statements}
    return {member: value for member, value in whole.items() if value}


def _variables(value: str) -> str:
    return value.replace("&{", "${")


def _refuse_duplicates(where: str, statements: Iterable[Statement]) -> None:
    seen = set()
    for sid in filter(None, (each.get("Sid") for each in statements)):
        if sid in seen:
            raise DuplicateSid(f"{where}: two statements have the Sid {sid!r}; give each its own")
        seen.add(sid)
