# What each function, the state machine and Kendra may do. Logs, traces and the key are added where the role is made.

locals {
  manifests  = "${var.ingestion_bucket.arn}/*/_control/manifest.json"
  documents  = "${var.ingestion_bucket.arn}/*/batches/*"
  metadata   = "${var.ingestion_bucket.arn}/*/batches/*.metadata.json"
  work       = "${var.reports_bucket.arn}/_work/*"
  work_copy  = "${var.reports_bucket.arn}/_work/*/manifest.json"
  reports    = "${var.reports_bucket.arn}/_reports/*"
  archive    = "${var.reports_bucket.arn}/_archive/*"
  executions = "arn:${local.partition}:states:${local.region}:${local.account}:execution:${local.name}:*"
}

data "aws_iam_policy_document" "load_manifest" {
  statement {
    sid       = "ReadManifest"
    actions   = ["s3:GetObject"]
    resources = [local.manifests]
  }

  statement {
    # Without it S3 answers 403 where a manifest is gone, and a quiet end would look like a missing permission.
    # It cannot be narrowed to a prefix: a read carries none.
    sid       = "KnowThatManifestIsGone"
    actions   = ["s3:ListBucket"]
    resources = [var.ingestion_bucket.arn]
  }

  statement {
    sid       = "KeepCopy"
    actions   = ["s3:PutObject"]
    resources = [local.work_copy]
  }
}

data "aws_iam_policy_document" "list_batches" {
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
    sid       = "ReadAndWriteWork"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    resources = [local.work]
  }
}

data "aws_iam_policy_document" "process_batch" {
  statement {
    sid       = "ListWork"
    actions   = ["s3:ListBucket"]
    resources = [var.reports_bucket.arn]
  }

  statement {
    sid       = "ReadAndWriteWork"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = [local.work]
  }

  statement {
    sid       = "SendDocuments"
    actions   = ["kendra:BatchDeleteDocument", "kendra:BatchPutDocument", "kendra:DescribeIndex"]
    resources = [local.index_arn]
  }

  statement {
    sid       = "LetKendraRead"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.kendra_reader.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["kendra.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "verify" {
  statement {
    sid       = "ListWork"
    actions   = ["s3:ListBucket"]
    resources = [var.reports_bucket.arn]
  }

  statement {
    sid       = "ReadAndWriteWork"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = [local.work]
  }

  statement {
    sid       = "AskIndex"
    actions   = ["kendra:BatchGetDocumentStatus"]
    resources = [local.index_arn]
  }
}

data "aws_iam_policy_document" "aggregate_failures" {
  statement {
    sid       = "ListWork"
    actions   = ["s3:ListBucket"]
    resources = [var.reports_bucket.arn]
  }

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
    resources = [for function in module.function : function.arn]
  }

  statement {
    sid       = "HoldLock"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.jobs.arn]
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

data "aws_iam_policy_document" "kendra_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["kendra.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.index_arn, "${local.index_arn}/*"]
    }
  }
}

resource "aws_iam_role" "kendra_reader" {
  name               = "${var.name_prefix}-kendra-reader"
  description        = "Role that Kendra reads documents with"
  assume_role_policy = data.aws_iam_policy_document.kendra_trust.json
}

data "aws_iam_policy_document" "kendra_reader" {
  statement {
    sid       = "ReadDocuments"
    actions   = ["s3:GetObject"]
    resources = [local.documents]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn[*]

    content {
      sid       = "DecryptDocuments"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "kendra_reader" {
  name   = aws_iam_role.kendra_reader.name
  role   = aws_iam_role.kendra_reader.id
  policy = data.aws_iam_policy_document.kendra_reader.json
}
