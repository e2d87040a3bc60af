mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  aws_region      = "eu-west-1"
  workflows       = ["kb_sync", "incident_sync"]
  incident_source = "incidents"
  package_dir     = "tests/package"

  sync_sources = {
    incidents = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data", prefix = "incidents/", events = false }
    notes     = { knowledge_base_id = "KBASE67890", data_source_id = "DSRCE00000", bucket = "example-notes" }
  }
}

run "tells_what_it_keeps_up_to_date" {
  command = plan

  assert {
    condition = [
      output.incident_source,
      output.incident_prefix,
      output.incidents_table,
      output.incident_sync_table,
      output.incident_batch_sync_function,
    ] == ["incidents", "incidents/closed/", "incidents", "millrace-incident-sync", "incident-kb-batch-sync"]
    error_message = "The outputs tell of ${output.incident_source}, ${output.incidents_table} and ${output.incident_sync_table}."
  }
}

run "tells_nothing_of_what_is_not_deployed" {
  command = plan

  variables {
    workflows = ["kb_sync"]
  }

  assert {
    condition = length(module.incident_sync) == 0 && alltrue([
      for value in [
        output.incident_sync_state_machine_arn,
        output.incidents_table,
        output.incident_sync_table,
        output.incident_batch_sync_function,
        output.incident_source,
        output.incident_prefix,
        output.incident_dead_letter_queue_url,
      ] : value == null
    ])
    error_message = "The outputs tell of what is not deployed."
  }
}

run "takes_the_bounds" {
  command = plan

  variables {
    name_prefix                     = "a23456789-123456789-1234567890"
    incident_name_prefix            = "A23456789-123456789-123456789_"
    incident_schedule               = "rate(1 minute)"
    incident_passes                 = 1
    incident_pass_seconds           = 15
    incident_duration_alarm_minutes = 1
    incident_text_fields            = ["t"]
    incident_attribute_fields       = []
    incident_date_fields            = []
  }
}

run "takes_the_other_bounds" {
  command = plan

  variables {
    incident_schedule               = "cron(0/15 8-17 ? * MON-FRI 2026-2030)"
    incident_passes                 = 100
    incident_pass_seconds           = 900
    incident_duration_alarm_minutes = 1440
    incidents_table                 = "tickets"
    create_incidents_table          = false
    incident_prefix                 = "incidents/"
  }

  assert {
    condition     = output.incidents_table == "tickets" && output.incident_prefix == "incidents/"
    error_message = "The table is ${output.incidents_table}, the prefix ${output.incident_prefix}."
  }
}

run "refuses_what_is_out_of_bounds_or_no_name" {
  command = plan
  expect_failures = [
    var.incidents_table,
    var.incident_prefix,
    var.incident_name_prefix,
    var.incident_schedule,
    var.incident_passes,
    var.incident_pass_seconds,
    var.incident_duration_alarm_minutes,
    var.incident_text_fields,
    var.incident_attribute_fields,
    var.incident_date_fields,
  ]

  variables {
    incidents_table                 = "arn:aws:dynamodb:eu-west-1:123456789012:table/incidents"
    incident_prefix                 = "incidents/../"
    incident_name_prefix            = "-emea"
    incident_schedule               = "0 * * * ? *"
    incident_passes                 = 0
    incident_pass_seconds           = 14
    incident_duration_alarm_minutes = 0
    incident_text_fields            = []
    incident_attribute_fields       = ["status"]
    incident_date_fields            = ["closed,at"]
  }
}

run "refuses_what_is_beyond_the_bounds" {
  command = plan
  expect_failures = [
    var.incident_prefix,
    var.incident_name_prefix,
    var.incident_schedule,
    var.incident_passes,
    var.incident_pass_seconds,
    var.incident_duration_alarm_minutes,
    var.incident_text_fields,
    var.incident_attribute_fields,
  ]

  variables {
    incident_prefix                 = "/incidents/closed/"
    incident_name_prefix            = "a23456789-123456789-123456789-1"
    incident_schedule               = "at(2026-11-22T13:00:00)"
    incident_passes                 = 101
    incident_pass_seconds           = 901
    incident_duration_alarm_minutes = 0.5
    incident_text_fields            = ["kb_sync_status"]
    incident_attribute_fields       = ["1st"]
  }
}
