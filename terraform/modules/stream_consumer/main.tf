# The way of a change from a table's stream to the function that hears of it.

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn                   = var.stream_arn
  function_name                      = var.function_name
  starting_position                  = "TRIM_HORIZON" # what changed while nobody read is heard of, too
  batch_size                         = 100
  maximum_batching_window_in_seconds = 1
  function_response_types            = ["ReportBatchItemFailures"]

  # A shard stands still while its oldest record fails, and a stream forgets after a day.
  bisect_batch_on_function_error = true
  maximum_retry_attempts         = 10
  maximum_record_age_in_seconds  = 21600

  destination_config {
    on_failure {
      destination_arn = var.dead_letter_queue_arn
    }
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ReadStream"
    actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
    resources = [var.stream_arn]
  }

  statement {
    sid     = "FindStream"
    actions = ["dynamodb:ListStreams"]
    # DynamoDB knows no resources for this action, and Lambda makes no mapping for a role without it.
    resources = ["*"]
  }

  statement {
    # Lambda itself sends, with the function's role.
    sid       = "KeepWhatFailed"
    actions   = ["sqs:SendMessage"]
    resources = [var.dead_letter_queue_arn]
  }
}
