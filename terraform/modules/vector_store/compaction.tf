locals {
  # Known from the name alone: functions ask for compactions, and the machine calls one of them.
  compaction_arn = "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:${local.compaction_name}"

  compaction_name = "${var.name_prefix}-compaction"
}

# The key is a collection.
module "flight" {
  source = "../single_flight"

  name          = local.compaction_name
  table_name    = "${var.name_prefix}-flights"
  definition    = "${path.module}/../../../state_machines/compaction.asl.json"
  substitutions = { compact_arn = module.function["compact"].arn }
  policy        = data.aws_iam_policy_document.compaction.json

  poll_seconds            = var.compaction.poll_seconds
  seconds_between_starts  = var.compaction.seconds_between_starts
  sweep_minutes           = var.compaction.sweep_minutes
  notifications_topic_arn = var.notifications_topic_arn
  failure_subject         = "Compaction failed"
  dead_letter_queue_arn   = module.stream_dead_letters.arn
  log_retention_days      = var.log_retention_days
  kms_key_arn             = var.kms_key_arn
}

data "aws_iam_policy_document" "compaction" {
  statement {
    sid       = "Compact"
    actions   = ["lambda:InvokeFunction"]
    resources = [module.function["compact"].arn]
  }
}
