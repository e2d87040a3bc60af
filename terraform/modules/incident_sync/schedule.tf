module "schedule" {
  source = "../schedule"

  name        = "${local.name}-schedule"
  description = "Starts a run of ${local.name}"
  expression  = var.schedule
  target_arn  = module.state_machine.arn
  action      = "states:StartExecution"

  # A start that is an hour late does no more than the next one.
  maximum_event_age_seconds = 3600
}
