"""The queues' adapters against SQS's own checks: the fake could be wrong in the same way as the code."""

from __future__ import annotations

import boto3
from moto import mock_aws

from kendra_ingestion.documents import JobKey
from kendra_ingestion.inbox import Inbox
from kendra_ingestion.messages import Message, sealed
from kendra_ingestion.outbox import Outbox
from tests.fakes.clock import FakeClock


def test_what_is_sent_is_delivered_put_off_and_set_aside() -> None:
    job = JobKey("job-1", "run-1", "attempt-1")
    messages = [Message("delete", job, 0, request, to_delete=(f"old-{request}",)) for request in range(3)]
    with mock_aws():
        sqs = boto3.client("sqs", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")
        queue = sqs.create_queue(QueueName="del.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        aside = sqs.create_queue(QueueName="aside")["QueueUrl"]
        outbox = Outbox(sqs, queue, clock=FakeClock(), random=lambda: 1.0)
        outbox.send([sealed(message, 1) for message in messages])
        outbox.send([sealed(message, 1) for message in messages])
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
        records = [
            {
                "messageId": item["MessageId"],
                "receiptHandle": item["ReceiptHandle"],
                "body": item["Body"],
                "attributes": item["Attributes"],
            }
            for item in received
        ]
        inbox = Inbox(sqs, actions=["delete"], dead_letter_queue_url=aside)
        letters, stuck = inbox.open({"Records": [*records, records[0] | {"body": "\x09{"}]})
        assert [letter.message for letter in letters] == messages
        assert stuck == []
        inbox.put_off(queue, [(letter.delivery, 0) for letter in letters])
        (again, *_) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
        assert again["Attributes"]["ApproximateReceiveCount"] == "2"
        (found,) = sqs.receive_message(QueueUrl=aside, MessageAttributeNames=["All"])["Messages"]
        assert "not JSON" in found["MessageAttributes"]["reason"]["StringValue"]
