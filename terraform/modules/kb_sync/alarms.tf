locals {
  # What kb_sync.metrics emits, with the dimension that Powertools adds: the sum over all data sources has no other.
  metrics = {
    namespace = "Millrace"
    service   = "kb_sync"
  }

  alarms = {
    pending = {
      description = "A request for a sync has been pending for ${var.pending_alarm_minutes} minutes, or nobody measures any more."
      namespace   = local.metrics.namespace
      metric      = "OldestPendingSeconds"
      dimensions  = { service = local.metrics.service }
      statistic   = "Maximum"
      threshold   = 60 * var.pending_alarm_minutes
      # One measurement says enough: it is a duration. Three without any mean that the clock has stopped.
      periods = 3
      missing = "missing"
    }
    failed = {
      description = "An execution of ${local.name} failed, timed out or was aborted. What it left is served by the sweeper."
      namespace   = local.metrics.namespace
      metric      = "SyncsFailed"
      dimensions  = { service = local.metrics.service }
      statistic   = "Sum"
      threshold   = 1
      periods     = 1
      missing     = "notBreaching"
    }
    dead-letters = {
      description = "Events or requests could not be delivered: they are in the queue ${module.dead_letters.name}."
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = module.dead_letters.name }
      statistic   = "Maximum"
      threshold   = 1
      periods     = 1
      # SQS measures a queue that nobody uses for some hours no longer.
      missing = "notBreaching"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  period              = 60 * local.tick_minutes
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = 1
  treat_missing_data  = each.value.missing

  alarm_actions             = [var.notifications_topic_arn]
  insufficient_data_actions = each.value.missing == "missing" ? [var.notifications_topic_arn] : null
}
