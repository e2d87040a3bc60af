output "state_machine_arn" {
  description = "ARN of the state machine."
  value       = module.state_machine.arn
}

output "functions" {
  description = "Names of the functions, by what they do."
  value       = { for name, function in module.function : name => function.name }

  precondition {
    condition     = length(local.unknown_function_keys) == 0
    error_message = "local.functions says ${join(", ", local.unknown_function_keys)}, which no function is given. Correct the key, or add it to module.function and to local.function_keys."
  }
}

output "jobs_table" {
  description = "Name of the table with the lock of every job."
  value       = aws_dynamodb_table.jobs.name
}

output "dead_letter_queue_url" {
  description = "URL of the queue with undeliverable manifest events."
  value       = aws_sqs_queue.dead_letters.url
}
