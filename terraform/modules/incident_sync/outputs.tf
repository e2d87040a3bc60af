output "state_machine_arn" {
  description = "ARN of the state machine."
  value       = module.state_machine.arn
}

output "incidents_table" {
  description = "Name of the table of incidents."
  value       = module.incidents_table.name
}

output "table" {
  description = "Name of the table with what each incident waits for."
  value       = module.table.name
}

output "batch_sync_function" {
  description = "Name of the function that does a pass."
  value       = module.function["batch_sync"].name
}

output "dead_letter_queue_url" {
  description = "URL of the queue that tells of changes which could not be noted down."
  value       = module.dead_letters.url
}

output "alarm_arns" {
  description = "ARNs of the alarms, which publish to the notifications topic."
  value       = values(aws_cloudwatch_metric_alarm.this)[*].arn
}
