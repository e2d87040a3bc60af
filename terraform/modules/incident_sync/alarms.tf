locals {
  # Each looks at the sum of what it adds, less what it subtracts. A run that failed has counted itself among the errors,
  # unless it could not.
  alarms = {
    errors = {
      name        = "${var.incident_name_prefix}SyncErrorsAlarm"
      description = "Incidents could not be brought to the knowledge base, or a run failed, timed out, was aborted or could not count itself. millrace incidents list --set-aside and millrace runs --workflow incident_sync say which."
      adds        = ["errors", "failed", "timed_out", "aborted", "unmeasured"]
      subtracts   = []
      breach      = "GreaterThanOrEqualToThreshold"
      threshold   = 1
    }
    ingestion = {
      name        = "${var.incident_name_prefix}IngestionFailureAlarm"
      description = "A run asked for an ingestion job and none was completed: what it wrote is not searchable yet. The next run asks again; the execution of kb_sync that failed says why."
      adds        = ["started"]
      subtracts   = ["completed"]
      breach      = "GreaterThanOrEqualToThreshold"
      threshold   = 1
    }
    duration = {
      name        = "${var.incident_name_prefix}SyncDurationAlarm"
      description = "A run took more than ${var.duration_alarm_minutes} minutes."
      adds        = ["duration"]
      subtracts   = []
      breach      = "GreaterThanThreshold"
      threshold   = local.duration_limit
    }
    changes = {
      name        = "${var.name_prefix}-incident-changes"
      description = "Changes of incidents could not be noted down: ${module.dead_letters.name} tells where in the stream they are, and millrace incidents check --rewrite makes up for them."
      adds        = ["dead_letters"]
      subtracts   = []
      breach      = "GreaterThanOrEqualToThreshold"
      threshold   = 1
    }
  }
  duration_limit = 60 * var.duration_alarm_minutes
}

# A run measures itself when it ends: in most periods there is nothing, and nothing is no error.
resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = each.value.name
  alarm_description   = each.value.description
  comparison_operator = each.value.breach
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"

  # One bad period is enough, also one whose number comes when the next has begun.
  evaluation_periods  = 3
  datapoints_to_alarm = 1

  # Where one of its numbers has no value, a sum would have none either.
  metric_query {
    id          = "seen"
    label       = each.value.name
    return_data = true
    expression = join(" - ", concat(
      [join(" + ", [for id in each.value.adds : "FILL(${id}, 0)"])],
      [for id in each.value.subtracts : "FILL(${id}, 0)"],
    ))
  }

  dynamic "metric_query" {
    for_each = toset(concat(each.value.adds, each.value.subtracts))

    content {
      id = metric_query.value

      metric {
        namespace   = local.measures[metric_query.value].namespace
        metric_name = local.measures[metric_query.value].metric
        dimensions  = local.measures[metric_query.value].dimensions
        stat        = local.measures[metric_query.value].statistic
        period      = 300
      }
    }
  }

  alarm_actions = [var.notifications_topic_arn]
}
