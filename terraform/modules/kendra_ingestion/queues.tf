# What deploy_option = "sqs" puts between the plan and the sink: a FIFO queue an action, and what each queue calls.

locals {
  queued = var.deploy_option == "sqs"

  queues = {
    for action, queue in {
      put    = { name = "${var.name_prefix}-kendra-put", worker = "put_worker", concurrency = var.put_concurrency }
      delete = { name = "${var.name_prefix}-kendra-del", worker = "del_worker", concurrency = var.delete_concurrency }
    } : action => queue
    if local.queued
  }

  worker_timeout = 120

  # Lambda's advice for a queue that a function reads: six times the function's timeout, so that a batch that is
  # throttled or handled slowly is not handed out a second time meanwhile.
  visibility_timeout = 6 * local.worker_timeout

  queue_environment = local.queued ? {
    PROGRESS_TABLE        = module.table["progress"].name
    PUT_QUEUE_URL         = module.queue["put"].url
    DELETE_QUEUE_URL      = module.queue["delete"].url
    DEAD_LETTER_QUEUE_URL = module.dead_letters.url
    SHARDS_PUT            = var.put_concurrency
    SHARDS_DELETE         = var.delete_concurrency
  } : {}

  consumptions = merge(
    {
      for action, queue in local.queues :
      queue.worker => { function = queue.worker, queue = module.queue[action].arn, concurrency = queue.concurrency }
    },
    {
      for action, queue in local.queues :
      "dead_${action}" => { function = "dead_letter_worker", queue = module.dead_queue[action].arn, concurrency = 2 }
    },
  )
  consumed = { for consumption in values(local.consumptions) : consumption.function => consumption.queue... }
}

module "queue" {
  source   = "../queue"
  for_each = local.queues

  name                       = each.value.name
  fifo                       = true
  visibility_timeout_seconds = local.visibility_timeout
  kms_key_arn                = var.kms_key_arn

  # A message counts as received when Lambda takes it from the queue, whether or not a throttled function then sees it,
  # and a sink that throttles longer than an invocation lasts gives it back. Eight times stay for both before a message
  # counts as one that cannot be handled.
  redrive = {
    dead_letter_queue_arn = module.dead_queue[each.key].arn
    max_receive_count     = 8
  }
}

module "dead_queue" {
  source   = "../queue"
  for_each = local.queues

  name                       = "${each.value.name}-dead"
  fifo                       = true
  visibility_timeout_seconds = local.visibility_timeout
  dead_letters_of            = ["arn:${local.partition}:sqs:${local.region}:${local.account}:${each.value.name}.fifo"]
  kms_key_arn                = var.kms_key_arn
}

resource "aws_lambda_event_source_mapping" "this" {
  for_each = local.consumptions

  function_name           = module.function[each.value.function].name
  event_source_arn        = each.value.queue
  batch_size              = 10 # the most that Lambda takes from a FIFO queue at once
  function_response_types = ["ReportBatchItemFailures"]

  # Not reserved concurrency, which would throttle the pollers, and a throttled message counts as received.
  scaling_config {
    maximum_concurrency = each.value.concurrency
  }
}
