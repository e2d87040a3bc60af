# A deployment from before single flight and schedules were modules keeps its table, its machines, and what calls them.

moved {
  from = module.table
  to   = module.flight.module.table
}

moved {
  from = module.state_machine
  to   = module.flight.module.state_machine
}

moved {
  from = module.sweeper
  to   = module.flight.module.sweeper
}

moved {
  from = aws_cloudwatch_event_rule.failed
  to   = module.flight.aws_cloudwatch_event_rule.failed
}

moved {
  from = aws_cloudwatch_event_target.failed
  to   = module.flight.aws_cloudwatch_event_target.failed
}

moved {
  from = module.failed_role
  to   = module.flight.module.failed_role
}

moved {
  from = aws_scheduler_schedule.this["sweep"]
  to   = module.flight.module.sweep.aws_scheduler_schedule.this
}

moved {
  from = module.schedule_role["sweep"]
  to   = module.flight.module.sweep.module.role
}

moved {
  from = aws_scheduler_schedule.this["tick"]
  to   = module.tick.aws_scheduler_schedule.this
}

moved {
  from = module.schedule_role["tick"]
  to   = module.tick.module.role
}
