mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  stream_arn            = "arn:aws:dynamodb:eu-west-1:123456789012:table/example/stream/2026-11-22T13:00:00.000"
  function_name         = "example-changes"
  dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:example-dead-letters"
}

run "reads_the_whole_stream_and_keeps_what_fails" {
  command = plan

  module {
    source = "./modules/stream_consumer"
  }

  assert {
    condition = [
      aws_lambda_event_source_mapping.this.event_source_arn,
      aws_lambda_event_source_mapping.this.function_name,
      aws_lambda_event_source_mapping.this.starting_position,
    ] == [var.stream_arn, "example-changes", "TRIM_HORIZON"]
    error_message = "The mapping is ${jsonencode(aws_lambda_event_source_mapping.this)}."
  }

  assert {
    condition = [
      aws_lambda_event_source_mapping.this.batch_size,
      aws_lambda_event_source_mapping.this.maximum_batching_window_in_seconds,
      aws_lambda_event_source_mapping.this.maximum_retry_attempts,
      aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds,
    ] == [100, 1, 10, 6 * 3600]
    error_message = "The mapping is ${jsonencode(aws_lambda_event_source_mapping.this)}."
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.this.bisect_batch_on_function_error
      && aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"])
    )
    error_message = "One bad record blocks the shard: ${jsonencode(aws_lambda_event_source_mapping.this)}."
  }

  assert {
    condition     = one(one(aws_lambda_event_source_mapping.this.destination_config).on_failure).destination_arn == var.dead_letter_queue_arn
    error_message = "What fails is lost."
  }
}

run "asks_for_one_stream_and_one_queue" {
  command = plan

  module {
    source = "./modules/stream_consumer"
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.this.statement : statement.sid => [statement.actions, statement.resources]
      } == {
      ReadStream = [
        toset(["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]),
        toset([var.stream_arn]),
      ]
      FindStream     = [toset(["dynamodb:ListStreams"]), toset(["*"])]
      KeepWhatFailed = [toset(["sqs:SendMessage"]), toset([var.dead_letter_queue_arn])]
    }
    error_message = "The function may ${jsonencode(data.aws_iam_policy_document.this.statement)}."
  }
}
