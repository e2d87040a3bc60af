variable "name" {
  description = "Name of the state machine; it begins the names of its sweeper and of what wakes that one."
  type        = string
}

variable "table_name" {
  description = "Name of the table with the requests of every key."
  type        = string
}

variable "definition" {
  description = "Path of the workflow's own states, ReadRequest, StartJob and GetJob among them; those of single flight join them."
  type        = string
}

variable "substitutions" {
  description = "What each placeholder of the workflow's own states stands for, beside those that single flight has itself: partition, table, notifications_topic_arn, failure_subject, poll_seconds and seconds_between_starts."
  type        = map(string)
  default     = {}

  validation {
    condition = length(setintersection(keys(var.substitutions), [
      "partition", "table", "notifications_topic_arn", "failure_subject", "poll_seconds", "seconds_between_starts",
    ])) == 0
    error_message = "partition, table, notifications_topic_arn, failure_subject, poll_seconds and seconds_between_starts are filled in by single flight: leave them out of substitutions."
  }
}

variable "policy" {
  description = "What the job itself asks the machine to do, as policy JSON with exact actions and resources. Table, executions, hand-over, topic, logs, traces and the key are added."
  type        = string
}

variable "poll_seconds" {
  description = "How long an execution waits before it looks again at a job, or at another execution's work."
  type        = number
}

variable "seconds_between_starts" {
  description = "How far apart the starts of a key's jobs are kept."
  type        = number
}

variable "sweep_minutes" {
  description = "How often the clock looks for requests that no execution serves."
  type        = number
}

variable "notifications_topic_arn" {
  description = "Topic that is told of failed executions."
  type        = string
}

variable "failure_subject" {
  description = "Subject of what the topic is told, at most 100 characters."
  type        = string
}

variable "dead_letter_queue_arn" {
  description = "Queue for events of failed executions that could not be delivered to the sweeper. Its policy must let EventBridge send for failed_rule_arn."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the logs of executions are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts the table, the executions and their logs. Null uses AWS's keys."
  type        = string
  default     = null
}
