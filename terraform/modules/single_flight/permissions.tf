# What both machines and the rule may do. Logs, traces and the key are added where the machines' roles are made, the
# schedule's right in its module.

data "aws_iam_policy_document" "state_machine" {
  source_policy_documents = [var.policy]

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

data "aws_iam_policy_document" "failed" {
  statement {
    sid       = "StartExecution"
    actions   = ["states:StartExecution"]
    resources = [module.sweeper.arn]
  }
}
