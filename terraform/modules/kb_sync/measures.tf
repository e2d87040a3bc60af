# The ends of executions, and the clock, which measures what is pending meanwhile. What wakes the sweeper is in single flight.

locals {
  tick_minutes = 5
}

resource "aws_cloudwatch_event_rule" "ended" {
  name        = "${local.name}-ended"
  description = "An execution of ${local.name} ended"

  event_pattern = jsonencode({
    source      = ["aws.states"]
    detail-type = ["Step Functions Execution Status Change"]
    detail = {
      stateMachineArn = [module.flight.state_machine_arn]
      status          = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
    }
  })
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

module "tick" {
  source = "../schedule"

  name        = "${local.name}-tick"
  description = "Measures how long requests have been pending"
  expression  = "rate(${local.tick_minutes} minutes)"
  target_arn  = module.metrics.arn
  action      = "lambda:InvokeFunction"
  input       = jsonencode({ tick = true })

  maximum_event_age_seconds = 60 * local.tick_minutes
}
