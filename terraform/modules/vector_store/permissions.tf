# What functions and the embedding task may do. Logs, traces and the key are added where their roles are made; reading the
# stream is asked for in modules/stream_consumer; machine, sweeper and rule have their rights in modules/single_flight,
# schedules in modules/schedule.

locals {
  objects   = { for collection in local.collections : collection => "${var.store_bucket.arn}/${collection}" }
  changes   = [for objects in values(local.objects) : "${objects}/changes/*"]
  deltas    = [for objects in values(local.objects) : "${objects}/delta/*"]
  snapshots = [for objects in values(local.objects) : "${objects}/snapshot/*"]
  runs      = "${var.store_bucket.arn}/runs/*"
  exports   = "${var.store_bucket.arn}/exports/*"

  # Buckets of others that exports are read from.
  foreign_exports = [for bucket in var.export_buckets : "arn:${local.partition}:s3:::${bucket}"]

  pending_index = "${module.table.arn}/index/${local.pending}"
  aside_index   = "${module.table.arn}/index/${local.aside}"

  model = "arn:${local.partition}:bedrock:${local.region}::foundation-model/amazon.titan-embed-text-v2:0"
}

# For who reads what is published.
data "aws_iam_policy_document" "reads" {
  statement {
    sid       = "ReadPointer"
    actions   = ["dynamodb:GetItem"]
    resources = [module.table.arn]
  }

  statement {
    sid       = "ReadSnapshots"
    actions   = ["s3:GetObject"]
    resources = local.snapshots
  }

  statement {
    # S3 answers 403 to everybody else where it means 404, and a snapshot that is gone would look like a missing
    # permission. It cannot be narrowed to a prefix: a read carries none.
    sid       = "KnowThatObjectIsGone"
    actions   = ["s3:ListBucket"]
    resources = [var.store_bucket.arn]
  }
}

data "aws_iam_policy_document" "asks" {
  statement {
    sid       = "AskForCompaction"
    actions   = ["states:StartExecution"]
    resources = [local.compaction_arn]
  }
}

data "aws_iam_policy_document" "writes_deltas" {
  source_policy_documents = [data.aws_iam_policy_document.asks.json]

  statement {
    sid       = "WriteChanges"
    actions   = ["s3:PutObject"]
    resources = local.changes
  }

  statement {
    sid       = "RegisterDeltas"
    actions   = ["dynamodb:PutItem"]
    resources = [module.table.arn]
  }
}

data "aws_iam_policy_document" "router" {
  source_policy_documents = [module.stream.policy]

  statement {
    sid       = "SendChanges"
    actions   = ["sqs:SendMessage"]
    resources = [for collection in local.collections : module.queue[collection].arn]
  }
}

data "aws_iam_policy_document" "delta_writer" {
  source_policy_documents = [data.aws_iam_policy_document.writes_deltas.json]

  statement {
    sid       = "ReceiveChanges"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [for collection in local.collections : module.queue[collection].arn]
  }
}

# For who reads what waits to be merged, too.
data "aws_iam_policy_document" "reads_pending" {
  source_policy_documents = [data.aws_iam_policy_document.reads.json]

  statement {
    sid       = "FindPending"
    actions   = ["dynamodb:Query"]
    resources = [local.pending_index]
  }

  statement {
    sid       = "ReadDeltas"
    actions   = ["s3:GetObject"]
    resources = concat(local.changes, local.deltas)
  }
}

