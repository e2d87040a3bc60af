# What differs from sink to sink: whom the functions talk to, what they ask of it, and what they are told about it.

locals {
  kendra  = var.sink.name == "kendra"
  bedrock = var.sink.name == "bedrock"

  sink_arn = (
    local.kendra
    ? "arn:${local.partition}:kendra:${local.region}:${local.account}:index/${var.sink.kendra_index_id}"
    : "arn:${local.partition}:bedrock:${local.region}:${local.account}:knowledge-base/${var.sink.knowledge_base_id}"
  )

  sink = {
    kendra = {
      puts    = ["kendra:BatchPutDocument", "kendra:DescribeIndex"]
      deletes = ["kendra:BatchDeleteDocument"]
      asks    = ["kendra:BatchGetDocumentStatus"]
      environment = {
        KENDRA_INDEX_ID = var.sink.kendra_index_id
        KENDRA_ROLE_ARN = one(module.kendra_reader[*].arn)
      }
    }
    bedrock = {
      # AWS's policy for direct ingestion allows StartIngestionJob beside the calls themselves (Bedrock user guide,
      # "Prerequisites for direct ingestion") and does not say which of them asks for it, so both that change documents
      # have it.
      puts    = ["bedrock:IngestKnowledgeBaseDocuments", "bedrock:StartIngestionJob"]
      deletes = ["bedrock:DeleteKnowledgeBaseDocuments", "bedrock:StartIngestionJob"]
      asks    = ["bedrock:GetKnowledgeBaseDocuments"]
      environment = {
        KNOWLEDGE_BASE_ID = var.sink.knowledge_base_id
        DATA_SOURCE_ID    = var.sink.data_source_id
        ATTRIBUTE_TYPES   = jsonencode(var.sink.attribute_types)
      }
    }
  }[var.sink.name]
}

data "aws_iam_policy_document" "puts" {
  statement {
    sid       = "PutDocuments"
    actions   = local.sink.puts
    resources = [local.sink_arn]
  }

  dynamic "statement" {
    for_each = module.kendra_reader

    content {
      sid       = "LetKendraRead"
      actions   = ["iam:PassRole"]
      resources = [statement.value.arn]

      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = ["kendra.amazonaws.com"]
      }
    }
  }

  # Kendra reads documents itself; a knowledge base gets most of them in the request.
  dynamic "statement" {
    for_each = local.bedrock ? [local.documents] : []

    content {
      sid       = "ReadDocuments"
      actions   = ["s3:GetObject"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = local.bedrock ? [var.ingestion_bucket.arn] : []

    content {
      # Without it S3 answers 403 where a document is gone. It cannot be narrowed to a prefix: a read carries none.
      sid       = "KnowThatDocumentIsGone"
      actions   = ["s3:ListBucket"]
      resources = [statement.value]
    }
  }
}

data "aws_iam_policy_document" "deletes" {
  statement {
    sid       = "DeleteDocuments"
    actions   = local.sink.deletes
    resources = [local.sink_arn]
  }
}

data "aws_iam_policy_document" "kendra_reader" {
  count = local.kendra ? 1 : 0

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

module "kendra_reader" {
  source = "../service_role"
  count  = local.kendra ? 1 : 0

  name        = "${var.name_prefix}-kendra-reader"
  description = "Role that Kendra reads documents with"
  service     = "kendra.amazonaws.com"
  source_arns = [local.sink_arn, "${local.sink_arn}/*"]
  policy      = data.aws_iam_policy_document.kendra_reader[0].json
}
