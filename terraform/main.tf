locals {
  create_bucket = {
    ingestion = var.create_ingestion_bucket
    reports   = var.create_reports_bucket
  }
  bucket_names = {
    ingestion = var.ingestion_bucket
    reports   = var.reports_bucket
  }
  buckets = merge(
    { for role, bucket in module.bucket : role => { name = bucket.name, arn = bucket.arn } },
    { for role, bucket in data.aws_s3_bucket.existing : role => { name = bucket.bucket, arn = bucket.arn } },
  )

  # What expires, by the bucket's role. Redrive can take an execution up again for 14 days, and reads what it wrote under
  # _work/, so that lives longer. Parts of a report lie beside reports, which stay.
  expiry = {
    ingestion = {}
    reports = {
      archive = { prefix = "_archive/", days = var.archive_expiry_days }
      work    = { prefix = "_work/", days = 30 }
      parts   = { tag = { key = "millrace", value = "part" }, days = 30 }
    }
  }

  package = {
    layer            = "${var.package_dir}/layer.zip"
    kendra_ingestion = "${var.package_dir}/kendra_ingestion.zip"
  }
}

module "bucket" {
  source   = "./modules/bucket"
  for_each = { for role, create in local.create_bucket : role => local.bucket_names[role] if create }

  name          = each.value
  eventbridge   = each.key == "ingestion"
  expiry        = local.expiry[each.key]
  kms_key_arn   = var.kms_key_arn
  force_destroy = var.force_destroy
}

data "aws_s3_bucket" "existing" {
  for_each = { for role, create in local.create_bucket : role => local.bucket_names[role] if !create }

  bucket = each.value

  lifecycle {
    postcondition {
      condition     = self.bucket_region == var.aws_region
      error_message = "Bucket ${self.bucket} is in ${self.bucket_region}, not in ${var.aws_region}. Events and the index stay in one region: name a bucket of ${var.aws_region} or deploy to ${self.bucket_region}."
    }
  }
}

resource "aws_s3_bucket_notification" "existing" {
  count = !var.create_ingestion_bucket && var.enable_eventbridge_on_existing_bucket ? 1 : 0

  bucket      = local.buckets["ingestion"].name
  eventbridge = true
}

resource "aws_lambda_layer_version" "dependencies" {
  layer_name               = "${var.name_prefix}-dependencies"
  description              = "What the functions need beyond their runtime"
  filename                 = local.package.layer
  source_code_hash         = fileexists(local.package.layer) ? filebase64sha256(local.package.layer) : null
  compatible_runtimes      = ["python3.13"]
  compatible_architectures = ["arm64"]

  lifecycle {
    precondition {
      condition     = alltrue([for file in local.package : fileexists(file)])
      error_message = "Not built yet: ${join(", ", [for file in local.package : file if !fileexists(file)])}. Run `make package` in the repository first."
    }
  }
}

resource "aws_sns_topic" "notifications" {
  name              = "${var.name_prefix}-notifications"
  kms_master_key_id = coalesce(var.kms_key_arn, "alias/aws/sns")
}

module "tls_only" {
  source = "./modules/tls_only"

  actions   = ["sns:Publish"]
  resources = [aws_sns_topic.notifications.arn]
}

resource "aws_sns_topic_policy" "notifications" {
  arn    = aws_sns_topic.notifications.arn
  policy = module.tls_only.json
}

resource "aws_sns_topic_subscription" "email" {
  count = var.notification_email == null ? 0 : 1

  topic_arn = aws_sns_topic.notifications.arn
  protocol  = "email"
  endpoint  = var.notification_email
}

module "kendra_ingestion" {
  source = "./modules/kendra_ingestion"

  name_prefix                   = var.name_prefix
  ingestion_bucket              = local.buckets["ingestion"]
  reports_bucket                = local.buckets["reports"]
  notifications_topic_arn       = aws_sns_topic.notifications.arn
  deploy_option                 = var.deploy_option
  max_concurrency               = var.max_concurrency
  put_concurrency               = var.put_concurrency
  delete_concurrency            = var.delete_concurrency
  sink_requests_per_second      = var.sink_requests_per_second
  verification_deadline_seconds = var.verification_deadline_seconds
  package                       = local.package.kendra_ingestion
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
