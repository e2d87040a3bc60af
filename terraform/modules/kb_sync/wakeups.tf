# What an execution's end sets off, and what only the clock can notice.

locals {
  of_machine = {
    source      = ["aws.states"]
    detail-type = ["Step Functions Execution Status Change"]
    detail      = { stateMachineArn = [module.state_machine.arn] }
  }
  unsuccessful = ["FAILED", "TIMED_OUT", "ABORTED"]

  schedules = {
    sweep = {
      description = "Looks for requests that no execution serves"
      minutes     = var.sweep_minutes
      arn         = module.sweeper.arn
      action      = "states:StartExecution"
      input       = {}
    }
    tick = {
      description = "Measures how long requests have been pending"
      minutes     = local.tick_minutes
      arn         = module.metrics.arn
      action      = "lambda:InvokeFunction"
      input       = { tick = true }
    }
  }
  tick_minutes = 5
}

resource "aws_cloudwatch_event_rule" "ended" {
  name        = "${local.name}-ended"
  description = "An execution of ${local.name} ended"

  event_pattern = jsonencode(merge(local.of_machine, {
    detail = merge(local.of_machine.detail, { status = concat(["SUCCEEDED"], local.unsuccessful) })
  }))
}

resource "aws_cloudwatch_event_target" "ended" {
  rule = aws_cloudwatch_event_rule.ended.name
  arn  = module.metrics.arn

  dead_letter_config {
    arn = module.dead_letters.arn
  }

  depends_on = [aws_lambda_permission.ended, module.dead_letters]
}

resource "aws_lambda_permission" "ended" {
  statement_id   = "EndedExecutions"
  function_name  = module.metrics.name
  action         = "lambda:InvokeFunction"
  principal      = "events.amazonaws.com"
  source_arn     = aws_cloudwatch_event_rule.ended.arn
  source_account = local.account
}

resource "aws_cloudwatch_event_rule" "failed" {
  name        = "${local.name}-failed"
  description = "An execution of ${local.name} ended and may have left requests to nobody"

  event_pattern = jsonencode(merge(local.of_machine, {
    detail = merge(local.of_machine.detail, {
      status = local.unsuccessful
      # One that the sweeper started has tried again already: the next try is the clock's.
      name = [{ anything-but = { prefix = "sweep-" } }]
    })
  }))
}

resource "aws_cloudwatch_event_target" "failed" {
  rule     = aws_cloudwatch_event_rule.failed.name
  arn      = module.sweeper.arn
  role_arn = module.failed_role.arn

  dead_letter_config {
    arn = module.dead_letters.arn
  }

  depends_on = [module.dead_letters]
}

module "failed_role" {
  source = "../service_role"

  name        = aws_cloudwatch_event_rule.failed.name
  description = "Role of the rule that starts ${local.name}-sweeper"
  service     = "events.amazonaws.com"
  source_arns = [aws_cloudwatch_event_rule.failed.arn]
  policy      = data.aws_iam_policy_document.failed.json
}

resource "aws_scheduler_schedule" "this" {
  for_each = local.schedules

  name                = "${local.name}-${each.key}"
  description         = each.value.description
  schedule_expression = "rate(${each.value.minutes} ${each.value.minutes == 1 ? "minute" : "minutes"})"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = each.value.arn
    role_arn = module.schedule_role[each.key].arn
    input    = jsonencode(each.value.input)

    # A call that is late is overtaken by the next one, so none is kept for a person either.
    retry_policy {
      maximum_event_age_in_seconds = 60 * each.value.minutes
      maximum_retry_attempts       = 5
    }
  }
}

module "schedule_role" {
  source   = "../service_role"
  for_each = local.schedules

  name        = "${local.name}-${each.key}"
  description = "Role of the schedule ${local.name}-${each.key}"
  service     = "scheduler.amazonaws.com"
  # EventBridge Scheduler names the group of a schedule, never the schedule.
  source_arns = ["arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule-group/default"]
  policy      = data.aws_iam_policy_document.schedule[each.key].json
}
