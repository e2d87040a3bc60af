mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  aws_region             = "eu-west-1"
  workflows              = ["vector_store"]
  store_bucket           = "example-store"
  vector_store_image_uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/millrace/vector-store:1"
  package_dir            = "tests/package"
}

run "tells_where_things_are" {
  command = apply

  assert {
    condition = (
      alltrue([for url in [output.embed_queue_url, output.lines_queue_url, output.words_queue_url] : startswith(url, "https://sqs.")])
      && keys(output.vector_dead_letter_queue_urls) == ["changes", "embed", "stream"]
      && startswith(output.compaction_state_machine_arn, "arn:aws:states:")
    )
    error_message = "The outputs tell of ${output.embed_queue_url} and ${jsonencode(output.vector_dead_letter_queue_urls)}."
  }

  assert {
    condition = [
      output.receipts_table,
      output.vector_store_table,
      output.flights_table,
      output.store_bucket,
      output.embed_consumer,
      output.queue_mode,
    ] == ["receipts", "millrace-vector-store", "millrace-flights", "example-store", "lambda", "standard"]
    error_message = "The outputs tell of ${output.receipts_table}, ${output.vector_store_table} and ${output.store_bucket}."
  }

  assert {
    condition = output.vector_functions == {
      search  = "millrace-vector-search"
      check   = "millrace-vector-check"
      collect = "millrace-vector-collect"
      overdue = "millrace-vector-overdue"
    }
    error_message = "The functions are ${jsonencode(output.vector_functions)}."
  }

  assert {
    condition     = keys(module.bucket) == ["store"] && length(module.kendra_ingestion) == 0 && output.ingestion_bucket == null
    error_message = "Created: ${join(", ", keys(module.bucket))}."
  }

  assert {
    condition     = aws_sns_topic.notifications.kms_master_key_id == null
    error_message = "An alarm cannot publish where AWS's own key encrypts."
  }
}

run "tells_nothing_of_what_is_not_deployed" {
  command = plan

  variables {
    workflows = ["kb_sync"]
    sync_sources = {
      notes = { knowledge_base_id = "KBASE67890", data_source_id = "DSRCE00000", bucket = "example-notes" }
    }
  }

  assert {
    condition = length(module.vector_store) == 0 && length(module.bucket) == 0 && alltrue([
      for value in [
        output.compaction_state_machine_arn,
        output.flights_table,
        output.receipts_table,
        output.vector_store_table,
        output.store_bucket,
        output.embed_consumer,
        output.queue_mode,
        output.embed_queue_url,
        output.lines_queue_url,
        output.words_queue_url,
      ] : value == null
    ]) && output.vector_dead_letter_queue_urls == null && output.vector_functions == null
    error_message = "The outputs tell of what is not deployed."
  }
}

run "uses_a_bucket_that_is_there" {
  command = plan

  variables {
    create_store_bucket = false
  }

  override_data {
    target = data.aws_s3_bucket.existing["store"]
    values = { bucket = "example-store", arn = "arn:aws:s3:::example-store", bucket_region = "eu-west-1" }
  }

  assert {
    condition     = length(module.bucket) == 0 && output.store_bucket == "example-store"
    error_message = "Created: ${join(", ", keys(module.bucket))}."
  }
}

run "refuses_a_bucket_of_another_region" {
  command         = plan
  expect_failures = [data.aws_s3_bucket.existing["store"]]

  variables {
    create_store_bucket = false
  }

  override_data {
    target = data.aws_s3_bucket.existing["store"]
    values = { bucket = "example-store", arn = "arn:aws:s3:::example-store", bucket_region = "us-east-1" }
  }
}

run "refuses_a_bucket_of_kendra_ingestion" {
  command         = plan
  expect_failures = [output.store_bucket]

  variables {
    workflows        = ["kendra_ingestion", "vector_store"]
    ingestion_bucket = "example-ingestion"
    reports_bucket   = "example-store"
    kendra_index_id  = "12345678-1234-1234-1234-123456789012"
  }
}

