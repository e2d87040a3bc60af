mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  aws_region  = "eu-west-1"
  workflows   = ["kb_sync"]
  package_dir = "tests/package"

  sync_sources = {
    handbook = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data", prefix = "handbook/" }
    images   = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE67890", bucket = "example-data", prefix = "images/" }
    notes    = { knowledge_base_id = "KBASE67890", data_source_id = "DSRCE00000", bucket = "example-notes" }
  }
}

run "deploys_sync_alone_and_leaves_the_data_buckets_alone" {
  command = apply

  assert {
    condition     = length(module.kendra_ingestion) == 0 && length(module.bucket) == 0 && length(data.aws_s3_bucket.existing) == 0
    error_message = "Something of Kendra ingestion is made."
  }

  assert {
    condition = alltrue([
      for value in [
        output.deploy_option,
        output.sink,
        output.ingestion_bucket,
        output.reports_bucket,
        output.kendra_index_id,
        output.knowledge_base_id,
        output.data_source_id,
        output.state_machine_arn,
        output.jobs_table,
        output.ledger_table,
        output.progress_table,
        output.dead_letter_queue_url,
      ] : value == null
    ])
    error_message = "The outputs tell of what is not deployed."
  }

  assert {
    condition     = output.workflows == toset(["kb_sync"]) && output.sync_table == "millrace-sync"
    error_message = "The outputs tell of ${join(", ", output.workflows)} and ${output.sync_table}."
  }

  assert {
    condition = output.sync_sources == tomap({
      handbook = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data", prefix = "handbook/" }
      images   = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE67890", bucket = "example-data", prefix = "images/" }
      notes    = { knowledge_base_id = "KBASE67890", data_source_id = "DSRCE00000", bucket = "example-notes", prefix = "" }
    })
    error_message = "The sources are ${jsonencode(output.sync_sources)}."
  }

  assert {
    condition     = keys(data.aws_s3_bucket.data) == ["example-data", "example-notes"] && length(aws_s3_bucket_notification.data) == 0
    error_message = "The notification configuration of a data bucket was replaced unasked."
  }

  assert {
    condition = (
      one(data.aws_iam_policy_document.notifications.statement).actions == toset(["sns:Publish"])
      && one(one(data.aws_iam_policy_document.notifications.statement).principals).identifiers == toset(["cloudwatch.amazonaws.com"])
      && data.aws_iam_policy_document.notifications.source_policy_documents == tolist([module.tls_only.json])
    )
    error_message = "The topic's policy is ${jsonencode(data.aws_iam_policy_document.notifications)}."
  }

  assert {
    condition     = aws_sns_topic.notifications.kms_master_key_id == null
    error_message = "No alarm reaches a topic that AWS's own key encrypts."
  }

  assert {
    condition     = local.packages == { kb_sync = "tests/package/kb_sync.zip" }
    error_message = "Packages: ${jsonencode(local.packages)}."
  }
}

run "makes_nothing_of_what_kendra_ingestion_would_be_told" {
  command = plan

  variables {
    ingestion_bucket                      = "example-ingestion"
    reports_bucket                        = "example-ingestion"
    create_ingestion_bucket               = false
    enable_eventbridge_on_existing_bucket = true
    kendra_index_id                       = "12345678-1234-1234-1234-123456789012"
  }

  assert {
    condition     = length(module.bucket) == 0 && length(data.aws_s3_bucket.existing) == 0 && length(aws_s3_bucket_notification.existing) == 0
    error_message = "Something of Kendra ingestion is made."
  }

  assert {
    condition     = output.kendra_index_id == null && output.ingestion_bucket == null
    error_message = "The outputs tell of what is not deployed."
  }
}

run "turns_events_of_each_data_bucket_on_once_when_asked" {
  command = plan

  variables {
    enable_eventbridge_on_data_buckets = true
  }

  assert {
    condition     = { for name, bucket in aws_s3_bucket_notification.data : name => [bucket.bucket, bucket.eventbridge] } == { example-data = ["example-data", true], example-notes = ["example-notes", true] }
    error_message = "Changed: ${join(", ", keys(aws_s3_bucket_notification.data))}."
  }
}

run "leaves_the_events_of_a_bucket_alone_that_nobody_hears" {
  command = plan

  variables {
    enable_eventbridge_on_data_buckets = true

    sync_sources = {
      handbook = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345", bucket = "example-data", prefix = "handbook/" }
      images   = { knowledge_base_id = "KBASE12345", data_source_id = "DSRCE67890", bucket = "example-data", prefix = "images/", events = false }
      notes    = { knowledge_base_id = "KBASE67890", data_source_id = "DSRCE00000", bucket = "example-notes", events = false }
    }
  }

  assert {
    condition     = keys(aws_s3_bucket_notification.data) == ["example-data"] && keys(data.aws_s3_bucket.data) == ["example-data", "example-notes"]
    error_message = "Changed: ${join(", ", keys(aws_s3_bucket_notification.data))}."
  }
}

run "leaves_events_to_kendra_ingestion_where_both_read_one_bucket" {
  command = plan

  variables {
    workflows                          = ["kendra_ingestion", "kb_sync"]
    ingestion_bucket                   = "example-data"
    reports_bucket                     = "example-reports"
    kendra_index_id                    = "12345678-1234-1234-1234-123456789012"
    enable_eventbridge_on_data_buckets = true
  }

  assert {
    condition     = keys(aws_s3_bucket_notification.data) == ["example-notes"] && keys(data.aws_s3_bucket.data) == ["example-notes"]
    error_message = "Two resources own the notifications of one bucket, or a bucket is looked up before it is made."
  }

  assert {
    condition     = output.sync_table == "millrace-sync" && output.jobs_table == "millrace-jobs"
    error_message = "One of the workflows is missing."
  }
}

run "turns_events_of_a_bucket_on_that_both_read_and_only_sync_was_told_to" {
  command = plan

  variables {
    workflows                          = ["kendra_ingestion", "kb_sync"]
    ingestion_bucket                   = "example-data"
    create_ingestion_bucket            = false
    reports_bucket                     = "example-reports"
    kendra_index_id                    = "12345678-1234-1234-1234-123456789012"
    enable_eventbridge_on_data_buckets = true
  }

  assert {
    condition     = keys(aws_s3_bucket_notification.data) == ["example-data", "example-notes"] && length(aws_s3_bucket_notification.existing) == 0
    error_message = "Changed: ${join(", ", keys(aws_s3_bucket_notification.data))}."
  }
}

run "refuses_a_data_bucket_of_another_region" {
  command         = plan
  expect_failures = [data.aws_s3_bucket.data]

  variables {
    aws_region = "eu-central-1"
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
