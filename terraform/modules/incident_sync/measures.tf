# The numbers that alarms and dashboard look at: where each is, and how its values of one period become one.

locals {
  measures = {
    synced    = merge(local.of_runs, { metric = "IncidentsSynced" })
    errors    = merge(local.of_runs, { metric = "SyncErrors" })
    duration  = merge(local.of_runs, { metric = "SyncDuration", statistic = "Maximum" })
    started   = merge(local.of_runs, { metric = "IngestionJobsStarted" })
    completed = merge(local.of_runs, { metric = "IngestionJobsCompleted" })
    set_aside = merge(local.of_runs, { metric = "IncidentsSetAside", statistic = "Maximum" })

    failed    = merge(local.of_machine, { metric = "ExecutionsFailed" })
    timed_out = merge(local.of_machine, { metric = "ExecutionsTimedOut" })
    aborted   = merge(local.of_machine, { metric = "ExecutionsAborted" })

    unmeasured = merge(local.of_function["measure"], { metric = "Errors" })

    change_age       = merge(local.of_function["changes"], { metric = "IteratorAge", statistic = "Maximum" })
    change_errors    = merge(local.of_function["changes"], { metric = "Errors" })
    change_throttles = merge(local.of_function["changes"], { metric = "Throttles" })
    dead_letters     = merge(local.of_queue, { metric = "ApproximateNumberOfMessagesVisible" })
  }

  # What incident_sync.measure emits, with the dimension that Powertools adds. The service is this deployment's own, so that
  # the alarms of two in one account do not hear each other's errors.
  metrics = {
    namespace = "IncidentKBSync"
    service   = "${var.incident_name_prefix}incident_sync"
  }
  of_runs = {
    namespace  = local.metrics.namespace
    dimensions = { service = local.metrics.service }
    statistic  = "Sum"
  }
  of_machine = {
    namespace  = "AWS/States"
    dimensions = { StateMachineArn = module.state_machine.arn }
    statistic  = "Sum"
  }
  of_function = {
    for name in ["changes", "measure"] : name => {
      namespace  = "AWS/Lambda"
      dimensions = { FunctionName = module.function[name].name }
      statistic  = "Sum"
    }
  }
  of_queue = {
    namespace  = "AWS/SQS"
    dimensions = { QueueName = module.dead_letters.name }
    statistic  = "Maximum"
  }
}
