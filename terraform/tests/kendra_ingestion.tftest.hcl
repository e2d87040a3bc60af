mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix                   = "example"
  ingestion_bucket              = { name = "example-ingestion", arn = "arn:aws:s3:::example-ingestion" }
  reports_bucket                = { name = "example-reports", arn = "arn:aws:s3:::example-reports" }
  notifications_topic_arn       = "arn:aws:sns:eu-west-1:123456789012:example-notifications"
  sink                          = { name = "kendra", kendra_index_id = "12345678-1234-1234-1234-123456789012" }
  sink_requests_per_second      = 5
  deploy_option                 = "sfn"
  max_concurrency               = 2
  put_concurrency               = 3
  delete_concurrency            = 5
  verification_deadline_seconds = 600
  package                       = "tests/package/kendra_ingestion.zip"
  layers                        = ["arn:aws:lambda:eu-west-1:123456789012:layer:example-dependencies:1"]
  log_retention_days            = 30
}

run "starts_on_manifests_alone_and_lets_the_machine_send" {
  command = apply

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
    condition     = one(aws_cloudwatch_event_target.manifest_created.dead_letter_config).arn == module.dead_letters.arn
    error_message = "An undeliverable event is lost."
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

  assert {
    condition     = { for name, table in module.table : name => table.name } == { jobs = "example-jobs", ledger = "example-ledger" }
    error_message = "The tables are ${jsonencode({ for name, table in module.table : name => table.name })}."
  }

  assert {
    condition     = local.tables.jobs == { hash_key = "jobId", ttl_attribute = "expiresAt" } && local.tables.ledger == { hash_key = "id" }
    error_message = "The tables are ${jsonencode(local.tables)}."
  }

  assert {
    condition     = output.progress_table == null
    error_message = "There is a table of messages that nobody sends."
  }

  assert {
    condition     = module.dead_letters.name == "example-kendra-ingestion-dead-letters"
    error_message = "The queue is ${module.dead_letters.name}."
  }

  assert {
    condition     = length(module.queue) == 0 && length(module.dead_queue) == 0 && length(aws_lambda_event_source_mapping.this) == 0
    error_message = "There are queues: ${join(", ", keys(module.queue))}."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.kendra_reader[0].statement).resources == toset(["arn:aws:s3:::example-ingestion/*/batches/*"])
    error_message = "Kendra may read ${jsonencode(data.aws_iam_policy_document.kendra_reader[0].statement)}."
  }
}

run "sends_through_a_queue_an_action_with_as_many_workers_as_it_is_told" {
  command = plan

  module {
    source = "./modules/kendra_ingestion"
  }

  variables {
    deploy_option = "sqs"
  }

  assert {
    condition = output.functions == {
      load_manifest      = "example-load-manifest"
      list_batches       = "example-list-batches"
      producer           = "example-producer"
      put_worker         = "example-put-worker"
      del_worker         = "example-del-worker"
      dead_letter_worker = "example-dead-letter-worker"
      verify             = "example-verify"
      aggregate_failures = "example-aggregate-failures"
      archive_manifest   = "example-archive-manifest"
    }
    error_message = "The functions are ${jsonencode(output.functions)}."
  }

  assert {
    condition     = output.progress_table == "example-progress" && local.tables.progress.hash_key == "job" && local.tables.progress.range_key == "part"
    error_message = "Messages are counted in ${output.progress_table}."
  }

  assert {
    condition = (
      { for action, queue in module.queue : action => queue.name } == { put = "example-kendra-put.fifo", delete = "example-kendra-del.fifo" }
      && { for action, queue in module.dead_queue : action => queue.name } == { put = "example-kendra-put-dead.fifo", delete = "example-kendra-del-dead.fifo" }
    )
    error_message = "The queues are ${jsonencode(concat(values(module.queue)[*].name, values(module.dead_queue)[*].name))}."
  }

  assert {
    condition = {
      for name, mapping in aws_lambda_event_source_mapping.this :
      name => [mapping.function_name, one(mapping.scaling_config).maximum_concurrency]
      } == {
      put_worker  = ["example-put-worker", 3]
      del_worker  = ["example-del-worker", 5]
      dead_put    = ["example-dead-letter-worker", 2]
      dead_delete = ["example-dead-letter-worker", 2]
    }
    error_message = "The queues are read by ${jsonencode(aws_lambda_event_source_mapping.this)}."
  }

  assert {
    condition = alltrue([
      for mapping in aws_lambda_event_source_mapping.this :
      mapping.batch_size == 10 && mapping.function_response_types == toset(["ReportBatchItemFailures"])
    ])
    error_message = "One bad message would bring back its whole batch."
  }
}

run "lets_kendra_decrypt_what_the_key_encrypts" {
  command = plan

  module {
    source = "./modules/kendra_ingestion"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.kendra_reader[0].statement :
      statement.actions == toset(["kms:Decrypt"]) && statement.resources == toset([var.kms_key_arn])
    ])
    error_message = "Kendra may not decrypt the documents."
  }
}

run "has_no_role_for_kendra_with_another_sink" {
  command = plan

  module {
    source = "./modules/kendra_ingestion"
  }

  variables {
    sink = { name = "bedrock", knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345" }
  }

  assert {
    condition     = length(module.kendra_reader) == 0
    error_message = "Kendra may read documents that are not for it."
  }
}

run "refuses_kendra_without_an_index" {
  command         = plan
  expect_failures = [var.sink]

  module {
    source = "./modules/kendra_ingestion"
  }

  variables {
    sink = { name = "kendra", knowledge_base_id = "KBASE12345", data_source_id = "DSRCE12345" }
  }
}

run "refuses_bedrock_without_a_knowledge_base" {
  command         = plan
  expect_failures = [var.sink]

  module {
    source = "./modules/kendra_ingestion"
  }

  variables {
    sink = { name = "bedrock", data_source_id = "DSRCE12345" }
  }
}

run "refuses_bedrock_without_a_data_source" {
  command         = plan
  expect_failures = [var.sink]

  module {
    source = "./modules/kendra_ingestion"
  }

  variables {
    sink = { name = "bedrock", knowledge_base_id = "KBASE12345" }
  }
}

run "refuses_no_bucket_for_documents_and_none_for_reports" {
  command         = plan
  expect_failures = [var.ingestion_bucket, var.reports_bucket]

  module {
    source = "./modules/kendra_ingestion"
  }

  variables {
    ingestion_bucket = null
    reports_bucket   = null
  }
}
