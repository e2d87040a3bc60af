data "aws_caller_identity" "current" {}

locals {
  deployed = {
    for workflow in ["kendra_ingestion", "kb_sync", "incident_sync", "vector_store"] :
    workflow => contains(var.workflows, workflow)
  }

  # The buckets of Kendra ingestion and of the vector store, by role. A name that is missing is for its module to ask for.
  bucket_names = {
    for role, bucket in {
      ingestion = { name = var.ingestion_bucket, of = "kendra_ingestion" }
      reports   = { name = var.reports_bucket, of = "kendra_ingestion" }
      store     = { name = var.store_bucket, of = "vector_store" }
    } : role => bucket.name
    if local.deployed[bucket.of] && bucket.name != null
  }
  create_bucket = {
    ingestion = var.create_ingestion_bucket
    reports   = var.create_reports_bucket
    store     = var.create_store_bucket
  }
  buckets = merge(
    { for role, bucket in module.bucket : role => { name = bucket.name, arn = bucket.arn } },
    { for role, bucket in data.aws_s3_bucket.existing : role => { name = bucket.bucket, arn = bucket.arn } },
  )

  # What expires, by the bucket's role. Redrive can take an execution up again for 14 days, and reads what it wrote under
  # _work/, so that lives longer. Parts of a report lie beside reports, which stay. A message or a stream's record may bring
  # up a delta for as long as 15 days.
  expiry = {
    ingestion = {}
    reports = {
      archive = { prefix = "_archive/", days = var.archive_expiry_days }
      work    = { prefix = "_work/", days = 30 }
      parts   = { tag = { key = "millrace", value = "part" }, days = 30 }
    }
    store = merge(
      {
        for place in setproduct(["lines", "words"], ["changes", "delta"]) :
        join(" ", place) => { prefix = "${join("/", place)}/", days = 60 }
      },
      {
        exports = { prefix = "exports/", days = 60 }
        runs    = { prefix = "runs/", days = 180 }
      },
    )
  }

  # Buckets that send their events to EventBridge because of Kendra ingestion, and those that sync needs to do so.
  notified_buckets = [
    for role, name in local.bucket_names : name
    if role == "ingestion" && (var.create_ingestion_bucket || var.enable_eventbridge_on_existing_bucket)
  ]
  created_buckets = [for role, name in local.bucket_names : name if local.create_bucket[role]]

  # The buckets of knowledge base sync, and those of them whose events ask for a sync.
  sync_sources  = local.deployed.kb_sync ? var.sync_sources : {}
  data_buckets  = toset(values(local.sync_sources)[*].bucket)
  heard_buckets = toset([for source in values(local.sync_sources) : source.bucket if source.events])

  has_alarms = local.deployed.kb_sync || local.deployed.vector_store
  alarm_arns = flatten([
    module.kb_sync[*].alarm_arns,
    module.incident_sync[*].alarm_arns,
    module.vector_store[*].alarm_arns,
  ])

  layer    = "${var.package_dir}/layer.zip"
  packages = { for workflow in var.workflows : workflow => "${var.package_dir}/${workflow}.zip" }
  files    = concat(values(local.packages), [local.layer])
}

module "bucket" {
  source   = "./modules/bucket"
  for_each = { for role, name in local.bucket_names : role => name if local.create_bucket[role] }

  name          = each.value
  eventbridge   = each.key == "ingestion"
  expiry        = local.expiry[each.key]
  kms_key_arn   = var.kms_key_arn
  force_destroy = var.force_destroy
}

data "aws_s3_bucket" "existing" {
  for_each = { for role, name in local.bucket_names : role => name if !local.create_bucket[role] }

  bucket = each.value

  lifecycle {
    postcondition {
      condition     = self.bucket_region == var.aws_region
      error_message = "Bucket ${self.bucket} is in ${self.bucket_region}, not in ${var.aws_region}. What is deployed and its buckets are in one region: name a bucket of ${var.aws_region} or deploy to ${self.bucket_region}."
    }
  }
}

