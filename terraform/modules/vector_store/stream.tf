# The way of a change from the stream to the router.

resource "aws_lambda_event_source_mapping" "stream" {
  event_source_arn                   = local.receipts.stream_arn
  function_name                      = module.function["router"].name
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
      destination_arn = module.stream_dead_letters.arn
    }
  }
}
