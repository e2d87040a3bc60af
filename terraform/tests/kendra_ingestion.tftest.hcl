mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix                   = "example"
  ingestion_bucket              = { name = "example-ingestion", arn = "arn:aws:s3:::example-ingestion" }
  reports_bucket                = { name = "example-reports", arn = "arn:aws:s3:::example-reports" }
  notifications_topic_arn       = "arn:aws:sns:eu-west-1:123456789012:example-notifications"
  kendra_index_id               = "12345678-1234-1234-1234-123456789012"
  kendra_requests_per_second    = 5
  max_concurrency               = 2
  verification_deadline_seconds = 600
  package                       = "tests/package/kendra_ingestion.zip"
  layers                        = ["arn:aws:lambda:eu-west-1:123456789012:layer:example-dependencies:1"]
  log_retention_days            = 30
}

run "starts_on_manifests_of_its_bucket_alone" {
  command = plan

  module {
    source = "./modules/kendra_ingestion"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.manifest_created.event_pattern) == {
      source      = ["aws.s3"]
      detail-type = ["Object Created"]
      detail = {
        bucket = { name = ["example-ingestion"] }
        object = { key = [{ suffix = "/_control/manifest.json" }] }
      }
    }
    error_message = "The pattern is ${aws_cloudwatch_event_rule.manifest_created.event_pattern}."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.manifest_created.name == "example-manifest-created"
    error_message = "The rule is ${aws_cloudwatch_event_rule.manifest_created.name}."
  }
}

run "hands_bucket_key_and_sequencer_to_the_machine" {
  command = apply

  module {
    source = "./modules/kendra_ingestion"
  }

  assert {
    condition = one(aws_cloudwatch_event_target.manifest_created.input_transformer).input_paths == tomap({
      bucket    = "$.detail.bucket.name"
      key       = "$.detail.object.key"
      sequencer = "$.detail.object.sequencer"
    })
    error_message = "The input is made of ${jsonencode(aws_cloudwatch_event_target.manifest_created.input_transformer)}."
  }

  assert {
    condition = jsondecode(replace(
      one(aws_cloudwatch_event_target.manifest_created.input_transformer).input_template, "/<([a-z]+)>/", "\"$1\"",
      )) == {
      bucket    = "bucket"
      key       = "key"
      sequencer = "sequencer"
    }
    error_message = "The template is ${one(aws_cloudwatch_event_target.manifest_created.input_transformer).input_template}."
  }

  assert {
    condition     = aws_cloudwatch_event_target.manifest_created.arn == output.state_machine_arn
    error_message = "The rule's target is ${aws_cloudwatch_event_target.manifest_created.arn}."
  }

  assert {
    condition     = one(aws_cloudwatch_event_target.manifest_created.dead_letter_config).arn == aws_sqs_queue.dead_letters.arn
    error_message = "An undeliverable event is lost."
  }
}

run "names_the_functions_for_what_they_do" {
  command = plan

  module {
    source = "./modules/kendra_ingestion"
  }

  assert {
    condition = output.functions == {
      load_manifest      = "example-load-manifest"
      list_batches       = "example-list-batches"
      process_batch      = "example-process-batch"
      verify             = "example-verify"
      aggregate_failures = "example-aggregate-failures"
      archive_manifest   = "example-archive-manifest"
    }
    error_message = "The functions are ${jsonencode(output.functions)}."
  }
}

run "keeps_locks_in_a_table_that_survives_mistakes" {
  command = plan

  module {
    source = "./modules/kendra_ingestion"
  }

  assert {
    condition = (
      aws_dynamodb_table.jobs.name == "example-jobs"
      && aws_dynamodb_table.jobs.hash_key == "jobId"
      && aws_dynamodb_table.jobs.billing_mode == "PAY_PER_REQUEST"
      && one(aws_dynamodb_table.jobs.ttl).attribute_name == "expiresAt"
      && one(aws_dynamodb_table.jobs.point_in_time_recovery).enabled
      && one(aws_dynamodb_table.jobs.server_side_encryption).enabled
    )
    error_message = "The table is not keyed by jobId, expiring, recoverable and encrypted."
  }
}

run "keeps_dead_letters_encrypted_for_the_rule_alone" {
  command = apply

  module {
    source = "./modules/kendra_ingestion"
  }

  assert {
    condition     = aws_sqs_queue.dead_letters.name == "example-kendra-ingestion-dead-letters" && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled
    error_message = "The queue is not encrypted with SQS-managed keys."
  }

  assert {
    condition = (
      one(data.aws_iam_policy_document.dead_letters.statement).actions == toset(["sqs:SendMessage"])
      && one(one(data.aws_iam_policy_document.dead_letters.statement).condition).values == tolist([aws_cloudwatch_event_rule.manifest_created.arn])
    )
    error_message = "Others than the rule may send: ${jsonencode(data.aws_iam_policy_document.dead_letters.statement)}."
  }
}

run "lets_kendra_read_documents_for_this_index_alone" {
  command = plan

  module {
    source = "./modules/kendra_ingestion"
  }

  assert {
    condition     = one(data.aws_iam_policy_document.kendra_reader.statement).resources == toset(["arn:aws:s3:::example-ingestion/*/batches/*"])
    error_message = "Kendra may read ${jsonencode(data.aws_iam_policy_document.kendra_reader.statement)}."
  }

  assert {
    condition = {
      for condition in one(data.aws_iam_policy_document.kendra_trust.statement).condition : condition.variable => condition.values
      } == {
      "aws:SourceAccount" = tolist(["123456789012"])
      "aws:SourceArn" = tolist([
        "arn:aws:kendra:eu-west-1:123456789012:index/12345678-1234-1234-1234-123456789012",
        "arn:aws:kendra:eu-west-1:123456789012:index/12345678-1234-1234-1234-123456789012/*",
      ])
    }
    error_message = "Kendra is trusted on ${jsonencode(data.aws_iam_policy_document.kendra_trust.statement)}."
  }
}

run "encrypts_everything_with_the_key_that_is_given" {
  command = plan

  module {
    source = "./modules/kendra_ingestion"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = one(aws_dynamodb_table.jobs.server_side_encryption).kms_key_arn == var.kms_key_arn
    error_message = "The table does not use the key."
  }

  assert {
    condition     = aws_sqs_queue.dead_letters.kms_master_key_id == var.kms_key_arn
    error_message = "The queue does not use the key."
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.kendra_reader.statement :
      statement.actions == toset(["kms:Decrypt"]) && statement.resources == toset([var.kms_key_arn])
    ])
    error_message = "Kendra may not decrypt the documents."
  }
}