run "takes_the_bounds" {
  command = plan

  variables {
    name_prefix                       = "a23456789-123456789-1234567890"
    vector_store_image_uri            = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/v@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    queue_mode                        = "fifo"
    export_buckets                    = ["example-exports", "other.exports"]
    embed_concurrency                 = 1
    embed_requests_per_second         = 1
    embed_dimension                   = 256
    change_batching_window_seconds    = 0
    compact_memory_mb                 = 1024
    compact_storage_mb                = 512
    compaction_poll_seconds           = 1
    compaction_seconds_between_starts = 1
    compaction_sweep_minutes          = 1
    overdue_minutes                   = 5
    snapshot_retention_days           = 1
  }
}

run "takes_the_other_bounds" {
  command = plan

  variables {
    embed_consumer                    = "ecs"
    embed_image_uri                   = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/millrace/embed:1"
    embed_subnet_ids                  = ["subnet-01234567"]
    embed_security_group_ids          = ["sg-01234567"]
    receipts_table                    = "scans"
    embed_concurrency                 = 64
    embed_requests_per_second         = 1000
    embed_dimension                   = 1024
    change_batching_window_seconds    = 300
    compact_memory_mb                 = 10240
    compact_storage_mb                = 10240
    compaction_poll_seconds           = 300
    compaction_seconds_between_starts = 3600
    compaction_sweep_minutes          = 1440
    overdue_minutes                   = 1440
    snapshot_retention_days           = 365
  }
}

run "refuses_what_is_out_of_bounds_or_no_name" {
  command = plan
  expect_failures = [
    var.receipts_table,
    var.store_bucket,
    var.export_buckets,
    var.vector_store_image_uri,
    var.embed_consumer,
    var.embed_image_uri,
    var.embed_subnet_ids,
    var.embed_security_group_ids,
    var.embed_concurrency,
    var.embed_requests_per_second,
    var.embed_dimension,
    var.queue_mode,
    var.change_batching_window_seconds,
    var.compact_memory_mb,
    var.compact_storage_mb,
    var.compaction_poll_seconds,
    var.compaction_seconds_between_starts,
    var.compaction_sweep_minutes,
    var.overdue_minutes,
    var.snapshot_retention_days,
  ]

  variables {
    receipts_table                    = "arn:aws:dynamodb:eu-west-1:123456789012:table/receipts"
    store_bucket                      = "s3://example-store"
    export_buckets                    = ["Example"]
    vector_store_image_uri            = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/millrace/vector-store"
    embed_consumer                    = "both"
    embed_image_uri                   = "millrace/embed:1"
    embed_subnet_ids                  = ["eu-west-1a"]
    embed_security_group_ids          = ["default"]
    embed_concurrency                 = 0
    embed_requests_per_second         = 0
    embed_dimension                   = 384
    queue_mode                        = "express"
    change_batching_window_seconds    = -1
    compact_memory_mb                 = 1023
    compact_storage_mb                = 511
    compaction_poll_seconds           = 0
    compaction_seconds_between_starts = 0
    compaction_sweep_minutes          = 0
    overdue_minutes                   = 4
    snapshot_retention_days           = 0
  }
}

run "refuses_what_is_beyond_the_bounds" {
  command = plan
  expect_failures = [
    var.vector_store_image_uri,
    var.embed_concurrency,
    var.embed_requests_per_second,
    var.change_batching_window_seconds,
    var.compact_memory_mb,
    var.compact_storage_mb,
    var.compaction_poll_seconds,
    var.compaction_seconds_between_starts,
    var.compaction_sweep_minutes,
    var.overdue_minutes,
    var.snapshot_retention_days,
  ]

  variables {
    vector_store_image_uri            = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/millrace/vector-store@sha256:0123"
    embed_concurrency                 = 65
    embed_requests_per_second         = 1001
    change_batching_window_seconds    = 301
    compact_memory_mb                 = 10241
    compact_storage_mb                = 10241
    compaction_poll_seconds           = 1.5
    compaction_seconds_between_starts = 3601
    compaction_sweep_minutes          = 1441
    overdue_minutes                   = 1441
    snapshot_retention_days           = 366
  }
}
