mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                      = "example-tick"
  description               = "Measures what is pending"
  expression                = "rate(5 minutes)"
  target_arn                = "arn:aws:lambda:eu-west-1:123456789012:function:example"
  action                    = "lambda:InvokeFunction"
  input                     = "{\"tick\": true}"
  maximum_event_age_seconds = 300
}

run "calls_its_target_and_may_do_nothing_else" {
  command = apply

  module {
    source = "./modules/schedule"
  }

  assert {
    condition = (
      aws_scheduler_schedule.this.name == "example-tick"
      && aws_scheduler_schedule.this.schedule_expression == "rate(5 minutes)"
      && one(aws_scheduler_schedule.this.flexible_time_window).mode == "OFF"
    )
    error_message = "The schedule is ${jsonencode(aws_scheduler_schedule.this)}."
  }

  assert {
    condition = (
      one(aws_scheduler_schedule.this.target).arn == var.target_arn
      && one(aws_scheduler_schedule.this.target).role_arn == module.role.arn
      && one(aws_scheduler_schedule.this.target).input == var.input
      && one(one(aws_scheduler_schedule.this.target).retry_policy).maximum_event_age_in_seconds == 300
    )
    error_message = "The schedule calls ${jsonencode(aws_scheduler_schedule.this.target)}."
  }

  assert {
    condition = (
      one(data.aws_iam_policy_document.this.statement).actions == toset(["lambda:InvokeFunction"])
      && one(data.aws_iam_policy_document.this.statement).resources == toset([var.target_arn])
    )
    error_message = "The schedule may ${jsonencode(data.aws_iam_policy_document.this.statement)}."
  }
}

run "says_an_empty_object_unless_told_otherwise" {
  command = plan

  module {
    source = "./modules/schedule"
  }

  variables {
    input = "{}"
  }

  assert {
    condition     = jsondecode(one(aws_scheduler_schedule.this.target).input) == {}
    error_message = "It says ${one(aws_scheduler_schedule.this.target).input}."
  }
}

run "refuses_to_call_what_is_neither_function_nor_machine" {
  command         = plan
  expect_failures = [var.action]

  module {
    source = "./modules/schedule"
  }

  variables {
    action = "sqs:SendMessage"
  }
}