resource "aws_s3_bucket_notification" "existing" {
  count = var.enable_eventbridge_on_existing_bucket && contains(keys(data.aws_s3_bucket.existing), "ingestion") ? 1 : 0

  bucket      = local.buckets["ingestion"].name
  eventbridge = true
}

# Those that are created here exist once they are applied, in this region.
data "aws_s3_bucket" "data" {
  for_each = setsubtract(local.data_buckets, local.created_buckets)

  bucket = each.value

  lifecycle {
    postcondition {
      condition     = self.bucket_region == var.aws_region
      error_message = "Bucket ${self.bucket} of sync_sources is in ${self.bucket_region}, not in ${var.aws_region}. Its events arrive in its own region alone: deploy to ${self.bucket_region}."
    }
  }
}

resource "aws_s3_bucket_notification" "data" {
  for_each = var.enable_eventbridge_on_data_buckets ? setsubtract(local.heard_buckets, local.notified_buckets) : toset([])

  bucket      = each.value
  eventbridge = true
}

resource "aws_lambda_layer_version" "dependencies" {
  layer_name               = "${var.name_prefix}-dependencies"
  description              = "What the functions need beyond their runtime"
  filename                 = local.layer
  source_code_hash         = fileexists(local.layer) ? filebase64sha256(local.layer) : null
  compatible_runtimes      = ["python3.13"]
  compatible_architectures = ["arm64"]

  lifecycle {
    precondition {
      condition     = alltrue([for file in local.files : fileexists(file)])
      error_message = "Not built yet: ${join(", ", [for file in local.files : file if !fileexists(file)])}. Run `make package` in the repository first."
    }
  }
}

resource "aws_sns_topic" "notifications" {
  name = "${var.name_prefix}-notifications"
  # An alarm cannot publish where AWS's own key encrypts (docs/decisions/alarms.md).
  kms_master_key_id = var.kms_key_arn != null || local.has_alarms ? var.kms_key_arn : "alias/aws/sns"
}

module "tls_only" {
  source = "./modules/tls_only"

  actions   = ["sns:Publish"]
  resources = [aws_sns_topic.notifications.arn]
}

