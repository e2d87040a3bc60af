"""SNS and SQS: topics, subscriptions, queues. Their settings are maps of strings called Attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from millrace.local.terraform_provider.aws import Aws
from millrace.local.terraform_provider.naming import dig, to_request
from millrace.local.terraform_provider.reading import State
from millrace.local.terraform_provider.resource import ResourceType, Tagging, arn_tags


def in_attributes(names: Mapping[str, str]) -> dict[str, str]:
    return {attribute: f"Attributes.{member}" for attribute, member in names.items()}


class Topic(ResourceType):
    """SNS sets one attribute a call."""

    setter = "set_topic_attributes"
    target = "TopicArn"

    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        return {"id": answer["TopicArn"], "arn": answer["TopicArn"]}

    def carries(self, attribute: str) -> bool:
        return attribute in self.sent

    def alter(self, prior: State, state: State, arguments: State, gone: Mapping[str, Any], aws: Aws) -> None:
        old, new = (self._attributes(each) for each in (prior, {**arguments, **gone}))
        for name in sorted(new):
            if old.get(name) != new[name]:
                getattr(aws.client("sns"), self.setter)(
                    **{self.target: state["arn"]}, AttributeName=name, AttributeValue=new[name]
                )

    def _attributes(self, arguments: State) -> dict[str, str]:
        return to_request(self.block, arguments, self.body(self.create), self.sent).get("Attributes", {})


class TopicPolicy(ResourceType):
    """A topic always has a policy; without this resource it is the owner's."""

    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        return {"id": state["arn"]}

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method == self.create:
            request |= {"AttributeName": "Policy", "AttributeValue": state["policy"]}
        return request

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        return {"policy": dig(found, ("Attributes", "Policy")), "owner": dig(found, ("Attributes", "Owner"))}

    def clear_away(self, state: State, aws: Aws) -> None:
        aws.client("sns").set_topic_attributes(
            TopicArn=state["arn"], AttributeName="Policy", AttributeValue=owners_policy(state["arn"])
        )


def owners_policy(topic: str) -> str:
    """The policy that SNS gives a new topic: everything for the account that owns it."""
    actions = (
        "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission",
        "DeleteTopic", "Subscribe", "ListSubscriptionsByTopic", "Publish",
    )  # fmt: skip
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in actions],
        "Resource": topic,
        "Condition": {"StringEquals": {"AWS:SourceOwner": topic.split(":")[4]}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})


class Subscription(Topic):
    """A subscription by e-mail has an ARN at once and waits for its confirmation."""

    setter = "set_subscription_attributes"
    target = "SubscriptionArn"

    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        return {"id": answer["SubscriptionArn"], "arn": answer["SubscriptionArn"]}

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method == "subscribe":
            request["ReturnSubscriptionArn"] = True
        return request


class Queue(ResourceType):
    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        return {"id": answer["QueueUrl"], "url": answer["QueueUrl"]}

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method == "get_queue_attributes":
            request["AttributeNames"] = ["All"]
        if method == "create_queue" and not state.get("fifo_queue"):
            request.get("Attributes", {}).pop("FifoQueue", None)  # SQS refuses the word false
        return request

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        return {"url": state["id"], "name": state["id"].rsplit("/", 1)[1]}


class QueuePolicy(ResourceType):
    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method == "get_queue_attributes":
            request["AttributeNames"] = ["All"]
        return request

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        return answer if dig(answer, ("Attributes", "Policy")) else None

    def clear_away(self, state: State, aws: Aws) -> None:
        aws.client("sqs").set_queue_attributes(QueueUrl=state["queue_url"], Attributes={"Policy": ""})


