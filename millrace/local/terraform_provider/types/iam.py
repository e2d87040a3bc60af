"""IAM: roles and the policies inside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millrace.local.terraform_provider.aws import Aws
from millrace.local.terraform_provider.reading import State
from millrace.local.terraform_provider.resource import ResourceType, Tagging


class Role(ResourceType):
    def finish(self, state: State, prior: State | None, aws: Aws) -> None:
        if prior is not None and state["assume_role_policy"] != prior["assume_role_policy"]:
            aws.client("iam").update_assume_role_policy(
                RoleName=state["name"], PolicyDocument=state["assume_role_policy"]
            )

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method == "create_role":
            request["AssumeRolePolicyDocument"] = state["assume_role_policy"]
        return request

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        return {"assume_role_policy": as_text(found["AssumeRolePolicyDocument"])}

    def clear_away(self, state: State, aws: Aws) -> None:
        if not state.get("force_detach_policies"):
            return
        client, name = aws.client("iam"), state["name"]
        for policy in client.list_role_policies(RoleName=name)["PolicyNames"]:
            client.delete_role_policy(RoleName=name, PolicyName=policy)
        for attached in client.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            client.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])


class RolePolicy(ResourceType):
    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        return {"id": f"{state['role']}:{state['name']}"}


def as_text(document: Any) -> str:
    """botocore decodes the policy documents of IAM's answers into objects."""
    import json

    return document if isinstance(document, str) else json.dumps(document)


TYPES: dict[str, ResourceType] = {
    "aws_iam_role": Role(
        "iam",
        "create_role",
        "get_role",
        "delete_role",
        {"RoleName": "name"},
        found="Role",
        update="update_role",
        answered={
            "name": "RoleName",
            "unique_id": "RoleId",
            "permissions_boundary": "PermissionsBoundary.PermissionsBoundaryArn",
        },
        in_place=frozenset({"assume_role_policy", "force_detach_policies"}),
        cleared={"description": ""},
        defaults={"path": "/", "max_session_duration": 3600, "force_detach_policies": False},
        tagging=Tagging("list_role_tags", "tag_role", "untag_role", ("RoleName", "name")),
    ),
    "aws_iam_role_policy": RolePolicy(
        "iam",
        "put_role_policy",
        "get_role_policy",
        "delete_role_policy",
        {"RoleName": "role", "PolicyName": "name"},
        update="put_role_policy",
        sent={"policy": "PolicyDocument"},
    ),
}
