data "aws_caller_identity" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  held_to = var.source_arns == null ? [] : [
    { test = "StringEquals", variable = "aws:SourceAccount", values = [local.account] },
    { test = "ArnLike", variable = "aws:SourceArn", values = var.source_arns },
  ]
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [var.service]
    }

    dynamic "condition" {
      for_each = local.held_to

      content {
        test     = condition.value.test
        variable = condition.value.variable
        values   = condition.value.values
      }
    }
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  description        = var.description
  assume_role_policy = data.aws_iam_policy_document.trust.json

  lifecycle {
    precondition {
      condition     = var.source_arns != null || var.service == "lambda.amazonaws.com"
      error_message = "${var.name} needs source_arns: without them another account's resource could make ${var.service} act with it."
    }
  }
}

data "aws_iam_policy_document" "this" {
  source_policy_documents = [var.policy]

  dynamic "statement" {
    for_each = var.kms_key_arn[*]

    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = var.name
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}
