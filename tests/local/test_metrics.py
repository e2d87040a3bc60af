"""From a function's log, or an execution's end, to an alarm that tells a topic, as CloudWatch treats it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance
from tests.fakes.deployed import eventually, function, invoke, name, role

pytestmark = pytest.mark.network

EMITS = """
    import json, time
    def handler(event, context):
        metrics = [{"Name": "SyncErrors", "Unit": "Count"}, {"Name": "SyncDuration", "Unit": "Seconds"}]
        directive = {"Namespace": event["namespace"], "Dimensions": [["service"]], "Metrics": metrics}
        told = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
        print(json.dumps({"_aws": told, "service": "incident_sync", "SyncErrors": [2, 1], "SyncDuration": 7.5}))
        return event["fails"] and 1 / 0
"""
SERVICE = [{"Name": "service", "Value": "incident_sync"}]


def window() -> dict[str, dt.datetime]:
    now = dt.datetime.now(dt.UTC)
    return {"StartTime": now - dt.timedelta(minutes=10), "EndTime": now + dt.timedelta(minutes=1)}


def total(aws: Instance, namespace: str, metric: str, dimensions: list[dict[str, str]]) -> float:
    asked = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    found = aws.client("cloudwatch").get_metric_statistics(**asked, **window(), Period=60, Statistics=["Sum"])
    return sum(point["Sum"] for point in found["Datapoints"])


def topic_with_queue(aws: Instance) -> tuple[str, str]:
    """A topic's ARN, and the URL of a queue that gets what it says."""
    sqs, sns = aws.client("sqs"), aws.client("sns")
    topic = sns.create_topic(Name=name("topic"))["TopicArn"]
    called = name("queue")
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{called}"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    url = sqs.create_queue(QueueName=called, Attributes={"Policy": policy})["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, url


def told(aws: Instance, url: str) -> list[dict[str, Any]]:
    messages = aws.client("sqs").receive_message(QueueUrl=url).get("Messages", [])
    return [json.loads(json.loads(message["Body"])["Message"]) for message in messages]


def state(aws: Instance, alarm: str) -> str:
    (found,) = [each for each in aws.evaluate_alarms() if each["name"] == alarm]
    return str(found["state"])


def stat(namespace: str, metric: str, dimensions: Mapping[str, str], statistic: str = "Sum") -> dict[str, Any]:
    listed = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    measured = {"Namespace": namespace, "MetricName": metric, "Dimensions": listed}
    return {"Metric": measured, "Period": 300, "Stat": statistic}


def test_what_a_function_writes_in_the_embedded_format_becomes_metrics(embedded_aws: Instance) -> None:
    namespace = name("IncidentKBSync")
    emits = function(embedded_aws, EMITS)
    invoke(embedded_aws, emits, {"namespace": namespace, "fails": False})
    assert total(embedded_aws, namespace, "SyncErrors", SERVICE) == 3
    assert total(embedded_aws, namespace, "SyncDuration", SERVICE) == 7.5
    assert total(embedded_aws, namespace, "SyncErrors", [{"Name": "service", "Value": "other"}]) == 0


def test_functions_count_their_invocations_and_errors_once(embedded_aws: Instance) -> None:
    emits = function(embedded_aws, EMITS)
    for fails in (False, True):
        invoke(embedded_aws, emits, {"namespace": "any", "fails": fails})
    of_function = [{"Name": "FunctionName", "Value": emits}]
    assert total(embedded_aws, "AWS/Lambda", "Invocations", of_function) == 2
    assert total(embedded_aws, "AWS/Lambda", "Errors", of_function) == 1


def test_an_alarm_on_a_sum_tells_its_topic_once_and_recovers(embedded_aws: Instance) -> None:
    cloudwatch, namespace, alarm = embedded_aws.client("cloudwatch"), name("space"), name("alarm")
    topic, url = topic_with_queue(embedded_aws)
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace=namespace,
        MetricName="Errors",
        Dimensions=SERVICE,
        Statistic="Sum",
        Period=1,
        EvaluationPeriods=2,
        DatapointsToAlarm=1,
        Threshold=3,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
    )
    datum = {"MetricName": "Errors", "Value": 2, "Dimensions": SERVICE}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{**datum, "Dimensions": []}, datum])
    assert state(embedded_aws, alarm) == "OK"
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum, datum, datum])
    assert state(embedded_aws, alarm) == "ALARM"
    (said,) = eventually(lambda: told(embedded_aws, url))
    assert (said["AlarmName"], said["OldStateValue"], said["NewStateValue"]) == (alarm, "OK", "ALARM")
    eventually(lambda: state(embedded_aws, alarm) == "OK")
    assert told(embedded_aws, url) == []


def an_alarm_of(aws: Instance, expression: str, stats: Mapping[str, dict[str, Any]], **more: Any) -> str:
    called = name("alarm")
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=called,
        Metrics=[
            {"Id": "seen", "Expression": expression, "Label": "seen", "ReturnData": True},
            *({"Id": each, "MetricStat": found, "ReturnData": False} for each, found in stats.items()),
        ],
        EvaluationPeriods=3,
        DatapointsToAlarm=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        **more,
    )
    return called


