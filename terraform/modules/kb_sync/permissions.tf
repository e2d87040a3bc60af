# What machines, function, pipes, rule and schedules may do. Logs, traces and the key of machines and function are added where
# their roles are made.

locals {
  knowledge_bases = distinct([
    for source in values(var.sources) :
    "arn:${local.partition}:bedrock:${local.region}:${local.account}:knowledge-base/${source.knowledge_base_id}"
  ])
}

data "aws_iam_policy_document" "state_machine" {
  statement {
    sid = "SyncKnowledgeBases"
    actions = [
      "bedrock:GetDataSource",
      "bedrock:GetIngestionJob",
      "bedrock:ListIngestionJobs",
      "bedrock:StartIngestionJob",
    ]
    resources = local.knowledge_bases
  }

  statement {
    sid       = "CountRequests"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = [module.table.arn]
  }

  statement {
    sid       = "AskAboutOwner"
    actions   = ["states:DescribeExecution"]
    resources = [local.executions]
  }

  statement {
    sid       = "HandOver"
    actions   = ["states:StartExecution"]
    resources = [local.machine_arn]
  }

  statement {
    sid       = "Notify"
    actions   = ["sns:Publish"]
    resources = [var.notifications_topic_arn]
  }
}

data "aws_iam_policy_document" "sweeper" {
  statement {
    sid       = "FindPending"
    actions   = ["dynamodb:Scan"]
    resources = [module.table.arn]
  }

  statement {
    sid       = "Sweep"
    actions   = ["states:StartExecution"]
    resources = [module.state_machine.arn]
  }
}

data "aws_iam_policy_document" "metrics" {
  statement {
    sid       = "FindPending"
    actions   = ["dynamodb:Scan"]
    resources = [module.table.arn]
  }

  statement {
    # The event of an execution leaves out what is too long, and everything that a key of the customer's encrypts.
    sid       = "ReadExecution"
    actions   = ["states:DescribeExecution"]
    resources = [local.executions]
  }
}

data "aws_iam_policy_document" "pipe" {
  for_each = local.heard

  statement {
    sid       = "ReceiveMessages"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [module.queue[each.key].arn]
  }

  statement {
    sid       = "StartExecution"
    actions   = ["states:StartExecution"]
    resources = [module.state_machine.arn]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn[*]

    content {
      sid       = "DecryptMessages"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

data "aws_iam_policy_document" "failed" {
  statement {
    sid       = "StartExecution"
    actions   = ["states:StartExecution"]
    resources = [module.sweeper.arn]
  }
}

data "aws_iam_policy_document" "schedule" {
  for_each = local.schedules

  statement {
    sid       = "CallTarget"
    actions   = [each.value.action]
    resources = [each.value.arn]
  }
}
