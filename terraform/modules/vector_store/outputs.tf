output "compaction_state_machine_arn" {
  description = "ARN of the state machine."
  value       = module.flight.state_machine_arn
}

output "flights_table" {
  description = "Name of the table with the requests of both collections."
  value       = module.flight.table
}

output "receipts_table" {
  description = "Name of the table of receipts."
  value       = module.receipts_table.name
}

output "vector_store_table" {
  description = "Name of the table with pointers, deltas and the lease."
  value       = module.table.name
}

output "embed_queue_url" {
  description = "URL of the queue of exports."
  value       = module.queue["embed"].url
}

output "change_queue_urls" {
  description = "URL of each collection's queue of changes."
  value       = { for collection in local.collections : collection => module.queue[collection].url }
}

output "dead_letter_queue_urls" {
  description = "URLs of the queues with what could not be handled: changes, exports to embed, and records of the stream, beside failed compactions that the sweeper could not be told of."
  value       = { for name, queue in local.dead_letter_queues : name => queue.url }
}

output "functions" {
  description = "Names of the functions that a person calls."
  value       = { for name in ["search", "check", "collect", "overdue"] : name => module.function[name].name }
}

output "alarm_arns" {
  description = "ARNs of the alarms, which publish to the notifications topic."
  value       = values(aws_cloudwatch_metric_alarm.this)[*].arn
}
