mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name               = "example-machine"
  definition         = "tests/definitions/sound.asl.json"
  policy             = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
  log_retention_days = 7
  substitutions = {
    work_arn        = "arn:aws:lambda:eu-west-1:123456789012:function:work"
    max_concurrency = 3
  }
}

run "renders_placeholders_logs_everything_and_traces" {
  command = apply

  module {
    source = "./modules/state_machine"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Process.MaxConcurrency == 3
    error_message = "MaxConcurrency is not the number 3: ${aws_sfn_state_machine.this.definition}"
  }

  assert {
    condition = (
      jsondecode(aws_sfn_state_machine.this.definition).States.Process.ItemProcessor.States.Work.Resource
      == "arn:aws:lambda:eu-west-1:123456789012:function:work"
    )
    error_message = "The function's ARN is not in the definition: ${aws_sfn_state_machine.this.definition}"
  }

  assert {
    condition = (
      one(aws_sfn_state_machine.this.logging_configuration).level == "ALL"
      && one(aws_sfn_state_machine.this.logging_configuration).include_execution_data
      && one(aws_sfn_state_machine.this.logging_configuration).log_destination == "${aws_cloudwatch_log_group.this.arn}:*"
      && one(aws_sfn_state_machine.this.tracing_configuration).enabled
    )
    error_message = "Executions are not logged in full and traced."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 7 && startswith(aws_cloudwatch_log_group.this.name, "/aws/vendedlogs/")
    error_message = "The log group is ${aws_cloudwatch_log_group.this.name}, kept ${aws_cloudwatch_log_group.this.retention_in_days} days."
  }
}

run "encrypts_with_the_key_that_is_given" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition = (
      aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
      && one(aws_sfn_state_machine.this.encryption_configuration).kms_key_id == var.kms_key_arn
    )
    error_message = "The machine or its logs do not use the key."
  }
}

run "refuses_a_substitution_without_a_placeholder" {
  command         = plan
  expect_failures = [aws_sfn_state_machine.this]

  module {
    source = "./modules/state_machine"
  }

  variables {
    substitutions = {
      work_arn        = "arn:aws:lambda:eu-west-1:123456789012:function:work"
      max_concurrency = 3
      jobs_table      = "millrace-jobs"
    }
  }
}

run "refuses_a_placeholder_that_nothing_fills" {
  command         = plan
  expect_failures = [aws_sfn_state_machine.this]

  module {
    source = "./modules/state_machine"
  }

  variables {
    substitutions = { max_concurrency = 3 }
  }
}

run "puts_replacements_in_place_of_states_of_the_same_name" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  variables {
    replacements = "tests/definitions/replacements.json"
    substitutions = {
      other_arn = "arn:aws:lambda:eu-west-1:123456789012:function:other"
    }
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Process.Resource == var.substitutions.other_arn
    error_message = "The state was not replaced: ${aws_sfn_state_machine.this.definition}"
  }

  assert {
    condition = (
      jsondecode(aws_sfn_state_machine.this.definition).StartAt == "Process"
      && jsondecode(aws_sfn_state_machine.this.definition).Comment != jsondecode(file("tests/definitions/replacements.json")).Comment
    )
    error_message = "More than states was replaced: ${aws_sfn_state_machine.this.definition}"
  }
}

run "joins_the_states_of_its_parts" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  variables {
    parts         = ["tests/definitions/part.states.json"]
    substitutions = merge(var.substitutions, { table = "example-table" })
  }

  assert {
    condition     = keys(jsondecode(aws_sfn_state_machine.this.definition).States) == ["Finish", "Process"]
    error_message = "The states are ${join(", ", keys(jsondecode(aws_sfn_state_machine.this.definition).States))}."
  }

  assert {
    condition = (
      jsondecode(aws_sfn_state_machine.this.definition).States.Finish.Parameters.TableName == "example-table"
      && jsondecode(aws_sfn_state_machine.this.definition).States.Process.MaxConcurrency == 3
      && jsondecode(aws_sfn_state_machine.this.definition).Comment == jsondecode(file("tests/definitions/sound.asl.json")).Comment
    )
    error_message = "More than states was joined, or a placeholder was left: ${aws_sfn_state_machine.this.definition}"
  }
}

run "replaces_a_state_of_a_part" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  variables {
    definition   = "tests/definitions/part.asl.json"
    parts        = ["tests/definitions/sound.asl.json"]
    replacements = "tests/definitions/replacements.json"
    substitutions = {
      other_arn = "arn:aws:lambda:eu-west-1:123456789012:function:other"
    }
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Process.Resource == var.substitutions.other_arn
    error_message = "The part's state was not replaced: ${aws_sfn_state_machine.this.definition}"
  }
}

run "refuses_a_state_that_the_definition_and_a_part_have" {
  command         = plan
  expect_failures = [aws_sfn_state_machine.this]

  module {
    source = "./modules/state_machine"
  }

  variables {
    parts         = ["tests/definitions/replacements.json"]
    substitutions = { other_arn = "arn:aws:lambda:eu-west-1:123456789012:function:other" }
  }
}

run "refuses_a_state_that_two_parts_have" {
  command         = plan
  expect_failures = [aws_sfn_state_machine.this]

  module {
    source = "./modules/state_machine"
  }

  variables {
    parts         = ["tests/definitions/part.states.json", "tests/definitions/part.states.json"]
    substitutions = merge(var.substitutions, { table = "example-table" })
  }
}

run "refuses_a_placeholder_of_a_part_that_nothing_fills" {
  command         = plan
  expect_failures = [aws_sfn_state_machine.this]

  module {
    source = "./modules/state_machine"
  }

  variables {
    parts = ["tests/definitions/part.states.json"]
  }
}

run "refuses_a_substitution_that_only_a_replaced_state_names" {
  command         = plan
  expect_failures = [aws_sfn_state_machine.this]

  module {
    source = "./modules/state_machine"
  }

  variables {
    replacements = "tests/definitions/replacements.json"
    substitutions = {
      work_arn  = "arn:aws:lambda:eu-west-1:123456789012:function:work"
      other_arn = "arn:aws:lambda:eu-west-1:123456789012:function:other"
    }
  }
}

run "refuses_a_replacement_of_a_state_that_is_not_there" {
  command         = plan
  expect_failures = [aws_sfn_state_machine.this]

  module {
    source = "./modules/state_machine"
  }

  variables {
    replacements = "tests/definitions/homeless.json"
    substitutions = {
      work_arn        = "arn:aws:lambda:eu-west-1:123456789012:function:work"
      max_concurrency = 3
      other_arn       = "arn:aws:lambda:eu-west-1:123456789012:function:other"
    }
  }
}
