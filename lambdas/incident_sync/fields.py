"""Which attributes of an incident are read, as Terraform tells the functions. Others cost nothing and leak nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from incident_sync.errors import ConfigurationInvalid

KEY = "incident_id"
STATUS = "status"
MARK = "kb_sync_status"
VARIABLES = ("TEXT_FIELDS", "ATTRIBUTE_FIELDS", "DATE_FIELDS")
OURS = (KEY, STATUS, MARK)
"""Attributes that have a meaning of their own, so they can be no field."""

EPOCH_ENDING = "_epoch"
"""What a date's name ends in where it is seconds since 1970."""

FIELDS_MAX = 50
"""A mark's condition compares every field; with 50 its expression stays under DynamoDB's 4 KB (developer guide,
"Service, account, and table quotas": expression parameters)."""

NAME_MAX_CHARACTERS = 94
"""With `_epoch` a name has 100 characters, as many as Retrieve tells of an attribute's (API model)."""


class Fields(NamedTuple):
    """Names of attributes, in the order in which documents have them."""

    text: tuple[str, ...]
    """What people search; at least one."""
    attributes: tuple[str, ...]
    """What people filter by."""
    dates: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All that is read beside the key, in the order of a document."""
        return (*self.text, STATUS, *self.attributes, *self.dates)


def read_fields(environment: Mapping[str, str]) -> Fields:
    """Read TEXT_FIELDS, ATTRIBUTE_FIELDS and DATE_FIELDS, names with commas between them; the latter two may be empty.

    Raises ConfigurationInvalid, which names the variable."""
    fields = Fields(*(_names(environment, name) for name in VARIABLES))
    if not fields.text:
        raise ConfigurationInvalid(
            "environment variable TEXT_FIELDS is empty; a document needs at least one text field"
        )
    written = Counter(
        (*OURS, *fields.text, *fields.attributes, *fields.dates, *(date + EPOCH_ENDING for date in fields.dates))
    )
    twice = sorted(name for name, times in written.items() if times > 1)
    if twice:
        raise ConfigurationInvalid(
            f"environment variables {', '.join(VARIABLES)} name twice: {', '.join(twice)}; allowed: each name once, "
            f"none of {', '.join(OURS)}, and none that is a date field's with {EPOCH_ENDING}"
        )
    if len(fields.names) > FIELDS_MAX:
        raise ConfigurationInvalid(
            f"environment variables {', '.join(VARIABLES)} have {len(fields.names) - 1} names together; allowed: up to "
            f"{FIELDS_MAX - 1}, and {STATUS} is always read"
        )
    return fields


def _names(environment: Mapping[str, str], variable: str) -> tuple[str, ...]:
    if variable not in environment:
        raise ConfigurationInvalid(
            f"environment variable {variable} is missing; allowed: names with commas between them"
        )
    text = environment[variable]
    if not text.strip():
        return ()
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if not 1 <= len(name) <= NAME_MAX_CHARACTERS:
            raise ConfigurationInvalid(
                f"environment variable {variable} has a name of {len(name)} characters; "
                f"allowed: 1 to {NAME_MAX_CHARACTERS}"
            )
    return names