data "aws_iam_policy_document" "compact" {
  source_policy_documents = [data.aws_iam_policy_document.reads_pending.json]

  statement {
    # A transaction has no right of its own: it asks for those of its parts.
    sid       = "PublishAndMarkDeltas"
    actions   = ["dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [module.table.arn]
  }

  statement {
    sid       = "WriteSnapshots"
    actions   = ["s3:AbortMultipartUpload", "s3:PutObject"]
    resources = local.snapshots
  }

  statement {
    sid       = "KeepRecordsOfRuns"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = [local.runs]
  }
}

data "aws_iam_policy_document" "embeds_texts" {
  statement {
    sid       = "EmbedTexts"
    actions   = ["bedrock:InvokeModel"]
    resources = [local.model]
  }
}

data "aws_iam_policy_document" "search" {
  source_policy_documents = [
    data.aws_iam_policy_document.reads.json,
    data.aws_iam_policy_document.embeds_texts.json,
  ]
}

# What the embedding worker does, in a function or in a task.
data "aws_iam_policy_document" "embeds" {
  source_policy_documents = [data.aws_iam_policy_document.embeds_texts.json]

  statement {
    sid       = "ReadExports"
    actions   = ["s3:GetObject"]
    resources = concat([local.exports], [for bucket in local.foreign_exports : "${bucket}/*"])
  }

  statement {
    # For the parts of a run that are there, and because S3 answers 403 to everybody else where it means 404: an export
    # that is gone would look like a missing permission. It cannot be narrowed to a prefix: a read carries none.
    sid       = "FindPartsAndKnowThatExportIsGone"
    actions   = ["s3:ListBucket"]
    resources = concat([var.store_bucket.arn], local.foreign_exports)
  }

  statement {
    sid       = "WriteVectors"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = local.deltas
  }

  statement {
    sid       = "WriteRuns"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem"]
    resources = [module.receipts_table.arn]
  }

  statement {
    sid       = "KeepLease"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = [module.table.arn]
  }

  statement {
    sid       = "WorkExports"
    actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"]
    resources = [module.queue["embed"].arn]
  }

  statement {
    sid       = "BuryWhatMakesNoSense"
    actions   = ["sqs:SendMessage"]
    resources = [module.dead_letters["embed"].arn]
  }
}

# What ECS itself does to start the task: fetching its image and writing its log.
data "aws_iam_policy_document" "task_execution" {
  count = local.tasks

  statement {
    sid     = "EnterRegistry"
    actions = ["ecr:GetAuthorizationToken"]
    # ECR knows no resources for this action.
    resources = ["*"]
  }

  statement {
    sid       = "FetchImage"
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = ["arn:${local.partition}:ecr:${local.task_image.region}:${local.task_image.account}:repository/${local.task_image.repository}"]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.task[0].arn}:*"]
  }
}

data "aws_iam_policy_document" "embed" {
  source_policy_documents = [data.aws_iam_policy_document.embeds.json]

  statement {
    # Lambda makes no mapping for a role without it.
    sid       = "SeeQueue"
    actions   = ["sqs:GetQueueAttributes"]
    resources = [module.queue["embed"].arn]
  }
}

data "aws_iam_policy_document" "check" {
  source_policy_documents = [
    data.aws_iam_policy_document.reads_pending.json,
    data.aws_iam_policy_document.writes_deltas.json,
  ]

  statement {
    sid       = "ReadReceipts"
    actions   = ["dynamodb:Query", "dynamodb:Scan"]
    resources = [module.receipts_table.arn]
  }

  statement {
    sid       = "WriteExports"
    actions   = ["s3:PutObject"]
    resources = ["${var.store_bucket.arn}/exports/check/*"]
  }

  statement {
    sid       = "SendExports"
    actions   = ["sqs:SendMessage"]
    resources = [module.queue["embed"].arn]
  }
}

data "aws_iam_policy_document" "collect" {
  statement {
    sid       = "ReadPointer"
    actions   = ["dynamodb:GetItem"]
    resources = [module.table.arn]
  }

  statement {
    sid       = "FindSnapshots"
    actions   = ["s3:ListBucket"]
    resources = [var.store_bucket.arn]

    condition {
      test     = "StringEquals"
      variable = "s3:prefix"
      values   = [for collection in local.collections : "${collection}/snapshot/"]
    }
  }

  statement {
    sid       = "RemoveSnapshots"
    actions   = ["s3:DeleteObject"]
    resources = local.snapshots
  }
}

data "aws_iam_policy_document" "overdue" {
  source_policy_documents = [data.aws_iam_policy_document.asks.json]

  statement {
    sid       = "FindPendingAndSetAside"
    actions   = ["dynamodb:Query"]
    resources = [local.pending_index, local.aside_index]
  }
}
