"""Cases of CloudWatch."""

from __future__ import annotations

import json
from typing import Any

from tests.local.terraform_provider.cases.case import (
    NAME,
    OTHER,
    OTHER_TAGS,
    REGION_REFUSED,
    TAGS,
    TOPIC,
    Case,
    Client,
    by_hand,
    parsed,
    policy,
    some,
)


def ask_alarm(client: Client) -> Any:
    alarm = client("cloudwatch").describe_alarms(AlarmNames=[NAME])["MetricAlarms"][0]
    return some(alarm, "MetricName", "Threshold", "Dimensions", "AlarmActions", "TreatMissingData")


DASHBOARD = {"widgets": [{"type": "text", "width": 6, "height": 3, "properties": {"markdown": "one"}}]}
OTHER_DASHBOARD = {"widgets": [{"type": "text", "width": 6, "height": 3, "properties": {"markdown": "two"}}]}
LOGS_POLICY = policy("logs:PutLogEvents", "*", "events.amazonaws.com")
OTHER_LOGS_POLICY = policy("logs:CreateLogStream", "*", "events.amazonaws.com")


def cases() -> dict[str, Case]:
    alarm = {
        "comparison_operator": "GreaterThanThreshold",
        "evaluation_periods": 1,
        "metric_name": "Errors",
        "namespace": "Millrace",
        "period": 60,
        "statistic": "Sum",
        "threshold": 0.1,
    }
    return {
        "aws_cloudwatch_log_group": Case(
            minimal={"name": OTHER},
            full={"name": NAME, "retention_in_days": 30, "tags": TAGS},
            changed={"retention_in_days": 90, "tags": OTHER_TAGS},
            change="update",
            ask=lambda client: some(
                client("logs").describe_log_groups(logGroupNamePrefix=NAME)["logGroups"][0], "retentionInDays"
            ),
            said={"retentionInDays": 30},
            said_after={"retentionInDays": 90},
            drift=by_hand("logs", "delete_retention_policy", logGroupName=NAME),
            refused={"name_prefix": "x"},
        ),
        "aws_cloudwatch_log_resource_policy": Case(
            minimal={"policy_name": OTHER, "policy_document": LOGS_POLICY},
            full={"policy_name": NAME, "policy_document": LOGS_POLICY},
            changed={"policy_document": OTHER_LOGS_POLICY},
            change="update",
            ask=lambda client: [
                parsed(each["policyDocument"])
                for each in client("logs").describe_resource_policies()["resourcePolicies"]
                if each["policyName"] == NAME
            ],
            said=[parsed(LOGS_POLICY)],
            said_after=[parsed(OTHER_LOGS_POLICY)],
            drift=by_hand("logs", "delete_resource_policy", policyName=NAME),
            refused=REGION_REFUSED,
        ),
        "aws_cloudwatch_metric_alarm": Case(
            minimal={"alarm_name": OTHER, **alarm},
            full={
                "alarm_name": NAME,
                **alarm,
                "alarm_description": "documents fail",
                "dimensions": {"service": "kendra_ingestion"},
                "alarm_actions": ["${aws_sns_topic.full.arn}"],
                "treat_missing_data": "notBreaching",
                "tags": TAGS,
            },
            changed={"threshold": 2.5, "dimensions": {"service": "kb_sync"}},
            change="update",
            ask=ask_alarm,
            said={
                "MetricName": "Errors",
                "Threshold": 0.1,
                "Dimensions": [{"Name": "service", "Value": "kendra_ingestion"}],
                "AlarmActions": [TOPIC],
                "TreatMissingData": "notBreaching",
            },
            said_after={
                "MetricName": "Errors",
                "Threshold": 2.5,
                "Dimensions": [{"Name": "service", "Value": "kb_sync"}],
                "AlarmActions": [TOPIC],
                "TreatMissingData": "notBreaching",
            },
            drift=by_hand("cloudwatch", "delete_alarms", AlarmNames=[NAME]),
            refused=REGION_REFUSED,
        ),
        "aws_cloudwatch_dashboard": Case(
            minimal={"dashboard_name": OTHER, "dashboard_body": json.dumps({"widgets": []})},
            full={"dashboard_name": NAME, "dashboard_body": json.dumps(DASHBOARD)},
            changed={"dashboard_body": json.dumps(OTHER_DASHBOARD)},
            change="update",
            ask=lambda client: parsed(client("cloudwatch").get_dashboard(DashboardName=NAME)["DashboardBody"]),
            said=DASHBOARD,
            said_after=OTHER_DASHBOARD,
            drift=by_hand("cloudwatch", "put_dashboard", DashboardName=NAME, DashboardBody='{"widgets": []}'),
            refused=REGION_REFUSED,
        ),
    }
