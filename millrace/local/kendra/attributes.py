"""The attributes that an index knows, and whether a document's own fit them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from millrace.local.kendra.limits import CUSTOM_ATTRIBUTES, STRING_LIST_ITEMS

VALUE_MEMBERS = {
    "StringValue": "STRING_VALUE",
    "StringListValue": "STRING_LIST_VALUE",
    "LongValue": "LONG_VALUE",
    "DateValue": "DATE_VALUE",
}
# Every index has these from the start (developer guide, "Document attributes or fields").
BUILT_IN = {
    "_authors": "STRING_LIST_VALUE",
    "_category": "STRING_VALUE",
    "_created_at": "DATE_VALUE",
    "_data_source_id": "STRING_VALUE",
    "_document_body": "STRING_VALUE",
    "_document_id": "STRING_VALUE",
    "_document_title": "STRING_VALUE",
    "_excerpt_page_number": "LONG_VALUE",
    "_faq_id": "STRING_VALUE",
    "_file_type": "STRING_VALUE",
    "_language_code": "STRING_VALUE",
    "_last_updated_at": "DATE_VALUE",
    "_source_uri": "STRING_VALUE",
    "_tenant_id": "STRING_VALUE",
    "_version": "STRING_VALUE",
    "_view_count": "LONG_VALUE",
}

# A document of a custom data source carries it, but its name is longer than DescribeIndex can tell (30
# characters).
UNLISTED = {"_data_source_sync_job_execution_id": "STRING_VALUE"}

Configurations = dict[str, dict[str, Any]]


class WrongAttribute(Exception):
    """What is asked of an attribute cannot be; the message says which one and why."""


def built_in() -> Configurations:
    return {name: configuration({"Name": name, "Type": kind}) for name, kind in BUILT_IN.items()}


def configuration(given: Mapping[str, Any]) -> dict[str, Any]:
    """A DocumentMetadataConfiguration with the defaults of what was not given."""
    text = given["Type"] in ("STRING_VALUE", "STRING_LIST_VALUE")
    search = {"Facetable": False, "Searchable": text, "Displayable": True, "Sortable": False}
    return {
        "Name": given["Name"],
        "Type": given["Type"],
        "Relevance": {"Importance": 1, **given.get("Relevance", {})},
        "Search": {**search, **given.get("Search", {})},
    }


def updated(known: Configurations, updates: Sequence[Mapping[str, Any]]) -> Configurations:
    """The configurations after an UpdateIndex. Raises WrongAttribute."""
    after = dict(known)
    for update in updates:
        name = update["Name"]
        if name in after and after[name]["Type"] != update["Type"]:
            raise WrongAttribute(f"The type of the attribute {name} is {after[name]['Type']} and cannot be changed")
        if name not in after and name.startswith("_"):
            raise WrongAttribute(f"The attribute {name} is not one of Kendra's; names of your own have no leading _")
        after[name] = configuration({**after.get(name, {}), **update})
    if len(after) - len(BUILT_IN) > CUSTOM_ATTRIBUTES:
        raise WrongAttribute(f"An index has at most {CUSTOM_ATTRIBUTES} attributes of its own")
    return after


def flaw_of_value(attribute: Mapping[str, Any]) -> str | None:
    """Why the value cannot be a value at all: what Kendra refuses in its answer to the request."""
    given = [member for member in VALUE_MEMBERS if member in attribute["Value"]]
    if len(given) != 1:
        return f"The attribute {attribute['Key']} must have exactly one value, found {len(given)}"
    if len(attribute["Value"].get("StringListValue", [])) > STRING_LIST_ITEMS:
        return f"The attribute {attribute['Key']} has more than {STRING_LIST_ITEMS} strings"
    return None


def flaw_of_attributes(known: Configurations, attributes: Sequence[Mapping[str, Any]]) -> str | None:
    """Why the index cannot take the attributes: what fails a document later, while it is indexed."""
    for attribute in attributes:
        name = attribute["Key"]
        expected = known[name]["Type"] if name in known else UNLISTED.get(name)
        if expected is None:
            return f"No document metadata configuration found for document attribute key {name}"
        (member,) = (member for member in VALUE_MEMBERS if member in attribute["Value"])
        if VALUE_MEMBERS[member] != expected:
            return (
                f"The document attribute {name} has the type {VALUE_MEMBERS[member]}, but the index expects {expected}"
            )
    return None
