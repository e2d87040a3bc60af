data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name        = "${var.name_prefix}-kb-sync"
  partition   = data.aws_partition.current.partition
  region      = data.aws_region.current.region
  account     = data.aws_caller_identity.current.account_id
  definitions = "${path.module}/../../../state_machines"

  # Known from the name alone: the machine starts its own successors.
  machine_arn = "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:${local.name}"
  executions  = "arn:${local.partition}:states:${local.region}:${local.account}:execution:${local.name}:*"
}

# One item a data source: the requests that were made, those that are covered, and the execution that may act.
module "table" {
  source = "../table"

  name        = "${var.name_prefix}-sync"
  hash_key    = "key"
  kms_key_arn = var.kms_key_arn
}

module "state_machine" {
  source = "../state_machine"

  name       = local.name
  definition = "${local.definitions}/kb_sync.asl.json"
  parts      = ["${local.definitions}/single_flight.states.json"]

  substitutions = {
    partition               = local.partition
    table                   = module.table.name
    notifications_topic_arn = var.notifications_topic_arn
    failure_subject         = "Knowledge base sync failed"
    poll_seconds            = var.poll_seconds
    seconds_between_starts  = var.seconds_between_starts
  }

  policy             = data.aws_iam_policy_document.state_machine.json
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}

module "sweeper" {
  source = "../state_machine"

  name       = "${local.name}-sweeper"
  definition = "${local.definitions}/single_flight_sweeper.asl.json"

  substitutions = {
    partition   = local.partition
    table       = module.table.name
    machine_arn = module.state_machine.arn
  }

  policy             = data.aws_iam_policy_document.sweeper.json
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
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
    SYNC_TABLE                   = module.table.name
    POWERTOOLS_SERVICE_NAME      = local.metrics.service
    POWERTOOLS_METRICS_NAMESPACE = local.metrics.namespace
    LOG_LEVEL                    = "INFO"
  }

  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}
