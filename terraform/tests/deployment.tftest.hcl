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

run "deploys_kendra_ingestion_alone_into_buckets_of_its_own_by_default" {
  command = apply

  assert {
    condition     = keys(module.bucket) == ["ingestion", "reports"] && length(data.aws_s3_bucket.existing) == 0
    error_message = "Created: ${join(", ", keys(module.bucket))}."
  }

  assert {
    condition     = output.ingestion_bucket == "example-ingestion" && output.reports_bucket == "example-reports"
    error_message = "The outputs name ${output.ingestion_bucket} and ${output.reports_bucket}."
  }

  assert {
    condition     = length(aws_s3_bucket_notification.existing) == 0
    error_message = "A bucket created here has its notification from its own module."
  }

  assert {
    condition = (
      output.deploy_option == "sfn"
      && output.sink == "kendra"
      && output.kendra_index_id == var.kendra_index_id
      && output.ledger_table == "millrace-ledger"
    )
    error_message = "The outputs tell of ${output.deploy_option} and ${output.sink}."
  }

  assert {
    condition     = output.knowledge_base_id == null && output.data_source_id == null && output.progress_table == null
    error_message = "The outputs tell of what is not deployed."
  }

  assert {
    condition     = aws_sns_topic.notifications.kms_master_key_id == "alias/aws/sns"
    error_message = "The topic's key is ${aws_sns_topic.notifications.kms_master_key_id}."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0
    error_message = "Somebody was subscribed."
  }

  assert {
    condition = (
      aws_sns_topic_policy.notifications.policy == data.aws_iam_policy_document.notifications.json
      && data.aws_iam_policy_document.notifications.source_policy_documents == tolist([module.tls_only.json])
      && length(data.aws_iam_policy_document.notifications.statement) == 0
    )
    error_message = "The topic's policy is ${jsonencode(data.aws_iam_policy_document.notifications)}."
  }

  assert {
    condition     = output.workflows == toset(["kendra_ingestion"]) && length(module.kb_sync) == 0
    error_message = "Deployed: ${join(", ", output.workflows)}."
  }

  assert {
    condition = (
      output.kb_sync_state_machine_arn == null
      && output.sync_table == null
      && output.sync_sources == null
      && output.sync_dead_letter_queue_url == null
    )
    error_message = "The outputs tell of a sync that is not deployed."
  }

  assert {
    condition     = length(data.aws_s3_bucket.data) == 0 && length(aws_s3_bucket_notification.data) == 0
    error_message = "There are data buckets that nobody named."
  }
}

run "names_follow_the_prefix" {
  command = plan

  variables {
    name_prefix = "search"
  }

  assert {
    condition     = aws_sns_topic.notifications.name == "search-notifications"
    error_message = "The topic is ${aws_sns_topic.notifications.name}."
  }

  assert {
    condition     = output.jobs_table == "search-jobs"
    error_message = "The table is ${output.jobs_table}."
  }

  assert {
    condition     = aws_lambda_layer_version.dependencies.layer_name == "search-dependencies"
    error_message = "The layer is ${aws_lambda_layer_version.dependencies.layer_name}."
  }
}

run "expires_archive_work_and_parts_of_reports_deltas_exports_and_records_of_the_store" {
  command = plan

  variables {
    archive_expiry_days = 45
  }

  assert {
    condition = local.expiry == {
      ingestion = {}
      reports = {
        archive = { prefix = "_archive/", days = 45 }
        work    = { prefix = "_work/", days = 30 }
        parts   = { tag = { key = "millrace", value = "part" }, days = 30 }
      }
      store = {
        "lines changes" = { prefix = "lines/changes/", days = 60 }
        "lines delta"   = { prefix = "lines/delta/", days = 60 }
        "words changes" = { prefix = "words/changes/", days = 60 }
        "words delta"   = { prefix = "words/delta/", days = 60 }
        exports         = { prefix = "exports/", days = 60 }
        runs            = { prefix = "runs/", days = 180 }
      }
    }
    error_message = "Expiry is ${jsonencode(local.expiry)}."
  }
}

run "tells_of_the_other_option_and_sink" {
  command = plan

  variables {
    deploy_option     = "sqs"
    sink              = "bedrock"
    knowledge_base_id = "KBASE12345"
    data_source_id    = "DSRCE12345"
  }

  assert {
    condition = (
      output.deploy_option == "sqs"
      && output.sink == "bedrock"
      && output.knowledge_base_id == "KBASE12345"
      && output.data_source_id == "DSRCE12345"
      && output.progress_table == "millrace-progress"
    )
    error_message = "The outputs tell of ${output.deploy_option} and ${output.sink}."
  }

  assert {
    condition     = output.kendra_index_id == null
    error_message = "The outputs name an index that nothing is sent to."
  }
}

run "leaves_existing_buckets_alone" {
  command = plan

  variables {
    create_ingestion_bucket = false
    create_reports_bucket   = false
  }

  assert {
    condition     = length(module.bucket) == 0 && keys(data.aws_s3_bucket.existing) == ["ingestion", "reports"]
    error_message = "Created: ${join(", ", keys(module.bucket))}."
  }

  assert {
    condition     = length(aws_s3_bucket_notification.existing) == 0
    error_message = "The notification configuration of an existing bucket was replaced unasked."
  }

  assert {
    condition     = output.ingestion_bucket == "example-ingestion" && output.reports_bucket == "example-reports"
    error_message = "The outputs name ${output.ingestion_bucket} and ${output.reports_bucket}."
  }
}

run "turns_events_of_an_existing_bucket_on_when_asked" {
  command = plan

  variables {
    create_ingestion_bucket               = false
    enable_eventbridge_on_existing_bucket = true
  }

  assert {
    condition     = aws_s3_bucket_notification.existing[0].bucket == "example-ingestion" && aws_s3_bucket_notification.existing[0].eventbridge
    error_message = "The existing bucket does not send its events to EventBridge."
  }

  assert {
    condition     = keys(module.bucket) == ["reports"]
    error_message = "Created: ${join(", ", keys(module.bucket))}."
  }
}

run "refuses_an_existing_bucket_of_another_region" {
  command         = plan
  expect_failures = [data.aws_s3_bucket.existing]

  variables {
    aws_region              = "eu-central-1"
    create_ingestion_bucket = false
  }
}

run "encrypts_the_topic_with_the_key_that_is_given" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = aws_sns_topic.notifications.kms_master_key_id == var.kms_key_arn
    error_message = "The topic's key is ${aws_sns_topic.notifications.kms_master_key_id}."
  }
}

run "subscribes_the_address_that_is_given" {
  command = plan

  variables {
    notification_email = "search-team@example.com"
  }

  assert {
    condition     = aws_sns_topic_subscription.email[0].endpoint == "search-team@example.com" && aws_sns_topic_subscription.email[0].protocol == "email"
    error_message = "The subscription is ${jsonencode(aws_sns_topic_subscription.email)}."
  }
}
