output "aws_region" {
  description = "Region of the deployment."
  value       = var.aws_region
}

output "workflows" {
  description = "What is deployed. Each output of a workflow that is not is null."
  value       = var.workflows
}

output "ingestion_bucket" {
  description = "Drop documents and, last, the manifest here."
  value       = one([for role, bucket in local.buckets : bucket.name if role == "ingestion"])
}

output "reports_bucket" {
  description = "Find reports under _reports/<jobId>/ here."
  value       = one([for role, bucket in local.buckets : bucket.name if role == "reports"])

  precondition {
    condition     = !local.deployed.kendra_ingestion || var.reports_bucket == null || var.reports_bucket != var.ingestion_bucket
    error_message = "reports_bucket must not be the ingestion bucket: its lifecycle rules and permissions differ. Name another one."
  }
}

output "deploy_option" {
  description = "What brings the planned documents to the sink: sfn or sqs."
  value       = local.deployed.kendra_ingestion ? var.deploy_option : null
}

output "sink" {
  description = "Where the documents go: kendra or bedrock."
  value       = local.deployed.kendra_ingestion ? var.sink : null
}

output "kendra_index_id" {
  description = "Index that the documents go to; null with another sink."
  value       = local.deployed.kendra_ingestion && var.sink == "kendra" ? var.kendra_index_id : null
}

output "knowledge_base_id" {
  description = "Knowledge base that the documents go to; null with another sink."
  value       = local.deployed.kendra_ingestion && var.sink == "bedrock" ? var.knowledge_base_id : null
}

output "data_source_id" {
  description = "Data source that the documents go through; null with another sink."
  value       = local.deployed.kendra_ingestion && var.sink == "bedrock" ? var.data_source_id : null
}

output "state_machine_arn" {
  description = "Kendra ingestion; every job is one execution of it."
  value       = one(module.kendra_ingestion[*].state_machine_arn)
}

output "jobs_table" {
  description = "Table with the lock of every job."
  value       = one(module.kendra_ingestion[*].jobs_table)
}

output "ledger_table" {
  description = "Table with what each document's last run made of it."
  value       = one(module.kendra_ingestion[*].ledger_table)
}

output "progress_table" {
  description = "Table that counts a job's messages; null with deploy_option sfn."
  value       = one(module.kendra_ingestion[*].progress_table)
}

output "notifications_topic_arn" {
  description = "Topic that hears of every finished and failed job."
  value       = aws_sns_topic.notifications.arn
}

output "dead_letter_queue_url" {
  description = "Queue with the manifest events that could not start an execution, and messages that nobody understands."
  value       = one(module.kendra_ingestion[*].dead_letter_queue_url)
}

output "kb_sync_state_machine_arn" {
  description = "Knowledge base sync; every request is one execution of it."
  value       = one(module.kb_sync[*].state_machine_arn)
}

output "sync_table" {
  description = "Table with the requests of every data source."
  value       = one(module.kb_sync[*].table)
}

output "sync_sources" {
  description = "The data sources that are kept up to date, by name."
  value = local.deployed.kb_sync ? tomap({
    for name, source in var.sync_sources : name => {
      knowledge_base_id = source.knowledge_base_id
      data_source_id    = source.data_source_id
      bucket            = source.bucket
      prefix            = source.prefix
    }
  }) : null
}

output "sync_dead_letter_queue_url" {
  description = "Queue with the uploads and deletions that could not become a request, and ended executions that nobody could be told of."
  value       = one(module.kb_sync[*].dead_letter_queue_url)
}

output "incident_sync_state_machine_arn" {
  description = "Incident sync; every run is one execution of it."
  value       = one(module.incident_sync[*].state_machine_arn)
}

output "incidents_table" {
  description = "Table of the incidents."
  value       = one(module.incident_sync[*].incidents_table)
}

output "incident_sync_table" {
  description = "Table with what each incident waits for."
  value       = one(module.incident_sync[*].table)
}

output "incident_batch_sync_function" {
  description = "Name of the function that writes up to 50 incidents."
  value       = one(module.incident_sync[*].batch_sync_function)
}

output "incident_source" {
  description = "Name in sync_sources of the data source that reads the incidents."
  value       = local.deployed.incident_sync ? var.incident_source : null
}

output "incident_prefix" {
  description = "Incidents are under this prefix of their source's bucket."
  value       = local.deployed.incident_sync ? var.incident_prefix : null
}

output "incident_dead_letter_queue_url" {
  description = "Queue that tells of changes of incidents which could not be noted down."
  value       = one(module.incident_sync[*].dead_letter_queue_url)
}

output "compaction_state_machine_arn" {
  description = "Compaction of the vector store; every request is one execution of it."
  value       = one(module.vector_store[*].compaction_state_machine_arn)
}

output "flights_table" {
  description = "Table with the requests for compactions."
  value       = one(module.vector_store[*].flights_table)
}

output "receipts_table" {
  description = "Table of the receipts."
  value       = one(module.vector_store[*].receipts_table)
}

output "vector_store_table" {
  description = "Table with the published versions, what waits for them, and who embeds."
  value       = one(module.vector_store[*].vector_store_table)
}

output "store_bucket" {
  description = "Bucket of the vector store. Put exports under exports/ here."
  value       = one([for role, bucket in local.buckets : bucket.name if role == "store"])

  precondition {
    condition     = !contains([for role, name in local.bucket_names : name if role != "store"], coalesce(var.store_bucket, "-"))
    error_message = "store_bucket must be neither the ingestion bucket nor the reports bucket: its lifecycle rules and permissions differ. Name another one."
  }
}

output "embed_consumer" {
  description = "Who embeds exports: lambda or ecs."
  value       = local.deployed.vector_store ? var.embed_consumer : null
}

output "queue_mode" {
  description = "What the queues of changes are: standard or fifo."
  value       = local.deployed.vector_store ? var.queue_mode : null
}

output "embed_queue_url" {
  description = "Queue of the exports to embed."
  value       = one(module.vector_store[*].embed_queue_url)
}

output "lines_queue_url" {
  description = "Queue of the changes of lines."
  value       = one(module.vector_store[*].change_queue_urls["lines"])
}

output "words_queue_url" {
  description = "Queue of the changes of words."
  value       = one(module.vector_store[*].change_queue_urls["words"])
}

output "vector_dead_letter_queue_urls" {
  description = "Queues with what the vector store could not handle: changes, exports to embed, and records of the stream."
  value       = one(module.vector_store[*].dead_letter_queue_urls)
}

output "vector_functions" {
  description = "Names of the vector store's functions that a person calls: search, check, collect and overdue."
  value       = one(module.vector_store[*].functions)
}
