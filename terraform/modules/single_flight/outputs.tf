output "state_machine_arn" {
  description = "ARN of the state machine."
  value       = module.state_machine.arn
}

output "executions_arn" {
  description = "Pattern of the ARNs of the machine's executions, known from the name alone."
  value       = local.executions
}

output "table" {
  description = "Name of the table with the requests of every key."
  value       = module.table.name
}

output "table_arn" {
  description = "ARN of that table."
  value       = module.table.arn
}

output "failed_rule_arn" {
  description = "ARN of the rule that starts the sweeper after a failed execution; it sends to the dead letters' queue what it cannot deliver."
  value       = aws_cloudwatch_event_rule.failed.arn
}
