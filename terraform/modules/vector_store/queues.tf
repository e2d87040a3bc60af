# The queues of changes, that of exports, and where each one's dead letters go.

locals {
  fifo   = var.queue_mode == "fifo"
  suffix = local.fifo ? ".fifo" : ""
  window = local.fifo ? 0 : var.change_batching_window_seconds # Lambda has none for a FIFO queue

  delta_writer_timeout = 120

  # Lambda's advice for a queue that a function reads: six times the function's timeout, and the window, in which a
  # message is hidden already.
  changes_visibility = 6 * local.delta_writer_timeout + local.window

  queues = merge(
    {
      for collection in local.collections : collection => {
        name               = "${var.name_prefix}-${collection}"
        fifo               = local.fifo
        visibility_timeout = local.changes_visibility
        dead_letters       = module.dead_letters["changes"].arn
        # What fails is a store, never the message: it is offered for a day.
        max_receive_count = floor(86400 / local.changes_visibility)
      }
    },
    {
      embed = {
        name               = "${var.name_prefix}-embed-ndjson"
        fifo               = true
        visibility_timeout = local.embeds_by_lambda ? 6 * local.embed_timeout : local.embed_hide_seconds
        dead_letters       = module.dead_letters["embed"].arn
        # Waiting for the lease is receiving, so this is the most that SQS offers.
        max_receive_count = 1000
      }
    },
  )

  # A FIFO queue's dead letters go to a FIFO queue.
  dead_letters = {
    changes = {
      name = "${var.name_prefix}-vector-changes-dead-letters"
      fifo = local.fifo
      of   = [for collection in local.collections : "${local.queue_arns}:${var.name_prefix}-${collection}${local.suffix}"]
    }
    embed = {
      name = "${var.name_prefix}-embed-ndjson-dead-letters"
      fifo = true
      of   = ["${local.queue_arns}:${var.name_prefix}-embed-ndjson.fifo"]
    }
  }
  dead_letter_queues = merge(module.dead_letters, { stream = module.stream_dead_letters })

  queue_arns = "arn:${local.partition}:sqs:${local.region}:${local.account}"
}

module "queue" {
  source   = "../queue"
  for_each = local.queues

  name                       = each.value.name
  fifo                       = each.value.fifo
  visibility_timeout_seconds = each.value.visibility_timeout
  kms_key_arn                = var.kms_key_arn

  redrive = {
    dead_letter_queue_arn = each.value.dead_letters
    max_receive_count     = each.value.max_receive_count
  }
}

module "dead_letters" {
  source   = "../queue"
  for_each = local.dead_letters

  name            = each.value.name
  fifo            = each.value.fifo
  dead_letters_of = each.value.of
  kms_key_arn     = var.kms_key_arn
}

# Places in the stream, and failed compactions that nobody could be told of. Neither may go to a FIFO queue.
module "stream_dead_letters" {
  source = "../queue"

  name        = "${var.name_prefix}-vector-stream-dead-letters"
  senders     = { "events.amazonaws.com" = [module.flight.failed_rule_arn] }
  kms_key_arn = var.kms_key_arn
}

resource "aws_lambda_event_source_mapping" "changes" {
  for_each = toset(local.collections)

  event_source_arn        = module.queue[each.key].arn
  function_name           = module.function["delta_writer"].name
  function_response_types = ["ReportBatchItemFailures"]

  # Ten without a window, and of a FIFO queue, are the most that Lambda takes at once.
  batch_size                         = local.window == 0 ? 10 : 10000
  maximum_batching_window_in_seconds = local.fifo ? null : local.window

  # More at once would make more and smaller deltas of the same messages.
  scaling_config {
    maximum_concurrency = 5
  }
}
