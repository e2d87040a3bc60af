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
  value       = module.table["jobs"].name
}

output "ledger_table" {
  description = "Name of the table with what each document's last run made of it."
  value       = module.table["ledger"].name
}

output "progress_table" {
  description = "Name of the table that counts a job's messages; null where none are sent."
  value       = local.queued ? module.table["progress"].name : null
}

output "dead_letter_queue_url" {
  description = "URL of the queue with undeliverable manifest events and messages that nobody understands."
  value       = module.dead_letters.url
}
