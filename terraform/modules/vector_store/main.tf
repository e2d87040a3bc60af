data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name        = "${var.name_prefix}-vector-store"
  partition   = data.aws_partition.current.partition
  region      = data.aws_region.current.region
  account     = data.aws_caller_identity.current.account_id
  collections = ["lines", "words"]

  store = {
    STORE_BUCKET       = var.store_bucket.name
    VECTOR_STORE_TABLE = module.table.name
  }
  change_queues = {
    LINES_QUEUE_URL = module.queue["lines"].url
    WORDS_QUEUE_URL = module.queue["words"].url
  }
  requests = { COMPACTION_MACHINE_ARN = local.compaction_arn }
  vectors  = { EMBED_DIMENSION = var.embed.dimension }

  # What Powertools is told, of functions and of the embedding task alike.
  telemetry = {
    POWERTOOLS_SERVICE_NAME      = local.metrics.service
    POWERTOOLS_METRICS_NAMESPACE = local.metrics.namespace
    LOG_LEVEL                    = "INFO"
  }

  # Those in the image open Chroma. None is told what it does not read.
  functions = {
    for name, function in {
      router = {
        description = "Sends what the stream of receipts tells to the queues of lines and words"
        module      = "router"
        in_image    = false
        timeout     = 60
        policy      = data.aws_iam_policy_document.router.json
        environment = merge(local.change_queues, { QUEUE_MODE = var.queue_mode })
      }
      delta_writer = {
        description = "Makes deltas of the messages of a queue, and asks for a compaction"
        module      = "delta_writer"
        in_image    = false
        timeout     = local.delta_writer_timeout
        policy      = data.aws_iam_policy_document.delta_writer.json
        environment = merge(local.store, local.change_queues, local.requests)
      }
      embed = {
        description = "Embeds exports and writes their vectors, one message after the other"
        module      = "embed_lambda"
        in_image    = false
        timeout     = local.embed_timeout
        policy      = data.aws_iam_policy_document.embed.json
        environment = local.embedding
      }
      compact = {
        description = "Merges pending deltas of a collection into a new snapshot and publishes it"
        module      = "compact"
        in_image    = true
        timeout     = 900
        policy      = data.aws_iam_policy_document.compact.json
        environment = merge(local.store, local.vectors)
      }
      search = {
        description = "Finds the records of a collection that are nearest to a text"
        module      = "search"
        in_image    = true
        timeout     = 120
        policy      = data.aws_iam_policy_document.search.json
        environment = merge(local.store, local.vectors)
      }
      check = {
        description = "Holds the stores against the table of receipts, and repairs what differs"
        module      = "check"
        in_image    = true
        timeout     = 900
        policy      = data.aws_iam_policy_document.check.json
        environment = merge(local.store, local.vectors, local.requests, {
          RECEIPTS_TABLE         = module.receipts_table.name
          EMBED_NDJSON_QUEUE_URL = module.queue["embed"].url
          SETTLE_SECONDS         = local.window + 15 # what is on its way to a delta is no difference
        })
      }
      collect = {
        description = "Removes snapshots that nobody reads any more"
        module      = "collect"
        in_image    = false
        timeout     = 900
        policy      = data.aws_iam_policy_document.collect.json
        environment = merge(local.store, { SNAPSHOT_RETENTION_DAYS = var.snapshot_retention_days })
      }
      overdue = {
        description = "Measures what waits, and asks again for compactions that are overdue"
        module      = "overdue"
        in_image    = false
        timeout     = 60
        policy      = data.aws_iam_policy_document.overdue.json
        environment = merge(local.store, local.requests, { OVERDUE_SECONDS = 60 * var.overdue_minutes })
      }
    } : name => function
    if name != "embed" || local.embeds_by_lambda
  }
}

module "function" {
  source   = "../function"
  for_each = local.functions

  name        = "${var.name_prefix}-vector-${replace(each.key, "_", "-")}"
  description = each.value.description
  package     = each.value.in_image ? null : var.package
  image_uri   = each.value.in_image ? var.image_uri : null
  handler     = "vector_store.${each.value.module}.handler"
  layers      = each.value.in_image ? [] : var.layers
  timeout     = each.value.timeout
  policy      = each.value.policy
  environment = merge(each.value.environment, local.telemetry)

  memory_size            = each.value.in_image ? var.compact.memory_mb : 512
  ephemeral_storage_size = each.value.in_image ? var.compact.storage_mb : null

  # One consumer at a time; without this an invocation more would only find the lease taken.
  reserved_concurrent_executions = each.key == "embed" ? 1 : null

  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}
