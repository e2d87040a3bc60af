data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  account   = data.aws_caller_identity.current.account_id
}

resource "aws_scheduler_schedule" "this" {
  name                = var.name
  description         = var.description
  schedule_expression = var.expression

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.target_arn
    role_arn = module.role.arn
    input    = var.input

    # A call that is late is overtaken by the next one, so none is kept for a person either.
    retry_policy {
      maximum_event_age_in_seconds = var.maximum_event_age_seconds
      maximum_retry_attempts       = 5
    }
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "CallTarget"
    actions   = [var.action]
    resources = [var.target_arn]
  }
}

module "role" {
  source = "../service_role"

  name        = coalesce(var.role_name, var.name)
  description = "Role of the schedule ${var.name}"
  service     = "scheduler.amazonaws.com"
  # EventBridge Scheduler names the group of a schedule, never the schedule.
  source_arns = ["arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule-group/default"]
  policy      = data.aws_iam_policy_document.this.json
}
