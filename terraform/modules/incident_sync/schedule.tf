resource "aws_scheduler_schedule" "this" {
  name                = "${local.name}-schedule"
  description         = "Starts a run of ${local.name}"
  schedule_expression = var.schedule

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.state_machine.arn
    role_arn = module.schedule_role.arn
    input    = jsonencode({})

    # A start that is an hour late does no more than the next one, so none is kept for a person.
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 5
    }
  }
}

module "schedule_role" {
  source = "../service_role"

  name        = "${local.name}-schedule"
  description = "Role of the schedule ${local.name}-schedule"
  service     = "scheduler.amazonaws.com"
  # EventBridge Scheduler names the group of a schedule, never the schedule.
  source_arns = ["arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule-group/default"]
  policy      = data.aws_iam_policy_document.schedule.json
}
