# A state machine that runs one job at a time for a key, with all that makes every request count: its table, the sweeper, and
# what wakes that one (docs/decisions/single_flight.md).

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition   = data.aws_partition.current.partition
  region      = data.aws_region.current.region
  account     = data.aws_caller_identity.current.account_id
  definitions = "${path.module}/../../../state_machines"

  # Known from the name alone: the machine starts its own successors.
  machine_arn = "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:${var.name}"
  executions  = "arn:${local.partition}:states:${local.region}:${local.account}:execution:${var.name}:*"

  # What the states of single flight say of this machine.
  own = {
    partition               = local.partition
    table                   = module.table.name
    notifications_topic_arn = var.notifications_topic_arn
    failure_subject         = var.failure_subject
    poll_seconds            = var.poll_seconds
    seconds_between_starts  = var.seconds_between_starts
  }
}

# One item a key: the requests that were made, those that are covered, and the execution that may act.
module "table" {
  source = "../table"

  name        = var.table_name
  hash_key    = "key"
  kms_key_arn = var.kms_key_arn
}

module "state_machine" {
  source = "../state_machine"

  name          = var.name
  definition    = var.definition
  parts         = ["${local.definitions}/single_flight.states.json"]
  substitutions = merge(var.substitutions, local.own)

  policy             = data.aws_iam_policy_document.state_machine.json
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}

module "sweeper" {
  source = "../state_machine"

  name       = "${var.name}-sweeper"
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
