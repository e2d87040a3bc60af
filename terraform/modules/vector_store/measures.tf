# The numbers that alarms look at: where each is, and how its values of one period become one.

locals {
  # What the functions emit, with the dimension that Powertools adds. The service is this deployment's own, so that the
  # alarms of two in one account do not hear each other's stores.
  metrics = {
    namespace = "Millrace"
    service   = "${var.name_prefix}-vector-store"
  }

  # By the collection; an alarm looks at both.
  of_collections = merge([
    for collection in local.collections : {
      for id, metric in {
        oldest   = "OldestPendingDeltaSeconds"
        aside    = "DeltasSetAside"
        drifting = "DriftingRecords"
        } : "${id}_${collection}" => {
        namespace  = local.metrics.namespace
        metric     = metric
        dimensions = { service = local.metrics.service, collection = collection }
        statistic  = "Maximum"
      }
    }
  ]...)

  of_queues = merge(
    {
      for name, queue in local.dead_letter_queues : "dead_${name}" => {
        namespace  = "AWS/SQS"
        metric     = "ApproximateNumberOfMessagesVisible"
        dimensions = { QueueName = queue.name }
        statistic  = "Maximum"
      }
    },
    {
      embed_age = {
        namespace  = "AWS/SQS"
        metric     = "ApproximateAgeOfOldestMessage"
        dimensions = { QueueName = module.queue["embed"].name }
        statistic  = "Maximum"
      }
    },
  )

  of_machine = {
    for id, metric in { failed = "ExecutionsFailed", timed_out = "ExecutionsTimedOut", aborted = "ExecutionsAborted" } :
    id => {
      namespace  = "AWS/States"
      metric     = metric
      dimensions = { StateMachineArn = module.flight.state_machine_arn }
      statistic  = "Sum"
    }
  }

  measures = merge(local.of_collections, local.of_queues, local.of_machine)
}
