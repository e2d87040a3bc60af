mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  aws_region  = "eu-west-1"
  workflows   = ["kb_sync"]
  package_dir = "tests/package"

  sync_sources = {
    handbook = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data", prefix = "handbook/" }
  }
}

run "takes_the_bounds" {
  command = plan

  variables {
    name_prefix                  = "a23456789-123456789-1234567890"
    sync_batching_window_seconds = 1
    sync_poll_seconds            = 1
    sync_seconds_between_starts  = 1
    sync_sweep_minutes           = 1
    sync_pending_alarm_minutes   = 5

    sync_sources = {
      a23456789-123456789-12345 = { knowledge_base_id = "KBASE12345", data_source_id = "dsrc12345z", bucket = "example-data", prefix = "" }
    }
  }
}

run "takes_the_other_bounds" {
  command = plan

  variables {
    sync_batching_window_seconds = 300
    sync_poll_seconds            = 300
    sync_seconds_between_starts  = 3600
    sync_sweep_minutes           = 1440
    sync_pending_alarm_minutes   = 10080

    sync_sources = {
      a = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data" }
    }
  }
}

run "refuses_a_source_that_a_name_cannot_end_in" {
  command         = plan
  expect_failures = [var.sync_sources]

  variables {
    sync_sources = {
      "Hand Book" = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data" }
    }
  }
}

run "refuses_a_source_that_role_names_cannot_hold" {
  command         = plan
  expect_failures = [var.sync_sources]

  variables {
    sync_sources = {
      a23456789-123456789-123456 = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data" }
    }
  }
}

run "refuses_a_source_with_the_name_of_another_resource" {
  command         = plan
  expect_failures = [var.sync_sources]

  variables {
    sync_sources = {
      sweeper = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data" }
    }
  }
}

run "refuses_a_knowledge_base_by_arn" {
  command         = plan
  expect_failures = [var.sync_sources]

  variables {
    sync_sources = {
      handbook = {
        knowledge_base_id = "arn:aws:bedrock:eu-west-1:123456789012:knowledge-base/KBASE12345"
        data_source_id    = "DSRCE12345"
        bucket            = "example-data"
      }
    }
  }
}

run "refuses_a_data_source_by_name" {
  command         = plan
  expect_failures = [var.sync_sources]

  variables {
    sync_sources = {
      handbook = { knowledge_base_id = "KBASE12345", data_source_id = "handbook", bucket = "example-data" }
    }
  }
}

run "refuses_a_bucket_with_a_path" {
  command         = plan
  expect_failures = [var.sync_sources]

  variables {
    sync_sources = {
      handbook = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "s3://example-data/handbook" }
    }
  }
}

run "refuses_a_prefix_that_no_key_begins_with" {
  command         = plan
  expect_failures = [var.sync_sources]

  variables {
    sync_sources = {
      handbook = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data", prefix = "/handbook/" }
    }
  }
}

run "refuses_numbers_below_their_bounds" {
  command = plan
  expect_failures = [
    var.sync_batching_window_seconds,
    var.sync_poll_seconds,
    var.sync_seconds_between_starts,
    var.sync_sweep_minutes,
    var.sync_pending_alarm_minutes,
  ]

  variables {
    sync_batching_window_seconds = 0
    sync_poll_seconds            = 0
    sync_seconds_between_starts  = 0
    sync_sweep_minutes           = 0
    sync_pending_alarm_minutes   = 4
  }
}

run "refuses_numbers_above_their_bounds" {
  command = plan
  expect_failures = [
    var.sync_batching_window_seconds,
    var.sync_poll_seconds,
    var.sync_seconds_between_starts,
    var.sync_sweep_minutes,
    var.sync_pending_alarm_minutes,
  ]

  variables {
    sync_batching_window_seconds = 301
    sync_poll_seconds            = 301
    sync_seconds_between_starts  = 3601
    sync_sweep_minutes           = 1441
    sync_pending_alarm_minutes   = 10081
  }
}

run "refuses_fractions" {
  command = plan
  expect_failures = [
    var.sync_batching_window_seconds,
    var.sync_poll_seconds,
    var.sync_seconds_between_starts,
    var.sync_sweep_minutes,
    var.sync_pending_alarm_minutes,
  ]

  variables {
    sync_batching_window_seconds = 10.5
    sync_poll_seconds            = 10.5
    sync_seconds_between_starts  = 10.5
    sync_sweep_minutes           = 10.5
    sync_pending_alarm_minutes   = 10.5
  }
}
