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

run "refuses_what_is_no_name_not_there_or_below_its_bounds" {
  command = plan
  expect_failures = [
    var.workflows,
    var.aws_region,
    var.name_prefix,
    var.ingestion_bucket,
    var.reports_bucket,
    var.kendra_index_id,
    var.deploy_option,
    var.sink,
    var.knowledge_base_id,
    var.data_source_id,
    var.attribute_types,
    var.max_concurrency,
    var.put_concurrency,
    var.delete_concurrency,
    var.sink_requests_per_second,
    var.verification_deadline_seconds,
    var.archive_expiry_days,
    var.kms_key_arn,
    var.log_retention_days,
    var.notification_email,
  ]

  variables {
    workflows                     = ["kendra_ingestion", "kb-sync"]
    aws_region                    = "Ireland"
    name_prefix                   = "Millrace"
    ingestion_bucket              = "s3://example-ingestion"
    reports_bucket                = "example-reports/_reports"
    kendra_index_id               = "arn:aws:kendra:eu-west-1:123456789012:index/12345678-1234-1234-1234-123456789012"
    deploy_option                 = "sns"
    sink                          = "opensearch"
    knowledge_base_id             = "arn:aws:bedrock:eu-west-1:123456789012:knowledge-base/KBASE12345"
    data_source_id                = "phone-book"
    attribute_types               = { team = "STRING_VALUE", level = "NUMBER" }
    max_concurrency               = 0
    put_concurrency               = 1
    delete_concurrency            = 3
    sink_requests_per_second      = 0
    verification_deadline_seconds = -1
    archive_expiry_days           = 29
    kms_key_arn                   = "arn:aws:kms:eu-west-1:123456789012:alias/search"
    log_retention_days            = 0
    notification_email            = "one@example.com, two@example.com"
  }
}

run "refuses_to_deploy_nothing_and_what_is_above_its_bounds" {
  command = plan
  expect_failures = [
    var.workflows,
    var.name_prefix,
    var.max_concurrency,
    var.put_concurrency,
    var.delete_concurrency,
    var.verification_deadline_seconds,
    var.archive_expiry_days,
    var.log_retention_days,
  ]

  variables {
    workflows                     = []
    name_prefix                   = "a23456789-123456789-12345678901"
    max_concurrency               = 5
    put_concurrency               = 5
    delete_concurrency            = 9
    verification_deadline_seconds = 86401
    archive_expiry_days           = 91
    log_retention_days            = 31
  }
}

run "refuses_a_prefix_that_ends_in_a_dash_and_concurrency_in_fractions" {
  command = plan
  expect_failures = [
    var.name_prefix,
    var.max_concurrency,
  ]

  variables {
    name_prefix     = "millrace-"
    max_concurrency = 1.5
  }
}

run "refuses_one_bucket_for_both" {
  command         = plan
  expect_failures = [output.reports_bucket]

  variables {
    reports_bucket = "example-ingestion"
  }
}

run "stops_at_plan_before_packaging" {
  command         = plan
  expect_failures = [aws_lambda_layer_version.dependencies]

  variables {
    package_dir = "tests/definitions"
  }
}
