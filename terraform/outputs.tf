output "aws_region" {
  description = "Region of the deployment."
  value       = var.aws_region
}

output "ingestion_bucket" {
  description = "Drop documents and, last, the manifest here."
  value       = local.buckets["ingestion"].name
}

output "reports_bucket" {
  description = "Find reports under _reports/<jobId>/ here."
  value       = local.buckets["reports"].name

  precondition {
    condition     = var.reports_bucket != var.ingestion_bucket
    error_message = "reports_bucket must not be the ingestion bucket (${var.ingestion_bucket}): its lifecycle rules and permissions differ. Name another one."
  }
}

output "deploy_option" {
  description = "What brings the planned documents to the sink: sfn or sqs."
  value       = var.deploy_option
}

output "sink" {
  description = "Where the documents go: kendra or bedrock."
  value       = var.sink
}

output "kendra_index_id" {
  description = "Index that the documents go to; null with another sink."
  value       = var.sink == "kendra" ? var.kendra_index_id : null
}

output "knowledge_base_id" {
  description = "Knowledge base that the documents go to; null with another sink."
  value       = var.sink == "bedrock" ? var.knowledge_base_id : null
}

output "data_source_id" {
  description = "Data source that the documents go through; null with another sink."
  value       = var.sink == "bedrock" ? var.data_source_id : null
}

output "state_machine_arn" {
  description = "The pipeline; every job is one execution of it."
  value       = module.kendra_ingestion.state_machine_arn
}

output "jobs_table" {
  description = "Table with the lock of every job."
  value       = module.kendra_ingestion.jobs_table
}

output "ledger_table" {
  description = "Table with what each document's last run made of it."
  value       = module.kendra_ingestion.ledger_table
}

output "progress_table" {
  description = "Table that counts a job's messages; null with deploy_option sfn."
  value       = module.kendra_ingestion.progress_table
}

output "notifications_topic_arn" {
  description = "Topic that hears of every finished and failed job."
  value       = aws_sns_topic.notifications.arn
}

output "dead_letter_queue_url" {
  description = "Queue with the manifest events that could not start an execution, and messages that nobody understands."
  value       = module.kendra_ingestion.dead_letter_queue_url
}
