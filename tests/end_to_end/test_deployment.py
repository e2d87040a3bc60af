"""`terraform apply` twice changes nothing, and `terraform destroy` leaves nothing."""

from __future__ import annotations

from pathlib import Path

from millrace.local import deploy
from tests.end_to_end.stack import Stack, pair


def left_over(stack: Stack) -> dict[str, list[str]]:
    """What Terraform could have made and is still there, by service; asked of the services themselves."""
    client = stack.client
    return {
        "buckets": [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]],
        "functions": [item["FunctionName"] for item in client("lambda").list_functions()["Functions"]],
        "layers": [item["LayerName"] for item in client("lambda").list_layers()["Layers"]],
        "machines": [item["name"] for item in client("stepfunctions").list_state_machines()["stateMachines"]],
        "tables": client("dynamodb").list_tables()["TableNames"],
        "topics": [item["TopicArn"] for item in client("sns").list_topics()["Topics"]],
        "queues": [url for url in client("sqs").list_queues().get("QueueUrls", []) if url != stack.inbox],
        "rules": [item["Name"] for item in client("events").list_rules()["Rules"]],
        "roles": [item["RoleName"] for item in client("iam").list_roles()["Roles"]],
        "log groups": [item["logGroupName"] for item in client("logs").describe_log_groups()["logGroups"]],
    }


def test_apply_twice_changes_nothing_and_destroy_leaves_nothing(tmp_path: Path) -> None:
    stack = Stack.up(tmp_path / "stack")
    try:
        assert all(left_over(stack).values()), "the stack is not there"
        stack.upload("folder", pair("one"))
        assert stack.run("folder", "one").status == "SUCCEEDED"
        assert deploy.plan(stack.instance) == [], "neither a second apply nor a run may look like a change"
        deploy.destroy(stack.instance)
        assert not {kind: names for kind, names in left_over(stack).items() if names}
    finally:
        stack.instance.stop()
