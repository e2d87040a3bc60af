variable "name_prefix" {
  description = "Begins the name of every resource."
  type        = string
}

variable "sources" {
  description = "The data sources to keep up to date, by name: the knowledge base and data source that exist, and the bucket and prefix whose objects they read. With events, an upload or deletion there asks for a sync."
  type = map(object({
    knowledge_base_id = string
    data_source_id    = string
    bucket            = string
    prefix            = string
    events            = bool
  }))

  validation {
    condition     = length(var.sources) > 0
    error_message = "Workflow kb_sync needs sync_sources, the data sources to keep up to date: { handbook = { knowledge_base_id = \"...\", data_source_id = \"...\", bucket = \"...\" } }."
  }
}

variable "batching_window_seconds" {
  description = "How long a source's uploads and deletions are collected before they become one request; a thousand of them end the wait."
  type        = number
}

variable "poll_seconds" {
  description = "How long an execution waits before it looks again at a job, or at another execution's work."
  type        = number
}

variable "seconds_between_starts" {
  description = "How far apart the starts of ingestion jobs are kept."
  type        = number
}

variable "sweep_minutes" {
  description = "How often the clock looks for requests that no execution serves."
  type        = number
}

variable "pending_alarm_minutes" {
  description = "How old a request that is not covered may be before somebody is told."
  type        = number
}

variable "notifications_topic_arn" {
  description = "Topic that is told of failed executions and hears the alarms."
  type        = string
}

variable "package" {
  description = "Path of the zip with the function's code."
  type        = string
}

variable "layers" {
  description = "ARNs of the layers with what the function needs beyond its runtime."
  type        = list(string)
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts everything of the sync. Null uses AWS's keys."
  type        = string
  default     = null
}
