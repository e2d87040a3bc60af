"""CloudWatch: log groups, their resource policies, alarms, dashboards."""

from __future__ import annotations

from typing import Any

from millrace.local.terraform_provider.aws import Aws
from millrace.local.terraform_provider.reading import State
from millrace.local.terraform_provider.resource import ResourceType, arn_tags


class LogGroup(ResourceType):
    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method == "describe_log_groups":
            return {"logGroupNamePrefix": state["name"]}
        return request

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        return next((group for group in answer["logGroups"] if group["logGroupName"] == state["name"]), None)

    def finish(self, state: State, prior: State | None, aws: Aws) -> None:
        days = int(state.get("retention_in_days") or 0)
        if days == int((prior or {}).get("retention_in_days") or 0):
            return
        if days:
            aws.client("logs").put_retention_policy(logGroupName=state["name"], retentionInDays=days)
        else:
            aws.client("logs").delete_retention_policy(logGroupName=state["name"])

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        return {
            "arn": found["arn"].removesuffix(":*"),
            "kms_key_id": found.get("kmsKeyId"),
            "log_group_class": found.get("logGroupClass", "STANDARD"),
            "retention_in_days": found.get("retentionInDays", 0),
        }


class LogResourcePolicy(ResourceType):
    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        return {} if method == self.read else request

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        policies = answer["resourcePolicies"]
        return next((policy for policy in policies if policy["policyName"] == state["policy_name"]), None)


class Alarm(ResourceType):
    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        """A query that does not say so returns no data, by the provider; by the service it would."""
        if method != self.create:
            return {"AlarmNames": [state["alarm_name"]]}
        for query in request.get("Metrics", []):
            query.setdefault("ReturnData", False)
        return request

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        return next(iter(answer["MetricAlarms"]), None)

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        return {"arn": found["AlarmArn"]}


class Dashboard(ResourceType):
    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        return {"DashboardNames": [state["dashboard_name"]]} if method == self.delete else request


TYPES: dict[str, ResourceType] = {
    "aws_cloudwatch_log_group": LogGroup(
        "logs",
        "create_log_group",
        "describe_log_groups",
        "delete_log_group",
        {"logGroupName": "name"},
        found="logGroups",
        in_place=frozenset({"retention_in_days"}),
        defaults={"retention_in_days": 0, "skip_destroy": False},
        tagging=arn_tags("resourceArn"),
    ),
    "aws_cloudwatch_log_resource_policy": LogResourcePolicy(
        "logs",
        "put_resource_policy",
        "describe_resource_policies",
        "delete_resource_policy",
        {"policyName": "policy_name"},
        found="resourcePolicies",
        update="put_resource_policy",
    ),
    "aws_cloudwatch_metric_alarm": Alarm(
        "cloudwatch",
        "put_metric_alarm",
        "describe_alarms",
        "delete_alarms",
        {"AlarmName": "alarm_name"},
        found="MetricAlarms",
        update="put_metric_alarm",
        sent={
            "evaluate_low_sample_count_percentiles": "EvaluateLowSampleCountPercentile",
            "metric_query": "Metrics",
            "metric_query.metric": "MetricStat",
            "metric_query.metric.metric_name": "Metric.MetricName",
            "metric_query.metric.namespace": "Metric.Namespace",
            "metric_query.metric.dimensions": "Metric.Dimensions",
        },
        defaults={"actions_enabled": True, "treat_missing_data": "missing"},
        tagging=arn_tags("ResourceARN"),
    ),
    "aws_cloudwatch_dashboard": Dashboard(
        "cloudwatch",
        "put_dashboard",
        "get_dashboard",
        "delete_dashboards",
        {"DashboardName": "dashboard_name"},
        update="put_dashboard",
        answered={"dashboard_arn": "DashboardArn"},
    ),
}
