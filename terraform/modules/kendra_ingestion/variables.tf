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
}

variable "reports_bucket" {
  description = "Bucket for reports, archived manifests and part files."
  type = object({
    name = string
    arn  = string
  })
}

variable "notifications_topic_arn" {
  description = "Topic that is told of every finished and failed job."
  type        = string
}

variable "kendra_index_id" {
  description = "Id of the index that documents go to."
  type        = string
}

variable "kendra_requests_per_second" {
  description = "Batch requests a second that the whole pipeline sends to the index."
  type        = number
}

variable "max_concurrency" {
  description = "How many chunks are sent at once."
  type        = number
}

variable "verification_deadline_seconds" {
  description = "How long to ask the index about documents that it has not finished. 0 turns the asking off."
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
