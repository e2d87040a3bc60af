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

  # What expires, by role: keys under a prefix, after days. Redrive can take an execution up again for 14 days,
  # and reads what it wrote under _work/, so that lives longer.
  expiry_days = {
    ingestion = {}
    reports = {
      "_archive/" = var.archive_expiry_days
      "_work/"    = 30
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
  expiry_days   = local.expiry_days[each.key]
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

data "aws_iam_policy_document" "notifications" {
  statement {
    sid       = "DenyWithoutTls"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.notifications.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
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

  name_prefix                   = var.name_prefix
  ingestion_bucket              = local.buckets["ingestion"]
  reports_bucket                = local.buckets["reports"]
  notifications_topic_arn       = aws_sns_topic.notifications.arn
  kendra_index_id               = var.kendra_index_id
  kendra_requests_per_second    = var.kendra_requests_per_second
  max_concurrency               = var.max_concurrency
  verification_deadline_seconds = var.verification_deadline_seconds
  package                       = local.package.kendra_ingestion
  layers                        = [aws_lambda_layer_version.dependencies.arn]
  log_retention_days            = var.log_retention_days
  kms_key_arn                   = var.kms_key_arn
}
