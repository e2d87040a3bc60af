# What each function and the state machine may do. Logs, traces and the key are added where the role is made; what it
# takes to send documents to a sink is in sink.tf.

locals {
  manifests  = "${var.ingestion_bucket.arn}/*/_control/manifest.json"
  documents  = "${var.ingestion_bucket.arn}/*/batches/*"
  metadata   = "${var.ingestion_bucket.arn}/*/batches/*.metadata.json"
  work       = "${var.reports_bucket.arn}/_work/*"
  work_copy  = "${var.reports_bucket.arn}/_work/*/manifest.json"
  outcomes   = "${var.reports_bucket.arn}/_work/*/outcomes/*"
  stops      = "${var.reports_bucket.arn}/_work/*/stop-*.json"
  reports    = "${var.reports_bucket.arn}/_reports/*"
  failures   = "${var.reports_bucket.arn}/_reports/*/failures.csv"
  summaries  = "${var.reports_bucket.arn}/_reports/*/summary.json"
  parts      = "${var.reports_bucket.arn}/_reports/*/part-*.csv"
  archive    = "${var.reports_bucket.arn}/_archive/*"
  executions = "arn:${local.partition}:states:${local.region}:${local.account}:execution:${local.name}:*"
}

data "aws_iam_policy_document" "lists_work" {
  statement {
    # For a chunk's outcomes, and because S3 answers 403 to everybody else where it means 404: nobody has asked the job to
    # stop. It cannot be narrowed to a prefix: a read carries none.
    sid       = "ListWork"
    actions   = ["s3:ListBucket"]
    resources = [var.reports_bucket.arn]
  }
}

data "aws_iam_policy_document" "work" {
  source_policy_documents = [data.aws_iam_policy_document.lists_work.json]

  statement {
    sid       = "ReadAndWriteWork"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = [local.work]
  }
}

data "aws_iam_policy_document" "marks" {
  statement {
    sid       = "MarkSent"
    actions   = ["dynamodb:UpdateItem"]
    resources = [module.table["ledger"].arn]
  }
}

data "aws_iam_policy_document" "load_manifest" {
  statement {
    sid       = "ReadManifest"
    actions   = ["s3:GetObject"]
    resources = [local.manifests]
  }

  statement {
    sid       = "ReadReportOfJobToRetry"
    actions   = ["s3:GetObject"]
    resources = [local.summaries]
  }

  statement {
    # Without it S3 answers 403 where a manifest or a report is gone: a quiet end, or a manifest that names no job,
    # would look like a missing permission. It cannot be narrowed to a prefix: a read carries none.
    sid       = "KnowThatManifestOrReportIsGone"
    actions   = ["s3:ListBucket"]
    resources = [var.ingestion_bucket.arn, var.reports_bucket.arn]
  }

  statement {
    sid       = "KeepCopy"
    actions   = ["s3:PutObject"]
    resources = [local.work_copy]
  }
}

data "aws_iam_policy_document" "list_batches" {
  source_policy_documents = [data.aws_iam_policy_document.work.json]

  statement {
    sid       = "ListDocuments"
    actions   = ["s3:ListBucket"]
    resources = [var.ingestion_bucket.arn]
  }

  statement {
    sid       = "ReadMetadata"
    actions   = ["s3:GetObject"]
    resources = [local.metadata]
  }

  statement {
    sid       = "EndBrokenUploads"
    actions   = ["s3:AbortMultipartUpload"]
    resources = [local.work]
  }

  statement {
    sid       = "ReadReportOfJobToRetry"
    actions   = ["s3:GetObject"]
    resources = [local.failures, local.summaries]
  }

  statement {
    sid       = "KnowWhatIsUnchanged"
    actions   = ["dynamodb:BatchGetItem"]
    resources = [module.table["ledger"].arn]
  }
}

data "aws_iam_policy_document" "process_batch" {
  source_policy_documents = [
    data.aws_iam_policy_document.work.json,
    data.aws_iam_policy_document.puts.json,
    data.aws_iam_policy_document.deletes.json,
    data.aws_iam_policy_document.marks.json,
  ]
}

data "aws_iam_policy_document" "producer" {
  count = local.queued ? 1 : 0

  source_policy_documents = [
    data.aws_iam_policy_document.lists_work.json,
    data.aws_iam_policy_document.answers[0].json,
  ]

  statement {
    sid       = "ReadPlan"
    actions   = ["s3:GetObject"]
    resources = [local.work]
  }

  statement {
    sid       = "CountMessages"
    actions   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    resources = [module.table["progress"].arn]
  }

  statement {
    sid       = "SendMessages"
    actions   = ["sqs:SendMessage"]
    resources = [for queue in module.queue : queue.arn]
  }
}

data "aws_iam_policy_document" "answers" {
  count = local.queued ? 1 : 0

  statement {
    sid       = "AnswerTask"
    actions   = ["states:SendTaskSuccess"]
    resources = [local.state_machine_arn]
  }
}

