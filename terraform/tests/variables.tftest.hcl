mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  aws_region       = "eu-west-1"
  ingestion_bucket = "example-ingestion"
  reports_bucket   = "example-reports"
  kendra_index_id  = "12345678-1234-1234-1234-123456789012"
  package_dir      = "tests/package"
}

run "takes_the_bounds" {
  command = plan

  variables {
    name_prefix                   = "a"
    max_concurrency               = 4
    put_concurrency               = 4
    delete_concurrency            = 8
    sink_requests_per_second      = 0.5
    verification_deadline_seconds = 0
    archive_expiry_days           = 30
    log_retention_days            = 3653
  }
}

run "takes_the_other_bounds" {
  command = plan

  variables {
    aws_region                    = "us-gov-west-1"
    name_prefix                   = "a23456789-123456789-1234567890"
    deploy_option                 = "sqs"
    sink                          = "bedrock"
    kendra_index_id               = null
    knowledge_base_id             = "KBASE12345"
    data_source_id                = "dsrc12345z"
    attribute_types               = { team = "STRING_VALUE", tags = "STRING_LIST_VALUE", level = "LONG_VALUE", joined = "DATE_VALUE" }
    max_concurrency               = 1
    put_concurrency               = 2
    delete_concurrency            = 4
    sink_requests_per_second      = 1000
    verification_deadline_seconds = 86400
    archive_expiry_days           = 90
    log_retention_days            = 1
    kms_key_arn                   = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab"
    notification_email            = "search-team@example.com"
  }
}

run "refuses_a_workflow_that_is_not_there" {
  command         = plan
  expect_failures = [var.workflows]

  variables {
    workflows = ["kendra_ingestion", "kb-sync"]
  }
}

run "refuses_to_deploy_nothing" {
  command         = plan
  expect_failures = [var.workflows]

  variables {
    workflows = []
  }
}

run "refuses_a_region_by_display_name" {
  command         = plan
  expect_failures = [var.aws_region]

  variables {
    aws_region = "Ireland"
  }
}

run "refuses_a_prefix_with_capitals" {
  command         = plan
  expect_failures = [var.name_prefix]

  variables {
    name_prefix = "Millrace"
  }
}

run "refuses_a_prefix_that_ends_in_a_dash" {
  command         = plan
  expect_failures = [var.name_prefix]

  variables {
    name_prefix = "millrace-"
  }
}

run "refuses_a_prefix_that_role_names_cannot_hold" {
  command         = plan
  expect_failures = [var.name_prefix]

  variables {
    name_prefix = "a23456789-123456789-12345678901"
  }
}

run "refuses_buckets_with_a_scheme_or_path" {
  command         = plan
  expect_failures = [var.ingestion_bucket, var.reports_bucket]

  variables {
    ingestion_bucket = "s3://example-ingestion"
    reports_bucket   = "example-reports/_reports"
  }
}

run "refuses_one_bucket_for_both" {
  command         = plan
  expect_failures = [output.reports_bucket]

  variables {
    reports_bucket = "example-ingestion"
  }
}

run "refuses_an_index_by_arn" {
  command         = plan
  expect_failures = [var.kendra_index_id]

  variables {
    kendra_index_id = "arn:aws:kendra:eu-west-1:123456789012:index/12345678-1234-1234-1234-123456789012"
  }
}

run "refuses_a_deploy_option_that_is_not_there" {
  command         = plan
  expect_failures = [var.deploy_option]

  variables {
    deploy_option = "sns"
  }
}

run "refuses_a_sink_that_is_not_there" {
  command         = plan
  expect_failures = [var.sink]

  variables {
    sink = "opensearch"
  }
}

run "refuses_a_knowledge_base_by_arn" {
  command         = plan
  expect_failures = [var.knowledge_base_id]

  variables {
    knowledge_base_id = "arn:aws:bedrock:eu-west-1:123456789012:knowledge-base/KBASE12345"
  }
}

run "refuses_a_data_source_by_name" {
  command         = plan
  expect_failures = [var.data_source_id]

  variables {
    data_source_id = "phone-book"
  }
}

run "refuses_an_attribute_type_that_kendra_does_not_have" {
  command         = plan
  expect_failures = [var.attribute_types]

  variables {
    attribute_types = { team = "STRING_VALUE", level = "NUMBER" }
  }
}

run "refuses_one_put_worker" {
  command         = plan
  expect_failures = [var.put_concurrency]

  variables {
    put_concurrency = 1
  }
}

run "refuses_five_put_workers" {
  command         = plan
  expect_failures = [var.put_concurrency]

  variables {
    put_concurrency = 5
  }
}

run "refuses_three_delete_workers" {
  command         = plan
  expect_failures = [var.delete_concurrency]

  variables {
    delete_concurrency = 3
  }
}

run "refuses_nine_delete_workers" {
  command         = plan
  expect_failures = [var.delete_concurrency]

  variables {
    delete_concurrency = 9
  }
}

run "refuses_no_concurrency" {
  command         = plan
  expect_failures = [var.max_concurrency]

  variables {
    max_concurrency = 0
  }
}

run "refuses_concurrency_above_4" {
  command         = plan
  expect_failures = [var.max_concurrency]

  variables {
    max_concurrency = 5
  }
}

run "refuses_concurrency_in_fractions" {
  command         = plan
  expect_failures = [var.max_concurrency]

  variables {
    max_concurrency = 1.5
  }
}

run "refuses_a_rate_of_nothing" {
  command         = plan
  expect_failures = [var.sink_requests_per_second]

  variables {
    sink_requests_per_second = 0
  }
}

run "refuses_a_deadline_in_the_past" {
  command         = plan
  expect_failures = [var.verification_deadline_seconds]

  variables {
    verification_deadline_seconds = -1
  }
}

run "refuses_a_deadline_beyond_a_day" {
  command         = plan
  expect_failures = [var.verification_deadline_seconds]

  variables {
    verification_deadline_seconds = 86401
  }
}

run "refuses_an_archive_shorter_than_30_days" {
  command         = plan
  expect_failures = [var.archive_expiry_days]

  variables {
    archive_expiry_days = 29
  }
}

run "refuses_an_archive_longer_than_90_days" {
  command         = plan
  expect_failures = [var.archive_expiry_days]

  variables {
    archive_expiry_days = 91
  }
}

run "refuses_a_key_by_alias" {
  command         = plan
  expect_failures = [var.kms_key_arn]

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/search"
  }
}

run "refuses_a_retention_that_cloudwatch_does_not_offer" {
  command         = plan
  expect_failures = [var.log_retention_days]

  variables {
    log_retention_days = 31
  }
}

run "refuses_logs_that_never_expire" {
  command         = plan
  expect_failures = [var.log_retention_days]

  variables {
    log_retention_days = 0
  }
}

run "refuses_two_addresses_in_one" {
  command         = plan
  expect_failures = [var.notification_email]

  variables {
    notification_email = "one@example.com, two@example.com"
  }
}

run "stops_at_plan_before_packaging" {
  command         = plan
  expect_failures = [aws_lambda_layer_version.dependencies]

  variables {
    package_dir = "tests/definitions"
  }
}
