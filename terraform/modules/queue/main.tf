resource "aws_sqs_queue" "this" {
  name                       = var.fifo ? "${var.name}.fifo" : var.name
  visibility_timeout_seconds = var.visibility_timeout_seconds
  message_retention_seconds  = 1209600 # 14 days, the longest that SQS keeps a message
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn

  # Order, deduplication and throughput are each group's own: no group waits for another.
  fifo_queue            = var.fifo ? true : null
  deduplication_scope   = var.fifo ? "messageGroup" : null
  fifo_throughput_limit = var.fifo ? "perMessageGroupId" : null

  redrive_policy = var.redrive == null ? null : jsonencode({
    deadLetterTargetArn = var.redrive.dead_letter_queue_arn
    maxReceiveCount     = var.redrive.max_receive_count
  })
  redrive_allow_policy = var.dead_letters_of == null ? null : jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = var.dead_letters_of
  })
}

module "tls_only" {
  source = "../tls_only"

  actions   = ["sqs:*"]
  resources = [aws_sqs_queue.this.arn]
}

data "aws_iam_policy_document" "this" {
  source_policy_documents = [module.tls_only.json]

  dynamic "statement" {
    for_each = var.senders

    content {
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.this.arn]

      principals {
        type        = "Service"
        identifiers = [statement.key]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = statement.value
      }
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  queue_url = aws_sqs_queue.this.id
  policy    = data.aws_iam_policy_document.this.json
}
