mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name        = "example-role"
  description = "Role of the tests"
  service     = "pipes.amazonaws.com"
  source_arns = ["arn:aws:pipes:eu-west-1:123456789012:pipe/example"]
  policy      = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
}

run "is_taken_on_by_one_service_and_may_do_what_its_policy_says" {
  command = apply

  module {
    source = "./modules/service_role"
  }

  assert {
    condition = (
      one(data.aws_iam_policy_document.trust.statement).actions == toset(["sts:AssumeRole"])
      && one(one(data.aws_iam_policy_document.trust.statement).principals).identifiers == toset(["pipes.amazonaws.com"])
      && aws_iam_role.this.assume_role_policy == data.aws_iam_policy_document.trust.json
    )
    error_message = "The role is trusted by ${jsonencode(data.aws_iam_policy_document.trust.statement)}."
  }

  assert {
    condition = {
      for condition in one(data.aws_iam_policy_document.trust.statement).condition : condition.variable => condition.values
      } == {
      "aws:SourceAccount" = tolist(["123456789012"])
      "aws:SourceArn"     = tolist(["arn:aws:pipes:eu-west-1:123456789012:pipe/example"])
    }
    error_message = "The role is trusted on ${jsonencode(data.aws_iam_policy_document.trust.statement)}."
  }

  assert {
    condition = (
      data.aws_iam_policy_document.this.source_policy_documents == tolist([var.policy])
      && length(data.aws_iam_policy_document.this.statement) == 0
      && aws_iam_role_policy.this.policy == data.aws_iam_policy_document.this.json
      && aws_iam_role_policy.this.role == aws_iam_role.this.id
    )
    error_message = "The role may do ${jsonencode(data.aws_iam_policy_document.this)}."
  }
}

run "uses_the_key_that_is_given" {
  command = plan

  module {
    source = "./modules/service_role"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.this.statement : [statement.actions, statement.resources]
    ] == [[toset(["kms:Decrypt", "kms:GenerateDataKey"]), toset([var.kms_key_arn])]]
    error_message = "Beside its policy the role may ${jsonencode(data.aws_iam_policy_document.this.statement)}."
  }
}

run "lets_lambda_act_for_any_function" {
  command = plan

  module {
    source = "./modules/service_role"
  }

  variables {
    service     = "lambda.amazonaws.com"
    source_arns = null
  }

  assert {
    condition     = length(one(data.aws_iam_policy_document.trust.statement).condition) == 0
    error_message = "The role is trusted on ${jsonencode(data.aws_iam_policy_document.trust.statement)}."
  }
}

run "refuses_to_let_another_service_act_for_anything" {
  command         = plan
  expect_failures = [aws_iam_role.this]

  module {
    source = "./modules/service_role"
  }

  variables {
    source_arns = null
  }
}
