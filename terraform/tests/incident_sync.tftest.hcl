mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix             = "example"
  incident_name_prefix    = ""
  schedule                = "cron(0 * * * ? *)"
  passes                  = 7
  pass_seconds            = 120
  duration_alarm_minutes  = 45
  notifications_topic_arn = "arn:aws:sns:eu-west-1:123456789012:example-notifications"
  package                 = "tests/package/incident_sync.zip"
  layers                  = ["arn:aws:lambda:eu-west-1:123456789012:layer:example-dependencies:1"]
  log_retention_days      = 30

  place = {
    source = "incidents"
    prefix = "incidents/closed/"

    sources = {
      handbook  = { knowledge_base_id = "KBASE67890", data_source_id = "DSRCE67890", bucket = "example-handbook", prefix = "" }
      incidents = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data", prefix = "incidents/" }
    }
  }

  table = {
    name      = "incidents"
    create    = true
    protected = true
  }

  fields = {
    text      = ["title", "resolution"]
    attribute = ["priority"]
    date      = ["closed_at"]
  }

  kb_sync = {
    state_machine_arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:example-kb-sync"
    executions_arn    = "arn:aws:states:eu-west-1:123456789012:execution:example-kb-sync:*"
  }
}

run "tells_whoever_is_on_call_what_is_wrong" {
  command = apply

  module {
    source = "./modules/incident_sync"
  }

  assert {
    condition = {
      for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name => [
        one([for query in alarm.metric_query : query.expression if query.return_data == true]),
        alarm.comparison_operator,
        alarm.threshold,
      ]
      } == {
      SyncErrorsAlarm = [
        "FILL(errors, 0) + FILL(failed, 0) + FILL(timed_out, 0) + FILL(aborted, 0) + FILL(unmeasured, 0)",
        "GreaterThanOrEqualToThreshold",
        1,
      ]
      IngestionFailureAlarm    = ["FILL(started, 0) - FILL(completed, 0)", "GreaterThanOrEqualToThreshold", 1]
      SyncDurationAlarm        = ["FILL(duration, 0)", "GreaterThanThreshold", 2700]
      example-incident-changes = ["FILL(dead_letters, 0)", "GreaterThanOrEqualToThreshold", 1]
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
      errors       = ["IncidentKBSync", "SyncErrors", "Sum", tomap({ service = "incident_sync" })]
      started      = ["IncidentKBSync", "IngestionJobsStarted", "Sum", tomap({ service = "incident_sync" })]
      completed    = ["IncidentKBSync", "IngestionJobsCompleted", "Sum", tomap({ service = "incident_sync" })]
      duration     = ["IncidentKBSync", "SyncDuration", "Maximum", tomap({ service = "incident_sync" })]
      failed       = ["AWS/States", "ExecutionsFailed", "Sum", tomap({ StateMachineArn = output.state_machine_arn })]
      timed_out    = ["AWS/States", "ExecutionsTimedOut", "Sum", tomap({ StateMachineArn = output.state_machine_arn })]
      aborted      = ["AWS/States", "ExecutionsAborted", "Sum", tomap({ StateMachineArn = output.state_machine_arn })]
      unmeasured   = ["AWS/Lambda", "Errors", "Sum", tomap({ FunctionName = "example-incident-kb-metrics" })]
      dead_letters = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", tomap({ QueueName = "example-incident-changes-dead-letters" })]
    }
    error_message = "The alarms look at ${jsonencode(values(aws_cloudwatch_metric_alarm.this)[*].metric_query)}."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      alarm.treat_missing_data == "notBreaching"
      && alarm.alarm_actions == toset([var.notifications_topic_arn])
      && alarm.datapoints_to_alarm == 1
    ])
    error_message = "The alarms are ${jsonencode(aws_cloudwatch_metric_alarm.this)}."
  }

  assert {
    condition     = aws_cloudwatch_dashboard.this.dashboard_name == "IncidentKBSyncDashboard"
    error_message = "The dashboard is ${aws_cloudwatch_dashboard.this.dashboard_name}."
  }

  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets :
      [widget.type, widget.x, widget.y, widget.width, widget.height, [for metric in lookup(widget.properties, "metrics", []) : metric[1]]]
      ] == [
      ["metric", 0, 0, 6, 4, ["IncidentsSetAside"]],
      ["metric", 6, 0, 6, 4, ["SyncErrors", "Errors"]],
      ["metric", 12, 0, 6, 4, ["ExecutionsAborted", "ExecutionsFailed", "ExecutionsTimedOut"]],
      ["alarm", 18, 0, 6, 4, []],
      ["metric", 0, 4, 8, 6, ["IncidentsSynced"]],
      ["metric", 8, 4, 8, 6, ["SyncDuration"]],
      ["metric", 16, 4, 8, 6, ["IngestionJobsCompleted", "IngestionJobsStarted"]],
      ["metric", 0, 10, 6, 5, ["IteratorAge"]],
      ["metric", 6, 10, 6, 5, ["Errors"]],
      ["metric", 12, 10, 6, 5, ["Throttles"]],
      ["metric", 18, 10, 6, 5, ["ApproximateNumberOfMessagesVisible"]],
      ["text", 0, 15, 24, 8, []],
    ]
    error_message = "The dashboard is ${aws_cloudwatch_dashboard.this.dashboard_body}."
  }
}

run "uses_a_table_that_is_there" {
  command = apply

  module {
    source = "./modules/incident_sync"
  }

  variables {
    table = { name = "tickets", create = false, protected = true }
  }

  override_data {
    target = module.incidents_table.data.aws_dynamodb_table.found
    values = {
      arn              = "arn:aws:dynamodb:eu-west-1:123456789012:table/tickets"
      hash_key         = "incident_id"
      range_key        = ""
      stream_arn       = "arn:aws:dynamodb:eu-west-1:123456789012:table/tickets/stream/2026-11-22T13:00:00.000"
      stream_enabled   = true
      stream_view_type = "NEW_AND_OLD_IMAGES"
    }
  }

  assert {
    condition = (
      output.incidents_table == "tickets"
      && module.incidents_table.stream_arn == "arn:aws:dynamodb:eu-west-1:123456789012:table/tickets/stream/2026-11-22T13:00:00.000"
    )
    error_message = "The table is ${output.incidents_table}, and ${module.incidents_table.stream_arn} is read."
  }
}

run "refuses_a_field_with_the_name_of_a_dates_seconds" {
  command         = plan
  expect_failures = [var.fields]

  module {
    source = "./modules/incident_sync"
  }

  variables {
    fields = { text = ["title"], attribute = ["closed_at_epoch"], date = ["closed_at"] }
  }
}

run "refuses_more_fields_than_a_mark_compares" {
  command         = plan
  expect_failures = [var.fields]

  module {
    source = "./modules/incident_sync"
  }

  variables {
    fields = { text = [for number in range(50) : "text_${number}"], attribute = [], date = [] }
  }
}
