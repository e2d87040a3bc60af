from __future__ import annotations

import pytest

from incident_sync.errors import ConfigurationInvalid
from incident_sync.fields import FIELDS_MAX, NAME_MAX_CHARACTERS, Fields, read_fields


def environment(
    text: str = "title,description", attributes: str = "priority", dates: str = "created_at"
) -> dict[str, str]:
    return {"TEXT_FIELDS": text, "ATTRIBUTE_FIELDS": attributes, "DATE_FIELDS": dates}


def test_names_are_read_in_their_order() -> None:
    fields = read_fields(environment(" title , description", "tags,priority", "closed_at"))
    assert fields == Fields(("title", "description"), ("tags", "priority"), ("closed_at",))
    assert fields.names == ("title", "description", "status", "tags", "priority", "closed_at")


def test_only_a_text_field_is_needed() -> None:
    assert read_fields(environment("title", "", " ")) == Fields(("title",), (), ())


def test_as_many_fields_as_a_condition_holds_are_taken() -> None:
    names = [f"field_{number}" for number in range(FIELDS_MAX - 1)]
    assert len(read_fields(environment(",".join(names), "", "")).names) == FIELDS_MAX


@pytest.mark.parametrize("variable", ["TEXT_FIELDS", "ATTRIBUTE_FIELDS", "DATE_FIELDS"])
def test_a_variable_that_is_missing_is_named(variable: str) -> None:
    given = environment()
    del given[variable]
    with pytest.raises(ConfigurationInvalid, match=variable):
        read_fields(given)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (environment(text=""), "TEXT_FIELDS"),
        (environment(text="title,,description"), "TEXT_FIELDS"),
        (environment(attributes="priority,"), "ATTRIBUTE_FIELDS"),
        (environment(dates="d" * (NAME_MAX_CHARACTERS + 1)), "DATE_FIELDS"),
        (environment(text="title,title"), "title"),
        (environment(text="title", attributes="title"), "title"),
        (environment(text="incident_id"), "incident_id"),
        (environment(attributes="status"), "status"),
        (environment(attributes="kb_sync_status"), "kb_sync_status"),
        (environment(attributes="created_at_epoch"), "created_at_epoch"),
        (environment(",".join(f"field_{number}" for number in range(FIELDS_MAX)), "", ""), str(FIELDS_MAX - 1)),
    ],
)
def test_names_that_cannot_be_are_refused(given: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=named):
        read_fields(given)
