data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name      = "${var.name_prefix}-kendra-ingestion"
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  account   = data.aws_caller_identity.current.account_id
  index_arn = "arn:${local.partition}:kendra:${local.region}:${local.account}:index/${var.kendra_index_id}"

  functions = {
    load_manifest = {
      description = "Reads a job's manifest and checks it"
      timeout     = 60
      memory_size = 512
      policy      = data.aws_iam_policy_document.load_manifest.json
    }
    list_batches = {
      description = "Lists a job's folder, pairs documents with their metadata and packs them into chunks"
      timeout     = 900
      memory_size = 1769 # one whole core: pairing and packing are all computing
      policy      = data.aws_iam_policy_document.list_batches.json
    }
    process_batch = {
      description = "Sends one chunk of documents to the index"
      timeout     = 900
      memory_size = 512
      policy      = data.aws_iam_policy_document.process_batch.json
    }
    verify = {
      description = "Asks the index what became of the documents that were sent"
      timeout     = 900
      memory_size = 512
      policy      = data.aws_iam_policy_document.verify.json
    }
    aggregate_failures = {
      description = "Writes a job's report out of the outcomes of its documents"
      timeout     = 900
      memory_size = 1769 # one whole core: it reads every outcome of the job
      policy      = data.aws_iam_policy_document.aggregate_failures.json
    }
    archive_manifest = {
      description = "Moves a finished job's manifest to the archive"
      timeout     = 60
      memory_size = 512
      policy      = data.aws_iam_policy_document.archive_manifest.json
    }
  }

  # Every key of a function's description is one that module.function is given below.
  function_keys         = toset(["description", "memory_size", "policy", "timeout"])
  unknown_function_keys = setsubtract(flatten([for function in local.functions : keys(function)]), local.function_keys)
}

module "function" {
  source   = "../function"
  for_each = local.functions

  name        = "${var.name_prefix}-${replace(each.key, "_", "-")}"
  description = each.value.description
  package     = var.package
  handler     = "kendra_ingestion.${each.key}.handler"
  layers      = var.layers
  timeout     = each.value.timeout
  memory_size = each.value.memory_size
  policy      = each.value.policy

  environment = {
    INGESTION_BUCKET              = var.ingestion_bucket.name
    REPORTS_BUCKET                = var.reports_bucket.name
    KENDRA_INDEX_ID               = var.kendra_index_id
    KENDRA_ROLE_ARN               = aws_iam_role.kendra_reader.arn
    KENDRA_REQUESTS_PER_SECOND    = var.kendra_requests_per_second
    MAX_CONCURRENCY               = var.max_concurrency
    VERIFICATION_DEADLINE_SECONDS = var.verification_deadline_seconds
    POWERTOOLS_SERVICE_NAME       = "kendra_ingestion"
    POWERTOOLS_METRICS_NAMESPACE  = "Millrace"
    LOG_LEVEL                     = "INFO"
  }

  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}

module "state_machine" {
  source = "../state_machine"

  name       = local.name
  definition = "${path.module}/../../../state_machines/kendra_ingestion.asl.json"

  substitutions = merge(
    { for name, function in module.function : "${name}_arn" => function.arn },
    {
      jobs_table              = aws_dynamodb_table.jobs.name
      notifications_topic_arn = var.notifications_topic_arn
      partition               = local.partition
      max_concurrency         = var.max_concurrency
    },
  )

  policy             = data.aws_iam_policy_document.state_machine.json
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}

resource "aws_dynamodb_table" "jobs" {
  name         = "${var.name_prefix}-jobs"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "jobId"

  attribute {
    name = "jobId"
    type = "S"
  }

  ttl {
    attribute_name = "expiresAt"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}
