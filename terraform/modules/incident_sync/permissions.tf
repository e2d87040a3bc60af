# What functions and machine may do. Logs, traces and the key are added where their roles are made; reading the stream is asked
# for in modules/stream_consumer, the schedule's right in modules/schedule.

locals {
  documents = "arn:${local.partition}:s3:::${local.source.bucket}/${var.place.prefix}*"

  # Step Functions keeps one rule of its own for all machines of an account that wait for executions they started.
  nested_rule = "arn:${local.partition}:events:${local.region}:${local.account}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
}

data "aws_iam_policy_document" "waiting" {
  statement {
    sid       = "FindWaiting"
    actions   = ["dynamodb:Query"]
    resources = ["${module.table.arn}/index/${local.waiting}"]
  }
}

# What both who work incidents do in the table of what waits: items, leases and what a pass or page remembers of itself.
data "aws_iam_policy_document" "works" {
  source_policy_documents = [data.aws_iam_policy_document.waiting.json]

  statement {
    sid       = "WorkItems"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [module.table.arn]
  }
}

data "aws_iam_policy_document" "batch_sync" {
  source_policy_documents = [data.aws_iam_policy_document.works.json]

  statement {
    # A transaction has no right of its own: it asks for those of its parts. One that is gone is not marked, only checked.
    sid       = "ReadAndMarkIncidents"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:UpdateItem"]
    resources = [module.incidents_table.arn]
  }

  statement {
    sid       = "WriteAndRemoveObjects"
    actions   = ["s3:DeleteObject", "s3:PutObject"]
    resources = [local.documents]
  }
}

data "aws_iam_policy_document" "changes" {
  source_policy_documents = [module.stream.policy]

  statement {
    sid       = "NoteChanges"
    actions   = ["dynamodb:UpdateItem"]
    resources = [module.table.arn]
  }
}

data "aws_iam_policy_document" "confirm" {
  source_policy_documents = [data.aws_iam_policy_document.works.json]

  statement {
    sid       = "MarkIncidents"
    actions   = ["dynamodb:UpdateItem"]
    resources = [module.incidents_table.arn]
  }

  statement {
    sid       = "AskAboutDocuments"
    actions   = ["bedrock:GetKnowledgeBaseDocuments"]
    resources = ["arn:${local.partition}:bedrock:${local.region}:${local.account}:knowledge-base/${local.source.knowledge_base_id}"]
  }
}

data "aws_iam_policy_document" "measure" {
  source_policy_documents = [data.aws_iam_policy_document.waiting.json]
}

data "aws_iam_policy_document" "state_machine" {
  statement {
    sid       = "InvokeFunctions"
    actions   = ["lambda:InvokeFunction"]
    resources = values(local.called_functions)
  }

  statement {
    sid       = "StartIngestion"
    actions   = ["states:StartExecution"]
    resources = [var.kb_sync.state_machine_arn]
  }

  statement {
    # Step Functions looks at the execution that it waits for when no event comes, and stops it when this one is stopped.
    sid       = "WaitForIngestion"
    actions   = ["states:DescribeExecution", "states:StopExecution"]
    resources = [var.kb_sync.executions_arn]
  }

  statement {
    # It hears of that execution's end by a rule that it makes with this role. Without these rights it refuses the machine.
    sid       = "HearOfIngestion"
    actions   = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
    resources = [local.nested_rule]
  }
}
