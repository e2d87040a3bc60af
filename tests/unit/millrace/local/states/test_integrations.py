from __future__ import annotations

import pytest

from millrace.local.states.integrations import integration, sdk_service


@pytest.mark.parametrize(
    ("resource", "code", "status", "error"),
    [
        ("dynamodb:putItem", "ConditionalCheckFailedException", 400, "DynamoDB.ConditionalCheckFailedException"),
        ("dynamodb:putItem", "ValidationException", 400, "DynamoDB.AmazonDynamoDBException"),
        (
            "aws-sdk:dynamodb:putItem",
            "ConditionalCheckFailedException",
            400,
            "DynamoDb.ConditionalCheckFailedException",
        ),
        ("aws-sdk:dynamodb:putItem", "ValidationException", 400, "DynamoDb.DynamoDbException"),
        ("aws-sdk:sfn:describeExecution", "ExecutionDoesNotExist", 400, "Sfn.ExecutionDoesNotExistException"),
        ("aws-sdk:s3:getObject", "NoSuchKey", 404, "S3.NoSuchKeyException"),
        ("aws-sdk:s3:getObject", "AccessDenied", 403, "S3.S3Exception"),
        ("aws-sdk:s3:headObject", "404", 404, "S3.NoSuchKeyException"),
        ("aws-sdk:kendra:batchPutDocument", "ThrottlingException", 400, "Kendra.ThrottlingException"),
        ("aws-sdk:bedrockagent:startIngestionJob", "ConflictException", 409, "BedrockAgent.ConflictException"),
        ("lambda:invoke", "TooManyRequestsException", 429, "Lambda.TooManyRequestsException"),
        ("lambda:invoke", "AccessDeniedException", 403, "Lambda.AWSLambdaException"),
        ("states:startExecution", "ExecutionAlreadyExists", 400, "StepFunctions.ExecutionAlreadyExistsException"),
        ("sns:publish", "NotFound", 404, "SNS.NotFoundException"),
        ("sqs:sendMessage", "QueueDoesNotExist", 400, "SQS.QueueDoesNotExistException"),
    ],
)
def test_an_api_error_has_the_name_that_retry_and_catch_match(
    resource: str, code: str, status: int, error: str
) -> None:
    assert integration(f"arn:aws:states:::{resource}").error_name(code, status) == error


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("s3", "s3"),
        ("sfn", "stepfunctions"),
        ("cloudwatchlogs", "logs"),
        ("eventbridge", "events"),
        ("bedrockagent", "bedrock-agent"),
        ("cognitoidentityprovider", "cognito-idp"),
        ("stepfunctions", None),
        ("logs", None),
        ("nonsense", None),
    ],
)
def test_a_service_is_called_as_in_the_java_sdk(name: str, service: str | None) -> None:
    assert sdk_service(name) == service


def test_the_partition_of_a_resource_does_not_matter() -> None:
    assert integration("arn:aws-cn:states:::dynamodb:getItem").operation.name == "GetItem"


def test_a_token_that_the_sdk_makes_is_not_required() -> None:
    task = integration("arn:aws:states:::aws-sdk:bedrockagent:startIngestionJob")
    assert "ClientToken" in task.parameters - task.required
