# What starts the sweeper: the failure of an execution, and the clock for what no failure tells.

locals {
  rate = "rate(${var.sweep_minutes} ${var.sweep_minutes == 1 ? "minute" : "minutes"})"
}

resource "aws_cloudwatch_event_rule" "failed" {
  name        = "${var.name}-failed"
  description = "An execution of ${var.name} ended and may have left requests to nobody"

  event_pattern = jsonencode({
    source      = ["aws.states"]
    detail-type = ["Step Functions Execution Status Change"]
    detail = {
      stateMachineArn = [module.state_machine.arn]
      status          = ["FAILED", "TIMED_OUT", "ABORTED"]
      # One that the sweeper started has tried again already: the next try is the clock's.
      name = [{ anything-but = { prefix = "sweep-" } }]
    }
  })
}

resource "aws_cloudwatch_event_target" "failed" {
  rule     = aws_cloudwatch_event_rule.failed.name
  arn      = module.sweeper.arn
  role_arn = module.failed_role.arn

  dead_letter_config {
    arn = var.dead_letter_queue_arn
  }
}

module "failed_role" {
  source = "../service_role"

  name        = aws_cloudwatch_event_rule.failed.name
  description = "Role of the rule that starts ${var.name}-sweeper"
  service     = "events.amazonaws.com"
  source_arns = [aws_cloudwatch_event_rule.failed.arn]
  policy      = data.aws_iam_policy_document.failed.json
}

module "sweep" {
  source = "../schedule"

  name        = "${var.name}-sweep"
  description = "Looks for requests that no execution serves"
  expression  = local.rate
  target_arn  = module.sweeper.arn
  action      = "states:StartExecution"

  maximum_event_age_seconds = 60 * var.sweep_minutes
}
