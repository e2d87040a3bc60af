mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix                    = "example"
  image_uri                      = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/millrace/vector-store:1"
  export_buckets                 = []
  queue_mode                     = "standard"
  change_batching_window_seconds = 20
  overdue_minutes                = 10
  snapshot_retention_days        = 7
  notifications_topic_arn        = "arn:aws:sns:eu-west-1:123456789012:example-notifications"
  package                        = "tests/package/vector_store.zip"
  layers                         = ["arn:aws:lambda:eu-west-1:123456789012:layer:example-dependencies:1"]
  log_retention_days             = 30

  store_bucket = {
    name = "example-store"
    arn  = "arn:aws:s3:::example-store"
  }

  receipts_table = {
    name      = "receipts"
    create    = true
    protected = true
  }

  embed = {
    consumer            = "lambda"
    image_uri           = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/millrace/embed:1" # which a function does not use
    concurrency         = 8
    requests_per_second = 30
    dimension           = 512
  }

  compact = {
    memory_mb  = 2048
    storage_mb = 4096
  }

  compaction = {
    poll_seconds           = 1
    seconds_between_starts = 10
    sweep_minutes          = 5
  }
}

run "collects_changes_embeds_by_a_function_that_is_alone_and_tells_whoever_is_on_call_what_is_wrong" {
  command = apply

  module {
    source = "./modules/vector_store"
  }

  assert {
    condition = alltrue([
      for mapping in aws_lambda_event_source_mapping.changes :
      [mapping.batch_size, mapping.maximum_batching_window_in_seconds] == [10000, 20]
    ])
    error_message = "The mappings are ${jsonencode(aws_lambda_event_source_mapping.changes)}."
  }

  assert {
    condition     = contains(keys(module.function), "embed") && length(aws_ecs_service.embed) == 0 && length(module.task_role) == 0
    error_message = "Both embed, or a task that was not asked for."
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.embed[0].batch_size == 10
      && one(aws_lambda_event_source_mapping.embed[0].scaling_config).maximum_concurrency == 2
      && aws_lambda_event_source_mapping.embed[0].maximum_batching_window_in_seconds == null
    )
    error_message = "The mapping is ${jsonencode(aws_lambda_event_source_mapping.embed)}."
  }

  assert {
    condition     = { for name, queue in local.queues : name => queue.visibility_timeout } == { lines = 740, words = 740, embed = 5400 }
    error_message = "Messages are hidden for ${jsonencode(local.queues)}."
  }

  assert {
    condition = {
      for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name => [
        one([for query in alarm.metric_query : query.expression if query.return_data == true]),
        alarm.threshold,
        alarm.treat_missing_data,
      ]
      } == {
      example-vector-dead-letters = ["MAX([FILL(dead_changes, 0), FILL(dead_embed, 0), FILL(dead_stream, 0)])", 1, "notBreaching"]
      example-vector-overdue      = ["MAX([oldest_lines, oldest_words])", 2400, "missing"]
      example-vector-compaction   = ["MAX([FILL(aborted, 0), FILL(failed, 0), FILL(timed_out, 0)])", 1, "notBreaching"]
      example-vector-set-aside    = ["MAX([FILL(aside_lines, 0), FILL(aside_words, 0)])", 1, "notBreaching"]
      example-vector-embedding    = ["MAX([FILL(embed_age, 0)])", 3600, "notBreaching"]
      example-vector-drift        = ["MAX([FILL(drifting_lines, 0), FILL(drifting_words, 0)])", 1, "notBreaching"]
    }
    error_message = "The alarms are ${jsonencode(aws_cloudwatch_metric_alarm.this)}."
  }

  assert {
    condition = merge([
      for alarm in aws_cloudwatch_metric_alarm.this : {
        for query in alarm.metric_query : query.id => [
          one(query.metric).namespace,
          one(query.metric).metric_name,
          one(query.metric).stat,
          one(query.metric).dimensions,
        ] if length(query.metric) == 1
      }
      ]...) == {
      oldest_lines   = ["Millrace", "OldestPendingDeltaSeconds", "Maximum", tomap({ service = "example-vector-store", collection = "lines" })]
      oldest_words   = ["Millrace", "OldestPendingDeltaSeconds", "Maximum", tomap({ service = "example-vector-store", collection = "words" })]
      aside_lines    = ["Millrace", "DeltasSetAside", "Maximum", tomap({ service = "example-vector-store", collection = "lines" })]
      aside_words    = ["Millrace", "DeltasSetAside", "Maximum", tomap({ service = "example-vector-store", collection = "words" })]
      drifting_lines = ["Millrace", "DriftingRecords", "Maximum", tomap({ service = "example-vector-store", collection = "lines" })]
      drifting_words = ["Millrace", "DriftingRecords", "Maximum", tomap({ service = "example-vector-store", collection = "words" })]
      failed         = ["AWS/States", "ExecutionsFailed", "Sum", tomap({ StateMachineArn = output.compaction_state_machine_arn })]
      timed_out      = ["AWS/States", "ExecutionsTimedOut", "Sum", tomap({ StateMachineArn = output.compaction_state_machine_arn })]
      aborted        = ["AWS/States", "ExecutionsAborted", "Sum", tomap({ StateMachineArn = output.compaction_state_machine_arn })]
      embed_age      = ["AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", tomap({ QueueName = "example-embed-ndjson.fifo" })]
      dead_changes   = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", tomap({ QueueName = "example-vector-changes-dead-letters" })]
      dead_embed     = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", tomap({ QueueName = "example-embed-ndjson-dead-letters.fifo" })]
      dead_stream    = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", tomap({ QueueName = "example-vector-stream-dead-letters" })]
    }
    error_message = "The alarms look at ${jsonencode(values(aws_cloudwatch_metric_alarm.this)[*].metric_query)}."
  }

  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.this :
      alarm.alarm_actions == toset([var.notifications_topic_arn])
      && alarm.datapoints_to_alarm == 1
      && (name == "overdue") == (alarm.insufficient_data_actions != null)
    ])
    error_message = "The alarms are ${jsonencode(aws_cloudwatch_metric_alarm.this)}."
  }

  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.this : alltrue([
        for query in alarm.metric_query :
        alarm.evaluation_periods * one(query.metric).period == (name == "drift" ? 86400 : 900) if length(query.metric) == 1
      ])
    ])
    error_message = "CloudWatch lets alarms look back a day at most, and each is to see its last measurement."
  }
}

