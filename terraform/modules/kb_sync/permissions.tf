# What the machine's jobs, the function and the pipes may do. What single flight itself may is in its module; logs, traces and
# the key of machine and function are added where their roles are made.

locals {
  knowledge_bases = distinct([
    for source in values(var.sources) :
    "arn:${local.partition}:bedrock:${local.region}:${local.account}:knowledge-base/${source.knowledge_base_id}"
  ])
}

data "aws_iam_policy_document" "sync" {
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
}

data "aws_iam_policy_document" "metrics" {
  statement {
    sid       = "FindPending"
    actions   = ["dynamodb:Scan"]
    resources = [module.flight.table_arn]
  }

  statement {
    # The event of an execution leaves out what is too long, and everything that a key of the customer's encrypts.
    sid       = "ReadExecution"
    actions   = ["states:DescribeExecution"]
    resources = [module.flight.executions_arn]
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
    resources = [module.flight.state_machine_arn]
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
