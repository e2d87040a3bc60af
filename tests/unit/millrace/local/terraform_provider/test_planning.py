from __future__ import annotations

from typing import Any

from millrace.local.terraform_provider.planning import Plan, Rules, plan
from millrace.local.terraform_provider.wire import UNKNOWN

BLOCK: dict[str, Any] = {
    "attributes": {
        "name": {"type": "string", "required": True},
        "policy": {"type": "string", "optional": True},
        "size": {"type": "number", "optional": True},
        "arn": {"type": "string", "computed": True},
        "stamp": {"type": "string", "computed": True},
        "region": {"type": "string", "optional": True, "computed": True},
        "tags": {"type": ["map", "string"], "optional": True},
        "tags_all": {"type": ["map", "string"], "optional": True, "computed": True},
    },
    "block_types": {
        "rule": {
            "nesting_mode": "list",
            "block": {"attributes": {"key": {"type": "string"}, "id": {"type": "string", "computed": True}}},
        }
    },
}
CONFIG: dict[str, Any] = dict.fromkeys(BLOCK["attributes"]) | {"name": "n", "rule": []}
PRIOR: dict[str, Any] = CONFIG | {
    "size": 3,
    "arn": "a",
    "stamp": "old",
    "region": "eu-west-1",
    "tags_all": {"project": "p"},
}
RULES = Rules(
    defaults={"size": 3}, changes_in_place=lambda name, _prior, _new: name in ("size", "rule"), volatile=("stamp",)
)


def planned(prior: dict[str, Any] | None, config: dict[str, Any], proposed: dict[str, Any] | None = None) -> Plan:
    return plan(BLOCK, RULES, prior, config, proposed or config, "eu-west-1", {"project": "p"})


def proposed(**changes: Any) -> dict[str, Any]:
    """What Terraform proposes: the prior state with what the configuration changes."""
    return PRIOR | changes


def test_a_new_object_has_defaults_tags_and_a_region_and_what_is_computed_is_unknown() -> None:
    assert planned(None, CONFIG).state == CONFIG | {
        "size": 3,
        "arn": UNKNOWN,
        "stamp": UNKNOWN,
        "region": "eu-west-1",
        "tags_all": {"project": "p"},
    }


def test_own_tags_go_over_default_tags() -> None:
    tags = {"project": "own", "team": "t"}
    assert planned(None, CONFIG | {"tags": tags}).state["tags_all"] == tags


def test_tags_that_are_not_known_yet_make_all_tags_unknown() -> None:
    assert planned(None, CONFIG | {"tags": UNKNOWN}).state["tags_all"] == UNKNOWN


def test_nothing_changed_is_an_empty_plan() -> None:
    assert planned(PRIOR, CONFIG, proposed()) == Plan(PRIOR)


def test_what_the_service_can_change_is_an_update_and_what_it_stamps_is_unknown() -> None:
    found = planned(PRIOR, CONFIG | {"size": 4}, proposed(size=4))
    assert found.replace == ()
    assert found.state == PRIOR | {"size": 4, "stamp": UNKNOWN}


def test_what_the_service_cannot_change_is_a_replacement() -> None:
    assert planned(PRIOR, CONFIG | {"name": "m"}, proposed(name="m")).replace == ("name",)


def test_tags_are_never_a_replacement() -> None:
    found = planned(PRIOR, CONFIG | {"tags": {"a": "b"}}, proposed(tags={"a": "b"}))
    assert found.replace == ()
    assert found.state["tags_all"] == {"project": "p", "a": "b"}


def test_a_document_in_other_words_is_no_change() -> None:
    prior = PRIOR | {"policy": '{"a": 1, "b": 2}'}
    spaced = '{ "b": 2, "a": 1 }'
    assert planned(prior, CONFIG | {"policy": spaced}, prior | {"policy": spaced}) == Plan(prior)


def test_a_document_with_other_content_is_a_change() -> None:
    prior = PRIOR | {"policy": '{"a": 1}'}
    assert planned(prior, CONFIG | {"policy": '{"a": 2}'}, prior | {"policy": '{"a": 2}'}).replace == ("policy",)


def test_a_block_that_changed_forgets_what_was_computed_from_its_old_words() -> None:
    prior = PRIOR | {"rule": [{"key": "old", "id": "1"}]}
    config = CONFIG | {"rule": [{"key": "new", "id": None}]}
    found = planned(prior, config, prior | {"rule": [{"key": "new", "id": "1"}]})
    assert found.state["rule"] == [{"key": "new", "id": UNKNOWN}]


def test_a_value_that_is_not_known_yet_counts_as_a_change() -> None:
    assert planned(PRIOR, CONFIG | {"name": UNKNOWN}, proposed(name=UNKNOWN)).replace == ("name",)
