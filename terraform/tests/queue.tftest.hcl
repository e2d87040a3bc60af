mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name = "example-letters"
}

run "keeps_messages_long_and_lets_nobody_in_without_tls_or_unasked" {
  command = apply

  module {
    source = "./modules/queue"
  }

  assert {
    condition     = aws_sqs_queue.this.name == "example-letters" && aws_sqs_queue.this.fifo_queue == null
    error_message = "The queue is ${aws_sqs_queue.this.name}."
  }

  assert {
    condition     = aws_sqs_queue.this.message_retention_seconds == 14 * 24 * 3600 && aws_sqs_queue.this.sqs_managed_sse_enabled
    error_message = "Messages are not kept for 14 days, encrypted with SQS-managed keys."
  }

  assert {
    condition = (
      data.aws_iam_policy_document.this.source_policy_documents == tolist([module.tls_only.json])
      && length(data.aws_iam_policy_document.this.statement) == 0
      && aws_sqs_queue_policy.this.policy == data.aws_iam_policy_document.this.json
    )
    error_message = "The policy is not the refusal of plain HTTP alone: ${jsonencode(data.aws_iam_policy_document.this.statement)}."
  }
}

run "lets_a_service_send_for_the_resources_that_are_named_alone" {
  command = apply

  module {
    source = "./modules/queue"
  }

  variables {
    senders = { "events.amazonaws.com" = ["arn:aws:events:eu-west-1:123456789012:rule/example", "arn:aws:events:eu-west-1:123456789012:rule/other"] }
  }

  assert {
    condition = (
      one(data.aws_iam_policy_document.this.statement).actions == toset(["sqs:SendMessage"])
      && one(data.aws_iam_policy_document.this.statement).resources == toset([aws_sqs_queue.this.arn])
      && one(one(data.aws_iam_policy_document.this.statement).principals).identifiers == toset(["events.amazonaws.com"])
      && one(one(data.aws_iam_policy_document.this.statement).condition).variable == "aws:SourceArn"
      && one(one(data.aws_iam_policy_document.this.statement).condition).values == tolist(var.senders["events.amazonaws.com"])
    )
    error_message = "Others than the rules may send: ${jsonencode(data.aws_iam_policy_document.this.statement)}."
  }
}

run "orders_by_group_and_sets_aside_what_is_received_too_often" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    fifo                       = true
    visibility_timeout_seconds = 720
    redrive = {
      dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:example-dead.fifo"
      max_receive_count     = 8
    }
  }

  assert {
    condition = (
      aws_sqs_queue.this.name == "example-letters.fifo"
      && aws_sqs_queue.this.fifo_queue
      && aws_sqs_queue.this.deduplication_scope == "messageGroup"
      && aws_sqs_queue.this.fifo_throughput_limit == "perMessageGroupId"
      && aws_sqs_queue.this.visibility_timeout_seconds == 720
    )
    error_message = "The queue is not a FIFO queue by group."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.this.redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:eu-west-1:123456789012:example-dead.fifo"
      maxReceiveCount     = 8
    }
    error_message = "Dead letters go by ${aws_sqs_queue.this.redrive_policy}."
  }
}

run "takes_the_dead_letters_of_the_queues_that_are_named_alone" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    dead_letters_of = ["arn:aws:sqs:eu-west-1:123456789012:one.fifo", "arn:aws:sqs:eu-west-1:123456789012:other.fifo"]
  }

  assert {
    condition = jsondecode(aws_sqs_queue.this.redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = ["arn:aws:sqs:eu-west-1:123456789012:one.fifo", "arn:aws:sqs:eu-west-1:123456789012:other.fifo"]
    }
    error_message = "Dead letters are taken by ${aws_sqs_queue.this.redrive_allow_policy}."
  }
}

run "encrypts_with_the_key_that_is_given" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = aws_sqs_queue.this.kms_master_key_id == var.kms_key_arn
    error_message = "The queue does not use the key."
  }
}
