"""Cases of SNS and SQS."""

from __future__ import annotations

import json
from typing import Any

from tests.local.terraform_provider.cases.case import (
    DEAD_QUEUE,
    NAME,
    OTHER,
    OTHER_TAGS,
    QUEUE,
    REGION_REFUSED,
    TAGS,
    TOPIC,
    Case,
    Client,
    by_hand,
    parsed,
    policy,
    some,
    tags,
)


def attributes_of_queue(client: Client) -> dict[str, str]:
    url = client("sqs").get_queue_url(QueueName=NAME)["QueueUrl"]
    return client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def set_queue(client: Client, **values: str) -> None:
    url = client("sqs").get_queue_url(QueueName=NAME)["QueueUrl"]
    client("sqs").set_queue_attributes(QueueUrl=url, Attributes=values)


def ask_subscription(client: Client) -> Any:
    found = subscription(client)
    return some(found, "Protocol", "Endpoint", "RawMessageDelivery", "FilterPolicy")


def subscription(client: Client) -> Any:
    (found,) = client("sns").list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
    return client("sns").get_subscription_attributes(SubscriptionArn=found["SubscriptionArn"])["Attributes"]


QUEUE_POLICY = policy("sqs:SendMessage", QUEUE, "events.amazonaws.com")
OTHER_QUEUE_POLICY = policy("sqs:ReceiveMessage", QUEUE, "events.amazonaws.com")
TOPIC_POLICY = policy("sns:Publish", TOPIC, "states.amazonaws.com")
OTHER_TOPIC_POLICY = policy("sns:Publish", TOPIC, "events.amazonaws.com")


