mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                    = "example-compaction"
  table_name              = "example-flights"
  definition              = "../state_machines/compaction.asl.json"
  substitutions           = { compact_arn = "arn:aws:lambda:eu-west-1:123456789012:function:compact" }
  policy                  = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
  poll_seconds            = 20
  seconds_between_starts  = 30
  sweep_minutes           = 5
  notifications_topic_arn = "arn:aws:sns:eu-west-1:123456789012:example-notifications"
  failure_subject         = "Compaction failed"
  dead_letter_queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:example-dead-letters"
  log_retention_days      = 30
}

run "sweeps_after_a_failure_and_by_the_clock" {
  command = apply

  module {
    source = "./modules/single_flight"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.failed.event_pattern) == {
      source      = ["aws.states"]
      detail-type = ["Step Functions Execution Status Change"]
      detail = {
        stateMachineArn = [output.state_machine_arn]
        status          = ["FAILED", "TIMED_OUT", "ABORTED"]
        name            = [{ anything-but = { prefix = "sweep-" } }]
      }
    }
    error_message = "The pattern is ${aws_cloudwatch_event_rule.failed.event_pattern}."
  }

  assert {
    condition = (
      aws_cloudwatch_event_rule.failed.name == "example-compaction-failed"
      && aws_cloudwatch_event_target.failed.arn == module.sweeper.arn
      && aws_cloudwatch_event_target.failed.role_arn == module.failed_role.arn
      && one(aws_cloudwatch_event_target.failed.dead_letter_config).arn == var.dead_letter_queue_arn
    )
    error_message = "The rule calls ${jsonencode(aws_cloudwatch_event_target.failed)}."
  }

  assert {
    condition     = local.rate == "rate(5 minutes)"
    error_message = "The sweeper is called at ${local.rate}."
  }

  assert {
    condition     = output.table == "example-flights" && output.failed_rule_arn == aws_cloudwatch_event_rule.failed.arn
    error_message = "The table is ${output.table}, the rule ${output.failed_rule_arn}."
  }

  assert {
    condition     = output.executions_arn == "arn:aws:states:eu-west-1:123456789012:execution:example-compaction:*"
    error_message = "The executions are ${output.executions_arn}."
  }
}

run "lets_the_machine_do_what_its_job_asks_for_and_what_single_flight_does" {
  command = plan

  module {
    source = "./modules/single_flight"
  }

  assert {
    condition     = data.aws_iam_policy_document.state_machine.source_policy_documents == tolist([var.policy])
    error_message = "The job's own rights are ${jsonencode(data.aws_iam_policy_document.state_machine.source_policy_documents)}."
  }

  assert {
    condition = toset(flatten(data.aws_iam_policy_document.state_machine.statement[*].actions)) == toset([
      "dynamodb:GetItem", "dynamodb:UpdateItem", "sns:Publish", "states:DescribeExecution", "states:StartExecution",
    ])
    error_message = "The machine may ${jsonencode(data.aws_iam_policy_document.state_machine.statement)}."
  }
}

run "counts_one_minute_in_the_singular" {
  command = plan

  module {
    source = "./modules/single_flight"
  }

  variables {
    sweep_minutes = 1
  }

  assert {
    condition     = local.rate == "rate(1 minute)"
    error_message = "The sweeper is called at ${local.rate}."
  }
}

run "refuses_a_substitution_that_single_flight_makes_itself" {
  command         = plan
  expect_failures = [var.substitutions]

  module {
    source = "./modules/single_flight"
  }

  variables {
    substitutions = { table = "another" }
  }
}
