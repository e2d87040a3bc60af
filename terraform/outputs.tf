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

output "kendra_index_id" {
  description = "Index that the documents go to."
  value       = var.kendra_index_id
}

output "state_machine_arn" {
  description = "The pipeline; every job is one execution of it."
  value       = module.kendra_ingestion.state_machine_arn
}

output "jobs_table" {
  description = "Table with the lock of every job."
  value       = module.kendra_ingestion.jobs_table
}

output "notifications_topic_arn" {
  description = "Topic that hears of every finished and failed job."
  value       = aws_sns_topic.notifications.arn
}

output "dead_letter_queue_url" {
  description = "Queue with the manifest events that could not start an execution."
  value       = module.kendra_ingestion.dead_letter_queue_url
}
