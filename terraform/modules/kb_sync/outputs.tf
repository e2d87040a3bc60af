output "state_machine_arn" {
  description = "ARN of the state machine."
  value       = module.flight.state_machine_arn
}

output "executions_arn" {
  description = "Pattern of the ARNs of the machine's executions."
  value       = module.flight.executions_arn
}

output "table" {
  description = "Name of the table with the requests of every data source."
  value       = module.flight.table
}

output "dead_letter_queue_url" {
  description = "URL of the queue with events and requests that could not be delivered."
  value       = module.dead_letters.url
}

output "alarm_arns" {
  description = "ARNs of the alarms, which publish to the notifications topic."
  value       = values(aws_cloudwatch_metric_alarm.this)[*].arn
}
