# A deployment from before schedules were a module keeps its schedule and its role.

moved {
  from = aws_scheduler_schedule.this
  to   = module.schedule.aws_scheduler_schedule.this
}

moved {
  from = module.schedule_role
  to   = module.schedule.module.role
}
