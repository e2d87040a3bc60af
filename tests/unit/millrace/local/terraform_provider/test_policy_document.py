"""The documents here are what hashicorp/aws writes for the same statements."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.local.terraform_provider.errors import DuplicateSid
from millrace.local.terraform_provider.policy_document import policy_document


def document(*statements: dict[str, Any], **config: Any) -> dict[str, Any]:
    return json.loads(policy_document({"statement": list(statements), **config})["json"])


def only(**statement: Any) -> dict[str, Any]:
    (found,) = document(statement)["Statement"]
    return found


def text(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_a_document_has_a_version_and_a_statement_an_effect() -> None:
    assert document({"actions": ["s3:GetObject"], "resources": ["*"]}) == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }


def test_one_value_is_a_string_and_several_are_a_list_in_descending_order() -> None:
    assert only(actions=["s3:A", "s3:C", "s3:B"], resources=["r"])["Action"] == ["s3:C", "s3:B", "s3:A"]
    assert only(actions=["s3:A"], resources=["r1", "r2"])["Resource"] == ["r2", "r1"]


def test_members_stand_in_the_providers_order() -> None:
    statement = only(
        sid="S",
        effect="Deny",
        not_actions=["s3:A"],
        not_resources=["r"],
        principals=[{"type": "AWS", "identifiers": ["x"]}],
        condition=[{"test": "Bool", "variable": "aws:SecureTransport", "values": ["false"]}],
    )
    assert list(statement) == ["Sid", "Effect", "NotAction", "NotResource", "Principal", "Condition"]


def test_everybody_is_a_star_only_where_the_type_is_one_too() -> None:
    everybody = {"type": "*", "identifiers": ["*"]}
    accounts = {"type": "AWS", "identifiers": ["*"]}
    assert only(actions=["a"], principals=[everybody])["Principal"] == "*"
    assert only(actions=["a"], principals=[accounts])["Principal"] == {"AWS": "*"}


def test_principals_of_one_type_stand_together() -> None:
    blocks = [{"type": "Service", "identifiers": ["a"]}, {"type": "Service", "identifiers": ["b"]}]
    assert only(actions=["a"], principals=blocks)["Principal"] == {"Service": ["b", "a"]}


def test_conditions_of_one_test_stand_together_and_their_values_keep_their_order() -> None:
    blocks = [
        {"test": "StringLike", "variable": "v", "values": ["b", "a"]},
        {"test": "StringLike", "variable": "v", "values": ["c"]},
        {"test": "StringLike", "variable": "u", "values": ["x"]},
    ]
    assert only(actions=["a"], condition=blocks)["Condition"] == {"StringLike": {"u": "x", "v": ["b", "a", "c"]}}


def test_an_escaped_variable_is_written_as_iam_reads_it() -> None:
    assert only(actions=["a"], resources=["home/&{aws:username}"])["Resource"] == "home/${aws:username}"


def test_sources_come_first_and_overrides_take_the_place_of_their_sid() -> None:
    own = {"sid": "Two", "actions": ["own"], "resources": ["*"]}
    found = document(
        own,
        source_policy_documents=[text({"Sid": "One", "Action": "source"}, {"Action": "unnamed"})],
        override_policy_documents=[text({"Sid": "One", "Action": "override"}, {"Sid": "Three", "Action": "last"})],
    )
    assert [statement["Action"] for statement in found["Statement"]] == ["override", "unnamed", "own", "last"]


def test_a_source_may_hold_one_statement_without_a_list() -> None:
    source = json.dumps({"Version": "2012-10-17", "Statement": {"Action": "a"}})
    assert document(source_policy_documents=[source])["Statement"] == [{"Action": "a"}]


def test_the_newest_version_and_the_last_id_hold() -> None:
    source = json.dumps({"Version": "2012-10-17", "Id": "source", "Statement": []})
    found = document({"actions": ["a"]}, source_policy_documents=[source], version="2008-10-17", policy_id="own")
    assert (found["Version"], found["Id"]) == ("2012-10-17", "own")


@pytest.mark.parametrize(
    "config",
    [
        {"statement": [{"sid": "S", "actions": ["a"]}, {"sid": "S", "actions": ["b"]}]},
        {"source_policy_documents": [text({"Sid": "S"}), text({"Sid": "S"})]},
    ],
)
def test_two_statements_with_one_sid_are_an_error_that_names_it(config: dict[str, Any]) -> None:
    with pytest.raises(DuplicateSid, match="'S'"):
        policy_document(config)


def test_the_same_statements_have_the_same_id_and_others_another() -> None:
    one, again, other = (policy_document({"statement": [{"actions": [action]}]}) for action in ("a", "a", "b"))
    assert one["id"] == again["id"] != other["id"]
    assert json.loads(one["minified_json"]) == json.loads(one["json"])
