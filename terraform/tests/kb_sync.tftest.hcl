mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix             = "example"
  batching_window_seconds = 10
  poll_seconds            = 20
  seconds_between_starts  = 30
  sweep_minutes           = 5
  pending_alarm_minutes   = 60
  notifications_topic_arn = "arn:aws:sns:eu-west-1:123456789012:example-notifications"
  package                 = "tests/package/kb_sync.zip"
  layers                  = ["arn:aws:lambda:eu-west-1:123456789012:layer:example-dependencies:1"]
  log_retention_days      = 30

  sources = {
    handbook = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data", prefix = "handbook/", events = true }
    images   = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE67890", bucket = "example-data", prefix = "", events = true }
  }
}

run "hears_asks_sweeps_measures_and_tells" {
  command = apply

  module {
    source = "./modules/kb_sync"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.changed["handbook"].event_pattern) == {
      source      = ["aws.s3"]
      detail-type = ["Object Created", "Object Deleted"]
      detail = {
        bucket = { name = ["example-data"] }
        object = { key = [{ prefix = "handbook/" }] }
      }
    }
    error_message = "The pattern is ${aws_cloudwatch_event_rule.changed["handbook"].event_pattern}."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.changed["images"].event_pattern).detail == { bucket = { name = ["example-data"] } }
    error_message = "The pattern is ${aws_cloudwatch_event_rule.changed["images"].event_pattern}."
  }

  assert {
    condition = alltrue([
      for name in ["handbook", "images"] : toset([
        aws_cloudwatch_event_rule.changed[name].name,
        module.queue[name].name,
        aws_pipes_pipe.this[name].name,
      ]) == toset(["example-kb-sync-${name}"])
    ])
    error_message = "The pipes are ${join(", ", values(aws_pipes_pipe.this)[*].name)}."
  }

  assert {
    condition = alltrue([
      for name, target in aws_cloudwatch_event_target.changed :
      target.arn == module.queue[name].arn
      && one(target.dead_letter_config).arn == module.dead_letters.arn
      && one(target.input_transformer).input_paths == tomap({
        bucket    = "$.detail.bucket.name"
        key       = "$.detail.object.key"
        sequencer = "$.detail.object.sequencer"
        event     = "$.detail-type"
      })
      && jsondecode(replace(one(target.input_transformer).input_template, "/<([a-z]+)>/", "\"$1\"")) == {
        bucket    = "bucket"
        key       = "key"
        sequencer = "sequencer"
        event     = "event"
      }
    ])
    error_message = "The targets are ${jsonencode(aws_cloudwatch_event_target.changed)}."
  }

  assert {
    condition = { for name, pipe in aws_pipes_pipe.this : name => jsondecode(one(pipe.target_parameters).input_template) } == {
      handbook = { knowledgeBaseId = "KBASE12345", dataSourceId = "DSRCE12345" }
      images   = { knowledgeBaseId = "KBASE12345", dataSourceId = "DSRCE67890" }
    }
    error_message = "The requests are ${jsonencode(values(aws_pipes_pipe.this)[*].target_parameters)}."
  }

  assert {
    condition = alltrue([
      for name, pipe in aws_pipes_pipe.this :
      pipe.source == module.queue[name].arn
      && pipe.target == output.state_machine_arn
      && pipe.role_arn == module.pipe_role[name].arn
      && one(one(pipe.source_parameters).sqs_queue_parameters).batch_size == 1000
      && one(one(pipe.source_parameters).sqs_queue_parameters).maximum_batching_window_in_seconds == 10
      && one(one(pipe.target_parameters).step_function_state_machine_parameters).invocation_type == "FIRE_AND_FORGET"
    ])
    error_message = "The pipes are ${jsonencode(aws_pipes_pipe.this)}."
  }

  assert {
    condition     = max([for pipe in aws_pipes_pipe.this : 1000 * (length(one(pipe.target_parameters).input_template) + 1)]...) < 262144
    error_message = "A whole batch is more than the input of an execution may be."
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.ended.event_pattern) == {
      source      = ["aws.states"]
      detail-type = ["Step Functions Execution Status Change"]
      detail = {
        stateMachineArn = [output.state_machine_arn]
        status          = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
      }
    }
    error_message = "The pattern is ${aws_cloudwatch_event_rule.ended.event_pattern}."
  }

  assert {
    condition = (
      aws_cloudwatch_event_target.ended.arn == module.metrics.arn
      && aws_lambda_permission.ended.source_arn == aws_cloudwatch_event_rule.ended.arn
      && aws_lambda_permission.ended.source_account == "123456789012"
      && aws_lambda_permission.ended.principal == "events.amazonaws.com"
    )
    error_message = "The rule calls ${aws_cloudwatch_event_target.ended.arn}."
  }

  assert {
    condition = {
      for name, alarm in aws_cloudwatch_metric_alarm.this :
      name => [alarm.alarm_name, alarm.namespace, alarm.metric_name, alarm.statistic, alarm.threshold, alarm.treat_missing_data]
      } == {
      pending      = ["example-kb-sync-pending", "Millrace", "OldestPendingSeconds", "Maximum", 3600, "missing"]
      failed       = ["example-kb-sync-failed", "Millrace", "SyncsFailed", "Sum", 1, "notBreaching"]
      dead-letters = ["example-kb-sync-dead-letters", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 1, "notBreaching"]
    }
    error_message = "The alarms are ${jsonencode(aws_cloudwatch_metric_alarm.this)}."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      alarm.alarm_actions == toset([var.notifications_topic_arn]) && alarm.comparison_operator == "GreaterThanOrEqualToThreshold"
    ])
    error_message = "The alarms are ${jsonencode(aws_cloudwatch_metric_alarm.this)}."
  }

  assert {
    condition     = [for name, alarm in aws_cloudwatch_metric_alarm.this : name if alarm.insufficient_data_actions != null] == ["pending"]
    error_message = "Nobody is told when nothing is measured any more."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["pending"].dimensions == tomap({ service = "kb_sync" })
      && aws_cloudwatch_metric_alarm.this["failed"].dimensions == tomap({ service = "kb_sync" })
      && aws_cloudwatch_metric_alarm.this["dead-letters"].dimensions == tomap({ QueueName = "example-kb-sync-dead-letters" })
    )
    error_message = "The alarms look at ${jsonencode(values(aws_cloudwatch_metric_alarm.this)[*].dimensions)}."
  }

  assert {
    condition     = output.table == "example-sync"
    error_message = "The table is ${output.table}."
  }
}