def cases() -> dict[str, Case]:
    return {
        "aws_sns_topic": Case(
            minimal={"name": OTHER},
            full={"name": NAME, "display_name": "one", "kms_master_key_id": "alias/aws/sns", "tags": TAGS},
            changed={"display_name": "two", "tags": OTHER_TAGS},
            change="update",
            ask=lambda client: {
                **some(
                    client("sns").get_topic_attributes(TopicArn=TOPIC)["Attributes"],
                    "DisplayName",
                    "KmsMasterKeyId",
                ),
                "tags": tags(client("sns").list_tags_for_resource(ResourceArn=TOPIC)["Tags"]),
            },
            said={
                "DisplayName": "one",
                "KmsMasterKeyId": "alias/aws/sns",
                "tags": {**TAGS, "project": "contract"},
            },
            said_after={
                "DisplayName": "two",
                "KmsMasterKeyId": "alias/aws/sns",
                "tags": {**OTHER_TAGS, "project": "contract"},
            },
            drift=by_hand(
                "sns",
                "set_topic_attributes",
                TopicArn=TOPIC,
                AttributeName="DisplayName",
                AttributeValue="three",
            ),
            refused={"lambda_success_feedback_role_arn": "arn:aws:iam::123456789012:role/x"},
        ),
        "aws_sns_topic_policy": Case(
            minimal={
                "arn": "${aws_sns_topic.minimal.arn}",
                "policy": policy("sns:Publish", "${aws_sns_topic.minimal.arn}", "states.amazonaws.com"),
            },
            full={"arn": "${aws_sns_topic.full.arn}", "policy": TOPIC_POLICY},
            changed={"policy": OTHER_TOPIC_POLICY},
            change="update",
            ask=lambda client: parsed(client("sns").get_topic_attributes(TopicArn=TOPIC)["Attributes"]["Policy"]),
            said=parsed(TOPIC_POLICY),
            said_after=parsed(OTHER_TOPIC_POLICY),
            drift=by_hand(
                "sns",
                "set_topic_attributes",
                TopicArn=TOPIC,
                AttributeName="Policy",
                AttributeValue=TOPIC_POLICY.replace("sns:Publish", "sns:*"),
            ),
            refused=REGION_REFUSED,
        ),
        "aws_sns_topic_subscription": Case(
            minimal={
                "topic_arn": "${aws_sns_topic.minimal.arn}",
                "protocol": "email",
                "endpoint": "a@example.com",
            },
            full={
                "topic_arn": "${aws_sns_topic.full.arn}",
                "protocol": "sqs",
                "endpoint": "${aws_sqs_queue.full.arn}",
                "raw_message_delivery": True,
                "filter_policy": json.dumps({"status": ["failed"]}),
            },
            changed={"filter_policy": json.dumps({"status": ["failed", "finished"]})},
            change="update",
            ask=ask_subscription,
            said={
                "Protocol": "sqs",
                "Endpoint": QUEUE,
                "RawMessageDelivery": "true",
                "FilterPolicy": json.dumps({"status": ["failed"]}),
            },
            said_after={
                "Protocol": "sqs",
                "Endpoint": QUEUE,
                "RawMessageDelivery": "true",
                "FilterPolicy": json.dumps({"status": ["failed", "finished"]}),
            },
            drift=lambda client: client("sns").set_subscription_attributes(
                SubscriptionArn=subscription(client)["SubscriptionArn"],
                AttributeName="RawMessageDelivery",
                AttributeValue="false",
            ),
            refused={"replay_policy": "{}"},
        ),
        "aws_sqs_queue": Case(
            minimal={"name": f"{OTHER}.fifo", "fifo_queue": True, "content_based_deduplication": True},
            full={
                "name": NAME,
                "visibility_timeout_seconds": 60,
                "message_retention_seconds": 1209600,
                "sqs_managed_sse_enabled": True,
                "redrive_policy": json.dumps(
                    {"deadLetterTargetArn": "${aws_sqs_queue.dead.arn}", "maxReceiveCount": 5}
                ),
                "tags": TAGS,
            },
            changed={
                "visibility_timeout_seconds": 90,
                "redrive_policy": json.dumps(
                    {"deadLetterTargetArn": "${aws_sqs_queue.dead.arn}", "maxReceiveCount": 6}
                ),
            },
            change="update",
            ask=lambda client: (
                some(
                    attributes_of_queue(client),
                    "VisibilityTimeout",
                    "MessageRetentionPeriod",
                    "SqsManagedSseEnabled",
                )
                | {"redrive": parsed(attributes_of_queue(client).get("RedrivePolicy") or None)}
            ),
            said={
                "VisibilityTimeout": "60",
                "MessageRetentionPeriod": "1209600",
                "SqsManagedSseEnabled": "true",
                "redrive": {"deadLetterTargetArn": DEAD_QUEUE, "maxReceiveCount": 5},
            },
            said_after={
                "VisibilityTimeout": "90",
                "MessageRetentionPeriod": "1209600",
                "SqsManagedSseEnabled": "true",
                "redrive": {"deadLetterTargetArn": DEAD_QUEUE, "maxReceiveCount": 6},
            },
            drift=lambda client: set_queue(client, VisibilityTimeout="600"),
            refused={"timeouts": {"create": "1m"}},
        ),
        "aws_sqs_queue_policy": Case(
            minimal={
                "queue_url": "${aws_sqs_queue.minimal.id}",
                "policy": policy("sqs:SendMessage", "${aws_sqs_queue.minimal.arn}", "events.amazonaws.com"),
            },
            full={"queue_url": "${aws_sqs_queue.full.id}", "policy": QUEUE_POLICY},
            changed={"policy": OTHER_QUEUE_POLICY},
            change="update",
            ask=lambda client: parsed(attributes_of_queue(client)["Policy"]),
            said=parsed(QUEUE_POLICY),
            said_after=parsed(OTHER_QUEUE_POLICY),
            drift=lambda client: set_queue(client, Policy=QUEUE_POLICY.replace("sqs:SendMessage", "sqs:*")),
            refused=REGION_REFUSED,
        ),
    }
