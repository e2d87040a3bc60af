# What a person on call looks at, from the top: is something wrong, do runs move, are changes heard of, what to type.

locals {
  rows = [
    {
      height = 4
      widgets = [
        { kind = "number", title = "Incidents that wait for a person", shows = { set_aside = "now" } },
        { kind = "sum", title = "Errors", shows = { errors = "incidents and runs", unmeasured = "runs that could not count" } },
        { kind = "sum", title = "Runs that failed", shows = { failed = "failed", timed_out = "timed out", aborted = "aborted" } },
        { kind = "alarm", title = "Alarms" },
      ]
    },
    {
      height = 6
      widgets = [
        { kind = "hourly", title = "Incidents written and removed, an hour", shows = { synced = "incidents" } },
        { kind = "limited", title = "Seconds that the longest run took", shows = { duration = "seconds" } },
        { kind = "hourly", title = "Runs that asked for a job, an hour", shows = { started = "asked", completed = "completed" } },
      ]
    },
    {
      height = 5
      widgets = [
        { kind = "line", title = "Changes: milliseconds behind", shows = { change_age = "oldest that was read" } },
        { kind = "line", title = "Changes: errors", shows = { change_errors = "invocations" } },
        { kind = "line", title = "Changes: throttled", shows = { change_throttles = "invocations" } },
        { kind = "line", title = "Changes: dead letters", shows = { dead_letters = "messages" } },
      ]
    },
    {
      height  = 8
      widgets = [{ kind = "text" }]
    },
  ]

  # What each kind of widget is to CloudWatch, beside its place and what it shows.
  kinds = {
    number  = { type = "metric", properties = merge(local.number, { period = 3600 }) }
    sum     = { type = "metric", properties = merge(local.number, { setPeriodToTimeRange = true }) }
    line    = { type = "metric", properties = merge(local.graph, { period = 300 }) }
    hourly  = { type = "metric", properties = merge(local.graph, { period = 3600 }) }
    limited = { type = "metric", properties = merge(local.graph, { period = 300, annotations = local.limit }) }
    alarm   = { type = "alarm", properties = { alarms = values(aws_cloudwatch_metric_alarm.this)[*].arn } }
    text    = { type = "text", properties = { markdown = local.advice } }
  }
  number = { region = local.region, view = "singleValue" }
  graph  = { region = local.region, view = "timeSeries", yAxis = { left = { min = 0 } } }
  limit  = { horizontal = [{ label = local.alarms.duration.name, value = local.alarms.duration.threshold }] }

  # A measure as a widget names it.
  drawn = {
    for id, measure in local.measures : id => concat(
      [measure.namespace, measure.metric],
      flatten([for name, value in measure.dimensions : [name, value]]),
    )
  }

  # Widgets of a row share its 24 columns; a row begins where those above it end.
  widgets = flatten([
    for number, row in local.rows : [
      for place, widget in row.widgets : {
        type   = local.kinds[widget.kind].type
        x      = place * 24 / length(row.widgets)
        y      = sum(concat([0], slice(local.rows, 0, number)[*].height))
        width  = 24 / length(row.widgets)
        height = row.height
        properties = merge(
          local.kinds[widget.kind].properties,
          { for name, value in widget : name => value if name == "title" },
          length(lookup(widget, "shows", {})) == 0 ? {} : {
            metrics = [
              for id, label in widget.shows :
              concat(local.drawn[id], [{ label = label, stat = local.measures[id].statistic }])
            ]
          },
        )
      }
    ]
  ])

  advice = <<-MARKDOWN
    ## What to type
    | you see | type | it does |
    | --- | --- | --- |
    | incidents wait for a person | `millrace incidents list --set-aside` | names them, each with its reason |
    | | `millrace incidents retry INCIDENT...` | makes them wait for the next run, when the reason is gone (`--all`: each of them) |
    | errors, failed runs, nothing for hours | `millrace runs --workflow incident_sync` | lists the runs, newest first |
    | | `millrace watch RUN --workflow incident_sync` | shows its states, the one that failed and the cause |
    | | `millrace incidents sync --wait` | starts a run and tells what it did |
    | asked and not completed | `millrace runs --workflow kb_sync` | lists what asked for a job, and how it ended; the next run asks again |
    | dead letters | `millrace incidents check --rewrite` | compares tables and bucket, and makes what differs, and all that is written, wait for the next run |

    Runs are executions of `${local.name}`. Functions say what they did in `/aws/lambda/<name>`: ${join(", ", [for function in local.functions : "`${function.name}`"])}.
  MARKDOWN
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.incident_name_prefix}IncidentKBSyncDashboard"

  dashboard_body = jsonencode({
    start          = "-PT24H"
    periodOverride = "inherit" # an hour's sum stays one, whatever time is looked at
    widgets        = local.widgets
  })
}