TYPES: dict[str, ResourceType] = {
    "aws_sns_topic": Topic(
        "sns",
        "create_topic",
        "get_topic_attributes",
        "delete_topic",
        {"Name": "name", "TopicArn": "arn"},
        update="set_topic_attributes",
        sent=in_attributes(
            {
                "content_based_deduplication": "ContentBasedDeduplication",
                "delivery_policy": "DeliveryPolicy",
                "display_name": "DisplayName",
                "fifo_topic": "FifoTopic",
                "kms_master_key_id": "KmsMasterKeyId",
                "policy": "Policy",
                "signature_version": "SignatureVersion",
                "tracing_config": "TracingConfig",
            }
        ),
        answered={"owner": "Attributes.Owner"},
        fixed=frozenset({"fifo_topic"}),
        cleared=dict.fromkeys(("delivery_policy", "display_name", "kms_master_key_id", "policy"), ""),
        tagging=arn_tags("ResourceArn"),
    ),
    "aws_sns_topic_policy": TopicPolicy(
        "sns",
        "set_topic_attributes",
        "get_topic_attributes",
        None,
        {"TopicArn": "arn"},
        update="set_topic_attributes",
        in_place=frozenset({"policy"}),
    ),
    "aws_sns_topic_subscription": Subscription(
        "sns",
        "subscribe",
        "get_subscription_attributes",
        "unsubscribe",
        {"TopicArn": "topic_arn", "SubscriptionArn": "arn"},
        update="set_subscription_attributes",
        sent=in_attributes(
            {
                "delivery_policy": "DeliveryPolicy",
                "filter_policy": "FilterPolicy",
                "filter_policy_scope": "FilterPolicyScope",
                "raw_message_delivery": "RawMessageDelivery",
                "redrive_policy": "RedrivePolicy",
                "subscription_role_arn": "SubscriptionRoleArn",
            }
        ),
        cleared=dict.fromkeys(("delivery_policy", "filter_policy", "redrive_policy"), ""),
        answered=in_attributes(
            {
                "confirmation_was_authenticated": "ConfirmationWasAuthenticated",
                "owner_id": "Owner",
                "pending_confirmation": "PendingConfirmation",
                "protocol": "Protocol",
                "endpoint": "Endpoint",
            }
        ),
    ),
    "aws_sqs_queue": Queue(
        "sqs",
        "create_queue",
        "get_queue_attributes",
        "delete_queue",
        {"QueueName": "name", "QueueUrl": "id"},
        update="set_queue_attributes",
        sent=in_attributes(
            {
                "content_based_deduplication": "ContentBasedDeduplication",
                "deduplication_scope": "DeduplicationScope",
                "delay_seconds": "DelaySeconds",
                "fifo_queue": "FifoQueue",
                "fifo_throughput_limit": "FifoThroughputLimit",
                "kms_data_key_reuse_period_seconds": "KmsDataKeyReusePeriodSeconds",
                "kms_master_key_id": "KmsMasterKeyId",
                "max_message_size": "MaximumMessageSize",
                "message_retention_seconds": "MessageRetentionPeriod",
                "policy": "Policy",
                "receive_wait_time_seconds": "ReceiveMessageWaitTimeSeconds",
                "redrive_allow_policy": "RedriveAllowPolicy",
                "redrive_policy": "RedrivePolicy",
                "sqs_managed_sse_enabled": "SqsManagedSseEnabled",
                "visibility_timeout_seconds": "VisibilityTimeout",
            }
        ),
        answered={"arn": "Attributes.QueueArn"},
        fixed=frozenset({"fifo_queue"}),
        cleared=dict.fromkeys(("kms_master_key_id", "policy"), ""),
        silent={"max_message_size": 1_048_576},
        defaults={
            "delay_seconds": 0,
            "fifo_queue": False,
            "message_retention_seconds": 345_600,
            "receive_wait_time_seconds": 0,
            "visibility_timeout_seconds": 30,
        },
        tagging=Tagging("list_queue_tags", "tag_queue", "untag_queue", ("QueueUrl", "id")),
    ),
    "aws_sqs_queue_policy": QueuePolicy(
        "sqs",
        "set_queue_attributes",
        "get_queue_attributes",
        None,
        {"QueueUrl": "queue_url"},
        update="set_queue_attributes",
        sent={"policy": "Attributes.Policy"},
    ),
}
