# A deployment from before schedules, streams' consumers and applications' tables were modules keeps its own.

moved {
  from = aws_scheduler_schedule.this
  to   = module.schedule.aws_scheduler_schedule.this
}

moved {
  from = module.schedule_role
  to   = module.schedule.module.role
}

moved {
  from = aws_lambda_event_source_mapping.changes
  to   = module.stream.aws_lambda_event_source_mapping.this
}

moved {
  from = module.incidents
  to   = module.incidents_table.module.table
}
