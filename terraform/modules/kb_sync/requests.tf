# The way of an upload or deletion to the machine, for each data source with events: a rule, a queue, and a pipe that makes
# one request of all that came in its window.

locals {
  heard = { for name, source in var.sources : name => source if source.events }

  # A message is hidden from when the pipe takes it, so while the window fills; three minutes more are for the start.
  visibility_timeout = var.batching_window_seconds + 180
}

resource "aws_cloudwatch_event_rule" "changed" {
  for_each = local.heard

  name        = "${local.name}-${each.key}"
  description = "An object of the data source ${each.key} was uploaded or deleted"

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created", "Object Deleted"]
    detail = merge(
      { bucket = { name = [each.value.bucket] } },
      each.value.prefix == "" ? {} : { object = { key = [{ prefix = each.value.prefix }] } },
    )
  })
}

resource "aws_cloudwatch_event_target" "changed" {
  for_each = local.heard

  rule = aws_cloudwatch_event_rule.changed[each.key].name
  arn  = module.queue[each.key].arn

  input_transformer {
    input_paths = {
      bucket    = "$.detail.bucket.name"
      key       = "$.detail.object.key"
      sequencer = "$.detail.object.sequencer"
      event     = "$.detail-type"
    }
    # EventBridge quotes what it fills in. Not jsonencode, which writes < and > as \u003c and \u003e.
    input_template = "{\"bucket\": <bucket>, \"key\": <key>, \"sequencer\": <sequencer>, \"event\": <event>}"
  }

  # A day outlasts any outage worth waiting for; what is undeliverable even then is kept for a person.
  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = module.dead_letters.arn
  }

  depends_on = [module.queue, module.dead_letters]
}

module "queue" {
  source   = "../queue"
  for_each = local.heard

  name                       = "${local.name}-${each.key}"
  senders                    = { "events.amazonaws.com" = [aws_cloudwatch_event_rule.changed[each.key].arn] }
  visibility_timeout_seconds = local.visibility_timeout
  kms_key_arn                = var.kms_key_arn

  # What fails is the start of an execution, never the message: it is offered for a day, as long as EventBridge tries.
  redrive = {
    dead_letter_queue_arn = module.dead_letters.arn
    max_receive_count     = floor(86400 / local.visibility_timeout)
  }
}

resource "aws_pipes_pipe" "this" {
  for_each = local.heard

  name        = "${local.name}-${each.key}"
  description = "Makes one request of the uploads and deletions of ${each.key} in ${var.batching_window_seconds} seconds"
  role_arn    = module.pipe_role[each.key].arn
  source      = module.queue[each.key].arn
  target      = module.flight.state_machine_arn

  source_parameters {
    sqs_queue_parameters {
      # The template makes 70 bytes of each: a thousand stay well inside the 262,144 bytes of an execution's input.
      batch_size                         = 1000
      maximum_batching_window_in_seconds = var.batching_window_seconds
    }
  }

  target_parameters {
    input_template = jsonencode({
      knowledgeBaseId = each.value.knowledge_base_id
      dataSourceId    = each.value.data_source_id
    })

    step_function_state_machine_parameters {
      invocation_type = "FIRE_AND_FORGET"
    }
  }
}

module "pipe_role" {
  source   = "../service_role"
  for_each = local.heard

  name        = "${local.name}-${each.key}"
  description = "Role of the pipe from the queue of ${each.key} to ${local.name}"
  service     = "pipes.amazonaws.com"
  source_arns = ["arn:${local.partition}:pipes:${local.region}:${local.account}:pipe/${local.name}-${each.key}"]
  policy      = data.aws_iam_policy_document.pipe[each.key].json
}

# Events and requests that could not be delivered. It takes them from every queue of the account, because SQS counts up to
# ten by name and there may be more data sources.
module "dead_letters" {
  source = "../queue"

  name        = "${local.name}-dead-letters"
  kms_key_arn = var.kms_key_arn

  senders = {
    "events.amazonaws.com" = concat(
      values(aws_cloudwatch_event_rule.changed)[*].arn,
      [aws_cloudwatch_event_rule.ended.arn, module.flight.failed_rule_arn],
    )
  }
}
