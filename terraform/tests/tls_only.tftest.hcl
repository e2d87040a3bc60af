mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  actions   = ["s3:*"]
  resources = ["arn:aws:s3:::example", "arn:aws:s3:::example/*"]
}

run "refuses_everybody_without_tls_and_nobody_else" {
  command = plan

  module {
    source = "./modules/tls_only"
  }

  assert {
    condition = alltrue([
      one(data.aws_iam_policy_document.this.statement).effect == "Deny",
      one(data.aws_iam_policy_document.this.statement).actions == toset(["s3:*"]),
      one(data.aws_iam_policy_document.this.statement).resources == toset(var.resources),
      one(one(data.aws_iam_policy_document.this.statement).principals).type == "*",
      one(one(data.aws_iam_policy_document.this.statement).principals).identifiers == toset(["*"]),
      one(one(data.aws_iam_policy_document.this.statement).condition).test == "Bool",
      one(one(data.aws_iam_policy_document.this.statement).condition).variable == "aws:SecureTransport",
      one(one(data.aws_iam_policy_document.this.statement).condition).values == tolist(["false"]),
    ])
    error_message = "The policy is ${jsonencode(data.aws_iam_policy_document.this.statement)}."
  }
}
