# What only the clock asks for.

locals {
  overdue_every_minutes = 5

  schedules = {
    collect = { description = "Removes snapshots that nobody reads any more", minutes = 1440, expression = "rate(1 day)" }
    check   = { description = "Measures how the stores differ from the table of receipts", minutes = 1440, expression = "rate(1 day)" }
    overdue = {
      description = "Measures what waits, and asks again for compactions that are overdue"
      minutes     = local.overdue_every_minutes
      expression  = "rate(${local.overdue_every_minutes} minutes)"
    }
  }
}

module "schedule" {
  source   = "../schedule"
  for_each = local.schedules

  name        = module.function[each.key].name
  role_name   = "${module.function[each.key].name}-schedule" # the function's own role has the name
  description = each.value.description
  expression  = each.value.expression
  target_arn  = module.function[each.key].arn
  action      = "lambda:InvokeFunction"

  maximum_event_age_seconds = 60 * each.value.minutes
}
