# A deployment from before these were modules keeps its table and its queue.

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
