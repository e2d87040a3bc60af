data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name      = "${var.name_prefix}-kb-sync"
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  account   = data.aws_caller_identity.current.account_id
}

# The key is a data source.
module "flight" {
  source = "../single_flight"

  name       = local.name
  table_name = "${var.name_prefix}-sync"
  definition = "${path.module}/../../../state_machines/kb_sync.asl.json"
  policy     = data.aws_iam_policy_document.sync.json

  poll_seconds            = var.poll_seconds
  seconds_between_starts  = var.seconds_between_starts
  sweep_minutes           = var.sweep_minutes
  notifications_topic_arn = var.notifications_topic_arn
  failure_subject         = "Knowledge base sync failed"
  dead_letter_queue_arn   = module.dead_letters.arn
  log_retention_days      = var.log_retention_days
  kms_key_arn             = var.kms_key_arn
}

module "metrics" {
  source = "../function"

  name        = "${local.name}-metrics"
  description = "Makes metrics of ended executions and of the requests that are pending"
  package     = var.package
  handler     = "kb_sync.metrics.handler"
  layers      = var.layers
  timeout     = 60
  policy      = data.aws_iam_policy_document.metrics.json

  environment = {
    SYNC_TABLE                   = module.flight.table
    POWERTOOLS_SERVICE_NAME      = local.metrics.service
    POWERTOOLS_METRICS_NAMESPACE = local.metrics.namespace
    LOG_LEVEL                    = "INFO"
  }

  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}