run "hears_nothing_of_a_source_without_events" {
  command = apply

  module {
    source = "./modules/kb_sync"
  }

  variables {
    sources = {
      handbook = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data", prefix = "", events = true }
      quiet    = { knowledge_base_id = "KBASE67890", data_source_id = "DSRCE67890", bucket = "example-data", prefix = "", events = false }
    }
  }

  assert {
    condition = alltrue([
      for made in [
        aws_cloudwatch_event_rule.changed,
        aws_cloudwatch_event_target.changed,
        aws_pipes_pipe.this,
        module.queue,
        module.pipe_role,
      ] : keys(made) == ["handbook"]
    ])
    error_message = "There are pipes of ${join(", ", keys(aws_pipes_pipe.this))}."
  }

  assert {
    condition     = contains(local.knowledge_bases, "arn:aws:bedrock:eu-west-1:123456789012:knowledge-base/KBASE67890")
    error_message = "The machine may not sync ${join(", ", local.knowledge_bases)}."
  }
}

run "offers_a_message_for_a_day_and_hides_it_while_its_window_fills" {
  command = plan

  module {
    source = "./modules/kb_sync"
  }

  variables {
    batching_window_seconds = 300
  }

  assert {
    condition     = local.visibility_timeout == 480
    error_message = "A message is hidden for ${local.visibility_timeout} seconds."
  }
}

run "refuses_to_keep_nothing_up_to_date" {
  command         = plan
  expect_failures = [var.sources]

  module {
    source = "./modules/kb_sync"
  }

  variables {
    sources = {}
  }
}