run "does_not_wait_for_more_changes_where_there_is_no_window" {
  command = plan

  module {
    source = "./modules/vector_store"
  }

  variables {
    change_batching_window_seconds = 0
  }

  assert {
    condition = alltrue([
      for mapping in aws_lambda_event_source_mapping.changes :
      [mapping.batch_size, mapping.maximum_batching_window_in_seconds] == [10, 0]
    ])
    error_message = "Lambda takes more than ten messages only with a window: ${jsonencode(aws_lambda_event_source_mapping.changes)}."
  }
}

run "takes_changes_in_their_order_from_fifo_queues" {
  command = plan

  module {
    source = "./modules/vector_store"
  }

  variables {
    queue_mode = "fifo"
  }

  assert {
    condition = alltrue([
      for mapping in aws_lambda_event_source_mapping.changes :
      mapping.batch_size == 10 && mapping.maximum_batching_window_in_seconds == null
    ])
    error_message = "Lambda takes ten messages of a FIFO queue, without a window: ${jsonencode(aws_lambda_event_source_mapping.changes)}."
  }

  assert {
    condition = sort(concat(values(module.queue)[*].name, values(local.dead_letter_queues)[*].name)) == tolist([
      "example-embed-ndjson-dead-letters.fifo",
      "example-embed-ndjson.fifo",
      "example-lines.fifo",
      "example-vector-changes-dead-letters.fifo",
      "example-vector-stream-dead-letters",
      "example-words.fifo",
    ])
    error_message = "The queues are ${jsonencode(concat(values(module.queue)[*].name, values(local.dead_letter_queues)[*].name))}."
  }
}