# What whoever handles messages does about each of them, in its order: outcomes, part file, counter, answer.
data "aws_iam_policy_document" "accounts" {
  count = local.queued ? 1 : 0

  source_policy_documents = [
    data.aws_iam_policy_document.lists_work.json,
    data.aws_iam_policy_document.answers[0].json,
  ]

  statement {
    sid       = "SeeStop"
    actions   = ["s3:GetObject"]
    resources = [local.stops]
  }

  statement {
    sid       = "WriteOutcomes"
    actions   = ["s3:PutObject"]
    resources = [local.outcomes]
  }

  statement {
    # The tag, by which parts expire, is written with the object and needs a right of its own.
    sid       = "WriteParts"
    actions   = ["s3:PutObject", "s3:PutObjectTagging"]
    resources = [local.parts]
  }

  statement {
    sid       = "CountMessages"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [module.table["progress"].arn]
  }

  statement {
    sid       = "KeepWhatNobodyUnderstands"
    actions   = ["sqs:SendMessage"]
    resources = [module.dead_letters.arn]
  }
}

# What Lambda does, with a function's role, on the queues that it reads for it.
data "aws_iam_policy_document" "consumes" {
  for_each = local.consumed

  statement {
    sid       = "ReceiveMessages"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = each.value
  }
}

# What a worker does beside sending: it tries what was given back alone, and gives back what is not finished.
data "aws_iam_policy_document" "works" {
  for_each = { for action, queue in local.queues : queue.worker => module.queue[action].arn }

  source_policy_documents = [
    data.aws_iam_policy_document.consumes[each.key].json,
    data.aws_iam_policy_document.accounts[0].json,
    data.aws_iam_policy_document.marks.json,
  ]

  statement {
    sid       = "PutMessagesOff"
    actions   = ["sqs:ChangeMessageVisibility"]
    resources = [each.value]
  }

  statement {
    sid       = "ForgetTries"
    actions   = ["dynamodb:DeleteItem"]
    resources = [module.table["progress"].arn]
  }
}

data "aws_iam_policy_document" "put_worker" {
  count = local.queued ? 1 : 0

  source_policy_documents = [
    data.aws_iam_policy_document.works["put_worker"].json,
    data.aws_iam_policy_document.puts.json,
  ]

  statement {
    sid       = "ReadMetadata"
    actions   = ["s3:GetObject"]
    resources = [local.metadata]
  }

  statement {
    # Without it S3 answers 403 where metadata is gone, and the report would blame a missing permission. It cannot be
    # narrowed to a prefix: a read carries none.
    sid       = "KnowThatMetadataIsGone"
    actions   = ["s3:ListBucket"]
    resources = [var.ingestion_bucket.arn]
  }
}

data "aws_iam_policy_document" "del_worker" {
  count = local.queued ? 1 : 0

  source_policy_documents = [
    data.aws_iam_policy_document.works["del_worker"].json,
    data.aws_iam_policy_document.deletes.json,
  ]
}

data "aws_iam_policy_document" "dead_letter_worker" {
  count = local.queued ? 1 : 0

  source_policy_documents = [
    data.aws_iam_policy_document.consumes["dead_letter_worker"].json,
    data.aws_iam_policy_document.accounts[0].json,
  ]

  statement {
    # A worker that died may have written what became of the message's documents.
    sid       = "ReadOutcomes"
    actions   = ["s3:GetObject"]
    resources = [local.outcomes]
  }
}

data "aws_iam_policy_document" "verify" {
  source_policy_documents = [data.aws_iam_policy_document.work.json]

  statement {
    sid       = "AskSink"
    actions   = local.sink.asks
    resources = [local.sink_arn]
  }
}

data "aws_iam_policy_document" "aggregate_failures" {
  source_policy_documents = [data.aws_iam_policy_document.lists_work.json]

  statement {
    sid       = "ReadWork"
    actions   = ["s3:GetObject"]
    resources = [local.work]
  }

  statement {
    sid       = "WriteReport"
    actions   = ["s3:AbortMultipartUpload", "s3:PutObject"]
    resources = [local.reports]
  }

  statement {
    sid       = "SettleLedger"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:UpdateItem"]
    resources = [module.table["ledger"].arn]
  }
}

data "aws_iam_policy_document" "archive_manifest" {
  statement {
    sid       = "ReadCopy"
    actions   = ["s3:GetObject"]
    resources = [local.work_copy]
  }

  statement {
    sid       = "KeepInArchive"
    actions   = ["s3:PutObject"]
    resources = [local.archive]
  }

  statement {
    # A delete on condition of an ETag needs the right to read, too.
    sid       = "RemoveManifest"
    actions   = ["s3:DeleteObject", "s3:GetObject"]
    resources = [local.manifests]
  }

  statement {
    # Without it S3 may answer 403 where the manifest is gone, as after a lost answer, and the job would fail.
    # It cannot be narrowed to a prefix: a delete carries none.
    sid       = "KnowThatManifestIsGone"
    actions   = ["s3:ListBucket"]
    resources = [var.ingestion_bucket.arn]
  }
}

data "aws_iam_policy_document" "state_machine" {
  statement {
    sid       = "InvokeFunctions"
    actions   = ["lambda:InvokeFunction"]
    resources = values(local.called_functions)
  }

  statement {
    sid       = "HoldLock"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = [module.table["jobs"].arn]
  }

  statement {
    sid       = "AskAboutLockOwner"
    actions   = ["states:DescribeExecution"]
    resources = [local.executions]
  }

  statement {
    sid       = "Notify"
    actions   = ["sns:Publish"]
    resources = [var.notifications_topic_arn]
  }
}
