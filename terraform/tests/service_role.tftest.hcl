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
    condition     = aws_iam_role_policy.this.policy == var.policy && aws_iam_role_policy.this.role == aws_iam_role.this.id
    error_message = "The role may do ${aws_iam_role_policy.this.policy}."
  }
}
