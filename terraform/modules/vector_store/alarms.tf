locals {
  # Each looks at the worst of its measures.
  alarms = {
    dead-letters = {
      description = "Changes, exports or records of the stream could not be handled. They are in ${join(", ", [for queue in local.dead_letter_queues : queue.name])}."
      measures    = [for name in keys(local.dead_letter_queues) : "dead_${name}"]
      threshold   = 1
      period      = local.alarm_seconds
      periods     = 3
      missing     = "notBreaching"
    }
    overdue = {
      description = "A delta has been pending for ${4 * var.overdue_minutes} minutes, or nobody measures any more. millrace store status says which; millrace runs --workflow vector_store says what compactions do."
      measures    = [for collection in local.collections : "oldest_${collection}"]
      threshold   = 4 * 60 * var.overdue_minutes
      period      = local.alarm_seconds
      periods     = 3
      missing     = "missing"
    }
    compaction = {
      description = "An execution of ${local.compaction_name} failed, timed out or was aborted. What it left is served by the sweeper."
      measures    = keys(local.of_machine)
      threshold   = 1
      period      = local.alarm_seconds
      periods     = 3
      missing     = "notBreaching"
    }
    set-aside = {
      description = "Deltas that could not be read three times are set aside. millrace store status says which and why, millrace store retry makes them wait again."
      measures    = [for collection in local.collections : "aside_${collection}"]
      threshold   = 1
      period      = local.alarm_seconds
      periods     = 3
      missing     = "notBreaching"
    }
    embedding = {
      description = "An export has waited for an hour to be embedded. The consumer's log says why; millrace store status who has the lease."
      measures    = ["embed_age"]
      threshold   = 3600
      period      = local.alarm_seconds
      periods     = 3
      missing     = "notBreaching"
    }
    drift = {
      description = "A store differs from the table of receipts. millrace store check --repair makes up for it."
      measures    = [for collection in local.collections : "drifting_${collection}"]
      threshold   = 1
      period      = 86400 # as often as it is measured
      periods     = 1
      missing     = "notBreaching"
    }
  }
  alarm_seconds = 60 * local.overdue_every_minutes
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name_prefix}-vector-${each.key}"
  alarm_description   = each.value.description
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing

  # One bad period is enough, also one whose number comes when the next has begun. Three without any number mean that the
  # clock has stopped.
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = 1

  # Where nothing is no error, a measure without a value is filled, so that it takes none away from the others.
  metric_query {
    id          = "seen"
    label       = "${var.name_prefix}-vector-${each.key}"
    return_data = true
    expression = "MAX([${join(", ", [
      for id in each.value.measures : each.value.missing == "missing" ? id : "FILL(${id}, 0)"
    ])}])"
  }

  dynamic "metric_query" {
    for_each = toset(each.value.measures)

    content {
      id = metric_query.value

      metric {
        namespace   = local.measures[metric_query.value].namespace
        metric_name = local.measures[metric_query.value].metric
        dimensions  = local.measures[metric_query.value].dimensions
        stat        = local.measures[metric_query.value].statistic
        period      = each.value.period
      }
    }
  }

  alarm_actions             = [var.notifications_topic_arn]
  insufficient_data_actions = each.value.missing == "missing" ? [var.notifications_topic_arn] : null
}
