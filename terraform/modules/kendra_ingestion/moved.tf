# A deployment from before these were modules keeps its table, its queue and its roles.

moved {
  from = aws_dynamodb_table.jobs
  to   = module.table["jobs"].aws_dynamodb_table.this
}

moved {
  from = aws_sqs_queue.dead_letters
  to   = module.dead_letters.aws_sqs_queue.this
}

moved {
  from = aws_sqs_queue_policy.dead_letters
  to   = module.dead_letters.aws_sqs_queue_policy.this
}

moved {
  from = aws_iam_role.events
  to   = module.events_role.aws_iam_role.this
}

moved {
  from = aws_iam_role_policy.events
  to   = module.events_role.aws_iam_role_policy.this
}

moved {
  from = aws_iam_role.kendra_reader[0]
  to   = module.kendra_reader[0].aws_iam_role.this
}

moved {
  from = aws_iam_role_policy.kendra_reader[0]
  to   = module.kendra_reader[0].aws_iam_role_policy.this
}