run "embeds_by_a_task_in_place_of_the_function" {
  command = apply

  module {
    source = "./modules/vector_store"
  }

  variables {
    embed = {
      consumer            = "ecs"
      image_uri           = "210987654321.dkr.ecr.eu-central-1.amazonaws.com/team/millrace/embed@sha256:0000000000000000000000000000000000000000000000000000000000000000"
      subnet_ids          = ["subnet-0123456789abcdef0"]
      security_group_ids  = ["sg-0123456789abcdef0"]
      assign_public_ip    = true
      concurrency         = 8
      requests_per_second = 12.5
      dimension           = 1024
    }
  }

  assert {
    condition     = !contains(keys(module.function), "embed") && length(aws_lambda_event_source_mapping.embed) == 0
    error_message = "The function embeds beside the task."
  }

  assert {
    condition     = local.queues.embed.visibility_timeout == 120 && local.queues.embed.max_receive_count == 1000
    error_message = "The queue is ${jsonencode(local.queues.embed)}."
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.task_execution[0].statement : one(statement.resources)
      if statement.sid == "FetchImage"
    ] == ["arn:aws:ecr:eu-central-1:210987654321:repository/team/millrace/embed"]
    error_message = "The task's image is fetched from ${jsonencode(data.aws_iam_policy_document.task_execution[0].statement)}."
  }

  assert {
    condition = one([
      for variable in jsondecode(aws_ecs_task_definition.embed[0].container_definitions)[0].environment : variable.value
      if variable.name == "EMBED_REQUESTS_PER_SECOND"
    ]) == "12.5"
    error_message = "The task is told ${aws_ecs_task_definition.embed[0].container_definitions}."
  }

  assert {
    condition     = one(aws_ecs_service.embed[0].network_configuration).assign_public_ip
    error_message = "The task reaches nothing from a public subnet without an address."
  }
}

run "refuses_a_consumer_that_there_is_not" {
  command         = plan
  expect_failures = [var.embed]

  module {
    source = "./modules/vector_store"
  }

  variables {
    embed = { consumer = "both", concurrency = 8, requests_per_second = 30, dimension = 512 }
  }
}

run "refuses_a_task_without_a_security_group" {
  command         = plan
  expect_failures = [var.embed]

  module {
    source = "./modules/vector_store"
  }

  variables {
    embed = {
      consumer            = "ecs"
      image_uri           = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/millrace/embed:1"
      subnet_ids          = ["subnet-0123456789abcdef0"]
      concurrency         = 8
      requests_per_second = 30
      dimension           = 512
    }
  }
}

run "refuses_an_address_for_a_function" {
  command         = plan
  expect_failures = [var.embed]

  module {
    source = "./modules/vector_store"
  }

  variables {
    embed = { consumer = "lambda", assign_public_ip = true, concurrency = 8, requests_per_second = 30, dimension = 512 }
  }
}

run "uses_a_table_that_is_there" {
  command = plan

  module {
    source = "./modules/vector_store"
  }

  variables {
    receipts_table = { name = "scans", create = false, protected = true }
  }

  override_data {
    target = module.receipts_table.data.aws_dynamodb_table.found
    values = {
      arn              = "arn:aws:dynamodb:eu-west-1:123456789012:table/scans"
      hash_key         = "pk"
      range_key        = "sk"
      stream_arn       = "arn:aws:dynamodb:eu-west-1:123456789012:table/scans/stream/2026-11-22T13:00:00.000"
      stream_enabled   = true
      stream_view_type = "NEW_AND_OLD_IMAGES"
    }
  }

  assert {
    condition = (
      output.receipts_table == "scans"
      && module.receipts_table.stream_arn == "arn:aws:dynamodb:eu-west-1:123456789012:table/scans/stream/2026-11-22T13:00:00.000"
    )
    error_message = "The table is ${output.receipts_table}, and ${module.receipts_table.stream_arn} is read."
  }
}