def test_an_alarm_on_an_expression_with_executions_that_failed_tells_its_topic(embedded_aws: Instance) -> None:
    states = embedded_aws.client("stepfunctions")
    failing = {"StartAt": "Fail", "States": {"Fail": {"Type": "Fail", "Error": "Any", "Cause": "any"}}}
    machine = states.create_state_machine(
        name=name("machine"), definition=json.dumps(failing), roleArn=role(embedded_aws, "states")
    )["stateMachineArn"]
    topic, url = topic_with_queue(embedded_aws)
    of_machine = {"StateMachineArn": machine}
    alarm = an_alarm_of(
        embedded_aws,
        "FILL(errors, 0) + FILL(failed, 0) + FILL(aborted, 0)",
        {
            "errors": stat("IncidentKBSync", "SyncErrors", {"service": "nobody"}),
            "failed": stat("AWS/States", "ExecutionsFailed", of_machine),
            "aborted": stat("AWS/States", "ExecutionsAborted", of_machine),
        },
        AlarmActions=[topic],
    )
    assert state(embedded_aws, alarm) == "OK"
    states.start_execution(stateMachineArn=machine)
    eventually(lambda: state(embedded_aws, alarm) == "ALARM")
    (said,) = eventually(lambda: told(embedded_aws, url))
    assert said["NewStateValue"] == "ALARM"
    listed = [{"Name": "StateMachineArn", "Value": machine}]
    assert total(embedded_aws, "AWS/States", "ExecutionsStarted", listed) == 1
    assert total(embedded_aws, "AWS/States", "ExecutionsSucceeded", listed) == 0


def test_a_message_in_a_queue_is_seen_by_its_alarm(embedded_aws: Instance) -> None:
    sqs, called = embedded_aws.client("sqs"), name("queue")
    url = sqs.create_queue(QueueName=called)["QueueUrl"]
    depth = stat("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": called}, "Maximum")
    alarm = an_alarm_of(embedded_aws, "FILL(depth, 0)", {"depth": depth})
    assert state(embedded_aws, alarm) == "OK"
    sqs.send_message(QueueUrl=url, MessageBody="dead")
    assert state(embedded_aws, alarm) == "ALARM"


def test_the_age_of_the_oldest_message_is_seen_by_its_alarm(embedded_aws: Instance) -> None:
    sqs, called = embedded_aws.client("sqs"), f"{name('queue')}.fifo"
    url = sqs.create_queue(QueueName=called, Attributes={"FifoQueue": "true"})["QueueUrl"]
    age = stat("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": called}, "Maximum")
    alarm = an_alarm_of(embedded_aws, "age * 5", {"age": age})
    assert state(embedded_aws, alarm) == "OK"
    sqs.send_message(QueueUrl=url, MessageBody="waits", MessageGroupId="g", MessageDeduplicationId="d")
    assert eventually(lambda: state(embedded_aws, alarm) == "ALARM")


def test_an_alarm_of_an_expression_is_described_as_it_was_made(embedded_aws: Instance) -> None:
    alarm = an_alarm_of(embedded_aws, "FILL(m, 0) - 1", {"m": stat("A", "B", {"c": "d"})})
    (found,) = embedded_aws.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    assert [query["Id"] for query in found["Metrics"]] == ["seen", "m"]
    assert found["Metrics"][0]["Expression"] == "FILL(m, 0) - 1"
    assert found["Metrics"][1]["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "c", "Value": "d"}]
    assert found.keys().isdisjoint({"MetricName", "Namespace", "Statistic", "Period", "Dimensions"})


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("RATE(m)", "metric math has no RATE"),
        ("m + other", "there is no query other"),
        ("m +", "something is missing before the end"),
    ],
)
def test_an_expression_that_cannot_be_evaluated_is_refused(embedded_aws: Instance, expression: str, words: str) -> None:
    with pytest.raises(ClientError, match="ValidationError") as refused:
        an_alarm_of(embedded_aws, expression, {"m": stat("A", "B", {})})
    assert words in str(refused.value)


def test_metric_data_knows_expressions(embedded_aws: Instance) -> None:
    cloudwatch, namespace = embedded_aws.client("cloudwatch"), name("space")
    for metric, value in (("Started", 3), ("Completed", 1)):
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": metric, "Value": value}])
    queries = [
        {"Id": "missing", "Expression": "started - completed"},
        {"Id": "started", "MetricStat": stat(namespace, "Started", {}), "ReturnData": False},
        {"Id": "completed", "MetricStat": stat(namespace, "Completed", {}), "ReturnData": False},
    ]
    (found,) = cloudwatch.get_metric_data(MetricDataQueries=queries, **window())["MetricDataResults"]
    assert (found["Id"], found["Values"], found["StatusCode"]) == ("missing", [2], "Complete")
