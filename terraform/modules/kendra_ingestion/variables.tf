variable "name_prefix" {
  description = "Begins the name of every resource."
  type        = string
}

variable "ingestion_bucket" {
  description = "Bucket with the documents and manifests; it sends its events to EventBridge."
  type = object({
    name = string
    arn  = string
  })

  validation {
    condition     = var.ingestion_bucket != null
    error_message = "Workflow kendra_ingestion needs ingestion_bucket, the name of the bucket that teams drop documents and manifests into."
  }
}

variable "reports_bucket" {
  description = "Bucket for reports, archived manifests and part files."
  type = object({
    name = string
    arn  = string
  })

  validation {
    condition     = var.reports_bucket != null
    error_message = "Workflow kendra_ingestion needs reports_bucket, the name of the bucket for reports and archived manifests."
  }
}

variable "notifications_topic_arn" {
  description = "Topic that is told of every finished and failed job."
  type        = string
}

variable "sink" {
  description = "Where the documents go: `name` is \"kendra\", with the index's id, or \"bedrock\", with the ids of the knowledge base and its data source, and the type of each attribute that may be sent (none given: any attribute)."
  type = object({
    name              = string
    kendra_index_id   = optional(string)
    knowledge_base_id = optional(string)
    data_source_id    = optional(string)
    attribute_types   = optional(map(string), {})
  })

  validation {
    condition     = contains(["kendra", "bedrock"], var.sink.name)
    error_message = "A sink is \"kendra\" or \"bedrock\"."
  }

  validation {
    condition     = var.sink.name != "kendra" || var.sink.kendra_index_id != null
    error_message = "sink = \"kendra\" needs kendra_index_id, the index that documents go to: aws kendra list-indices shows it."
  }

  validation {
    condition     = var.sink.name != "bedrock" || (var.sink.knowledge_base_id != null && var.sink.data_source_id != null)
    error_message = "sink = \"bedrock\" needs knowledge_base_id and data_source_id: aws bedrock-agent list-knowledge-bases and list-data-sources show them."
  }
}

variable "sink_requests_per_second" {
  description = "Requests a second that the whole pipeline sends to each of the sink's operations."
  type        = number
}

variable "deploy_option" {
  description = "What brings the planned requests to the sink: \"sfn\", the machine's Map over chunks, or \"sqs\", FIFO queues with their workers."
  type        = string

  validation {
    condition     = contains(["sfn", "sqs"], var.deploy_option)
    error_message = "deploy_option must be \"sfn\" or \"sqs\"."
  }
}

variable "max_concurrency" {
  description = "Only for deploy_option \"sfn\": how many chunks are sent at once."
  type        = number
}

variable "put_concurrency" {
  description = "Only for deploy_option \"sqs\": how many workers put documents at once."
  type        = number
}

variable "delete_concurrency" {
  description = "Only for deploy_option \"sqs\": how many workers delete documents at once."
  type        = number
}

variable "verification_deadline_seconds" {
  description = "How long to ask the sink about documents that it has not finished. 0 turns the asking off."
  type        = number
}

variable "package" {
  description = "Path of the zip with the functions' code."
  type        = string
}

variable "layers" {
  description = "ARNs of the layers with what the functions need beyond their runtime."
  type        = list(string)
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts everything of the pipeline. Null uses AWS's keys."
  type        = string
  default     = null
}