data "aws_iam_policy_document" "notifications" {
  source_policy_documents = [module.tls_only.json]

  dynamic "statement" {
    for_each = local.has_alarms ? [local.alarm_arns] : []

    content {
      sid       = "PublishAlarms"
      actions   = ["sns:Publish"]
      resources = [aws_sns_topic.notifications.arn]

      principals {
        type        = "Service"
        identifiers = ["cloudwatch.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [data.aws_caller_identity.current.account_id]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = statement.value
      }
    }
  }
}

resource "aws_sns_topic_policy" "notifications" {
  arn    = aws_sns_topic.notifications.arn
  policy = data.aws_iam_policy_document.notifications.json
}

resource "aws_sns_topic_subscription" "email" {
  count = var.notification_email == null ? 0 : 1

  topic_arn = aws_sns_topic.notifications.arn
  protocol  = "email"
  endpoint  = var.notification_email
}

module "kendra_ingestion" {
  source = "./modules/kendra_ingestion"
  count  = local.deployed.kendra_ingestion ? 1 : 0

  name_prefix                   = var.name_prefix
  ingestion_bucket              = lookup(local.buckets, "ingestion", null)
  reports_bucket                = lookup(local.buckets, "reports", null)
  notifications_topic_arn       = aws_sns_topic.notifications.arn
  deploy_option                 = var.deploy_option
  max_concurrency               = var.max_concurrency
  put_concurrency               = var.put_concurrency
  delete_concurrency            = var.delete_concurrency
  sink_requests_per_second      = var.sink_requests_per_second
  verification_deadline_seconds = var.verification_deadline_seconds
  package                       = local.packages["kendra_ingestion"]
  layers                        = [aws_lambda_layer_version.dependencies.arn]
  log_retention_days            = var.log_retention_days
  kms_key_arn                   = var.kms_key_arn

  sink = {
    name              = var.sink
    kendra_index_id   = var.kendra_index_id
    knowledge_base_id = var.knowledge_base_id
    data_source_id    = var.data_source_id
    attribute_types   = var.attribute_types
  }
}

module "kb_sync" {
  source = "./modules/kb_sync"
  count  = local.deployed.kb_sync ? 1 : 0

  name_prefix             = var.name_prefix
  sources                 = var.sync_sources
  batching_window_seconds = var.sync_batching_window_seconds
  poll_seconds            = var.sync_poll_seconds
  seconds_between_starts  = var.sync_seconds_between_starts
  sweep_minutes           = var.sync_sweep_minutes
  pending_alarm_minutes   = var.sync_pending_alarm_minutes
  notifications_topic_arn = aws_sns_topic.notifications.arn
  package                 = local.packages["kb_sync"]
  layers                  = [aws_lambda_layer_version.dependencies.arn]
  log_retention_days      = var.log_retention_days
  kms_key_arn             = var.kms_key_arn
}

module "incident_sync" {
  source = "./modules/incident_sync"
  count  = local.deployed.incident_sync ? 1 : 0

  name_prefix             = var.name_prefix
  incident_name_prefix    = var.incident_name_prefix
  kb_sync                 = one(module.kb_sync)
  schedule                = var.incident_schedule
  passes                  = var.incident_passes
  pass_seconds            = var.incident_pass_seconds
  duration_alarm_minutes  = var.incident_duration_alarm_minutes
  notifications_topic_arn = aws_sns_topic.notifications.arn
  package                 = local.packages["incident_sync"]
  layers                  = [aws_lambda_layer_version.dependencies.arn]
  log_retention_days      = var.log_retention_days
  kms_key_arn             = var.kms_key_arn

  place = {
    source  = var.incident_source
    prefix  = var.incident_prefix
    sources = var.sync_sources
  }

  table = {
    name      = var.incidents_table
    create    = var.create_incidents_table
    protected = !var.force_destroy
  }

  fields = {
    text      = var.incident_text_fields
    attribute = var.incident_attribute_fields
    date      = var.incident_date_fields
  }
}

module "vector_store" {
  source = "./modules/vector_store"
  count  = local.deployed.vector_store ? 1 : 0

  name_prefix                    = var.name_prefix
  store_bucket                   = lookup(local.buckets, "store", null)
  image_uri                      = var.vector_store_image_uri
  export_buckets                 = var.export_buckets
  queue_mode                     = var.queue_mode
  change_batching_window_seconds = var.change_batching_window_seconds
  overdue_minutes                = var.overdue_minutes
  snapshot_retention_days        = var.snapshot_retention_days
  notifications_topic_arn        = aws_sns_topic.notifications.arn
  package                        = local.packages["vector_store"]
  layers                         = [aws_lambda_layer_version.dependencies.arn]
  log_retention_days             = var.log_retention_days
  kms_key_arn                    = var.kms_key_arn

  receipts_table = {
    name      = var.receipts_table
    create    = var.create_receipts_table
    protected = !var.force_destroy
  }

  embed = {
    consumer            = var.embed_consumer
    image_uri           = var.embed_image_uri
    subnet_ids          = var.embed_subnet_ids
    security_group_ids  = var.embed_security_group_ids
    assign_public_ip    = var.embed_assign_public_ip
    concurrency         = var.embed_concurrency
    requests_per_second = var.embed_requests_per_second
    dimension           = var.embed_dimension
  }

  compact = {
    memory_mb  = var.compact_memory_mb
    storage_mb = var.compact_storage_mb
  }

  compaction = {
    poll_seconds           = var.compaction_poll_seconds
    seconds_between_starts = var.compaction_seconds_between_starts
    sweep_minutes          = var.compaction_sweep_minutes
  }
}
