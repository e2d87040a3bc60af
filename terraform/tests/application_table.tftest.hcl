mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  hash_key  = "pk"
  range_key = "sk"
  items     = "scans"
  variable  = "scans_table"
  workflow  = "scan_sync"

  table = {
    name      = "scans"
    create    = false
    protected = true
  }
}

run "is_made_where_it_is_not_to_be_found" {
  command = apply

  module {
    source = "./modules/application_table"
  }

  variables {
    table = { name = "scans", create = true, protected = true }
  }

  assert {
    condition = (
      length(data.aws_dynamodb_table.found) == 0
      && output.name == "scans"
      && output.arn == module.table[0].arn
      && output.stream_arn == module.table[0].stream_arn
      && output.stream_arn != null
    )
    error_message = "The table is ${jsonencode(local.table)}."
  }
}

run "is_the_one_that_is_there" {
  command = plan

  module {
    source = "./modules/application_table"
  }

  override_data {
    target = data.aws_dynamodb_table.found
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
      length(module.table) == 0
      && output.name == "scans"
      && output.arn == "arn:aws:dynamodb:eu-west-1:123456789012:table/scans"
      && output.stream_arn == "${output.arn}/stream/2026-11-22T13:00:00.000"
    )
    error_message = "The table is ${jsonencode(local.table)}."
  }
}

run "may_be_found_by_one_key_alone" {
  command = plan

  module {
    source = "./modules/application_table"
  }

  variables {
    range_key = null
  }

  override_data {
    target = data.aws_dynamodb_table.found
    values = { hash_key = "pk", range_key = "", stream_enabled = true, stream_view_type = "NEW_AND_OLD_IMAGES" }
  }

  assert {
    condition     = output.name == "scans"
    error_message = "The table is ${jsonencode(local.table)}."
  }
}

run "refuses_a_key_more" {
  command         = plan
  expect_failures = [data.aws_dynamodb_table.found]

  module {
    source = "./modules/application_table"
  }

  variables {
    range_key = null
  }

  override_data {
    target = data.aws_dynamodb_table.found
    values = { hash_key = "pk", range_key = "sk", stream_enabled = true, stream_view_type = "NEW_AND_OLD_IMAGES" }
  }
}

run "refuses_a_key_less" {
  command         = plan
  expect_failures = [data.aws_dynamodb_table.found]

  module {
    source = "./modules/application_table"
  }

  override_data {
    target = data.aws_dynamodb_table.found
    values = { hash_key = "pk", range_key = "", stream_enabled = true, stream_view_type = "NEW_AND_OLD_IMAGES" }
  }
}

run "refuses_a_stream_that_tells_too_little" {
  command         = plan
  expect_failures = [data.aws_dynamodb_table.found]

  module {
    source = "./modules/application_table"
  }

  override_data {
    target = data.aws_dynamodb_table.found
    values = { hash_key = "pk", range_key = "sk", stream_enabled = true, stream_view_type = "NEW_IMAGE" }
  }
}

run "refuses_a_table_without_a_stream" {
  command         = plan
  expect_failures = [data.aws_dynamodb_table.found]

  module {
    source = "./modules/application_table"
  }

  override_data {
    target = data.aws_dynamodb_table.found
    values = { hash_key = "pk", range_key = "sk", stream_enabled = false, stream_view_type = "" }
  }
}
