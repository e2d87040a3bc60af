variable "aws_region" {
  description = "Region that everything is deployed to, for example eu-west-1. The Kendra index or the knowledge base must be there too."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region must be a region's code such as eu-west-1, not its display name."
  }
}

variable "name_prefix" {
  description = "Begins the name of every resource. Roles are known account-wide, so two deployments in one account need different prefixes, whatever their regions."
  type        = string
  default     = "millrace"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name_prefix))
    error_message = "name_prefix must be 1 to 30 lowercase letters, digits and dashes, begin with a letter and not end in a dash."
  }
}

variable "workflows" {
  description = "What is deployed: \"kendra_ingestion\", which brings documents to a Kendra index or a knowledge base, and \"kb_sync\", which keeps knowledge bases up to date with their buckets. What belongs to another workflow needs no value."
  type        = set(string)
  default     = ["kendra_ingestion"]

  validation {
    condition     = length(var.workflows) > 0 && alltrue([for name in var.workflows : contains(["kendra_ingestion", "kb_sync"], name)])
    error_message = "workflows must be \"kendra_ingestion\", \"kb_sync\" or both, as a list: [\"kb_sync\"]."
  }
}

variable "ingestion_bucket" {
  description = "For workflow kendra_ingestion: name of the bucket that teams drop documents and manifests into. Created unless create_ingestion_bucket is false."
  type        = string
  default     = null

  validation {
    condition     = var.ingestion_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.ingestion_bucket))
    error_message = "ingestion_bucket must be a bucket's name (3 to 63 lowercase letters, digits, dots and dashes), without s3:// or a path."
  }
}

variable "create_ingestion_bucket" {
  description = "True creates the ingestion bucket. False uses one that exists: its encryption, policy and lifecycle stay its owner's, and see enable_eventbridge_on_existing_bucket for its events."
  type        = bool
  default     = true
}

variable "enable_eventbridge_on_existing_bucket" {
  description = "Only for an existing ingestion bucket, which must send its events to EventBridge or no manifest starts anything. False leaves that to its owner. True turns it on here, and replaces the bucket's whole notification configuration: any topic, queue or function that it notifies today is dropped."
  type        = bool
  default     = false
}

variable "reports_bucket" {
  description = "For workflow kendra_ingestion: name of the bucket for reports, archived manifests and the pipeline's own part files. Not the ingestion bucket. Created unless create_reports_bucket is false."
  type        = string
  default     = null

  validation {
    condition     = var.reports_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.reports_bucket))
    error_message = "reports_bucket must be a bucket's name (3 to 63 lowercase letters, digits, dots and dashes), without s3:// or a path."
  }
}

variable "create_reports_bucket" {
  description = "True creates the reports bucket. False uses one that exists: expiring _archive/, _work/ and what is tagged millrace=part is then its owner's task, since a lifecycle configuration set here would replace the owner's."
  type        = bool
  default     = true
}

variable "force_destroy" {
  description = "True lets terraform destroy delete the buckets it created together with every document and report in them. Meant for trials; leave false where the content matters."
  type        = bool
  default     = false
}

variable "sink" {
  description = "Where documents go. \"kendra\": the index of kendra_index_id. \"bedrock\": the knowledge base of knowledge_base_id, through its custom data source of data_source_id."
  type        = string
  default     = "kendra"

  validation {
    condition     = contains(["kendra", "bedrock"], var.sink)
    error_message = "sink must be \"kendra\" or \"bedrock\"."
  }
}

variable "kendra_index_id" {
  description = "For sink \"kendra\": id of the existing Kendra index that documents go to, the 36 characters at the end of its ARN."
  type        = string
  default     = null

  validation {
    condition     = var.kendra_index_id == null || can(regex("^[a-zA-Z0-9][a-zA-Z0-9-]{35}$", var.kendra_index_id))
    error_message = "kendra_index_id must be the index's id (36 letters, digits and dashes), not its name or ARN: aws kendra list-indices shows it."
  }
}

variable "knowledge_base_id" {
  description = "For sink \"bedrock\": id of the existing knowledge base that documents go to. Its own role must be allowed to read batches/ in the ingestion bucket: documents without metadata go by their place in S3."
  type        = string
  default     = null

  validation {
    condition     = var.knowledge_base_id == null || can(regex("^[0-9a-zA-Z]{10}$", var.knowledge_base_id))
    error_message = "knowledge_base_id must be the knowledge base's id (10 letters and digits), not its name or ARN: aws bedrock-agent list-knowledge-bases shows it."
  }
}

variable "data_source_id" {
  description = "For sink \"bedrock\": id of the knowledge base's data source that documents go through; its type must be CUSTOM."
  type        = string
  default     = null

  validation {
    condition     = var.data_source_id == null || can(regex("^[0-9a-zA-Z]{10}$", var.data_source_id))
    error_message = "data_source_id must be the data source's id (10 letters and digits), not its name: aws bedrock-agent list-data-sources --knowledge-base-id <id> shows it."
  }
}

variable "attribute_types" {
  description = "For sink \"bedrock\": the attributes that documents may carry, and the type of each: STRING_VALUE, STRING_LIST_VALUE, LONG_VALUE or DATE_VALUE, as Kendra's index has them. A document with another attribute or type is a failure. Empty takes any attribute."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([
      for type in values(var.attribute_types) : contains(["STRING_VALUE", "STRING_LIST_VALUE", "LONG_VALUE", "DATE_VALUE"], type)
    ])
    error_message = "Each type in attribute_types must be STRING_VALUE, STRING_LIST_VALUE, LONG_VALUE or DATE_VALUE."
  }
}

variable "deploy_option" {
  description = "What brings the planned documents to the sink. \"sfn\": a Map in the state machine, over chunks of many requests. \"sqs\": FIFO queues, one request a message, and workers at the queues. All before and after is the same."
  type        = string
  default     = "sfn"

  validation {
    condition     = contains(["sfn", "sqs"], var.deploy_option)
    error_message = "deploy_option must be \"sfn\" or \"sqs\"."
  }
}

variable "max_concurrency" {
  description = "For deploy_option \"sfn\": how many chunks of documents are sent at once. They share sink_requests_per_second: more of them hide latency, they do not raise the rate."
  type        = number
  default     = 2

  validation {
    condition     = contains([1, 2, 3, 4], var.max_concurrency)
    error_message = "max_concurrency must be 1, 2, 3 or 4."
  }
}

variable "put_concurrency" {
  description = "For deploy_option \"sqs\": how many workers put documents at once, and how many message groups they get them in. They share sink_requests_per_second."
  type        = number
  default     = 2

  validation {
    condition     = contains([2, 3, 4], var.put_concurrency)
    error_message = "put_concurrency must be 2, 3 or 4: Lambda limits no queue's function to one at once."
  }
}

variable "delete_concurrency" {
  description = "For deploy_option \"sqs\": how many workers delete documents at once, and how many message groups they get them in. They share sink_requests_per_second."
  type        = number
  default     = 4

  validation {
    condition     = contains([4, 5, 6, 7, 8], var.delete_concurrency)
    error_message = "delete_concurrency must be 4, 5, 6, 7 or 8."
  }
}

variable "sink_requests_per_second" {
  description = "Requests a second that the whole pipeline sends to each of the sink's operations: putting, deleting, asking. Set it to your account's quota, which is 5 for Bedrock; when the sink throttles nevertheless, the workers slow down by themselves."
  type        = number
  default     = 5

  validation {
    condition     = var.sink_requests_per_second > 0 && var.sink_requests_per_second <= 1000
    error_message = "sink_requests_per_second must be above 0 and at most 1000; fractions are allowed (0.5 is one request every two seconds)."
  }
}

variable "verification_deadline_seconds" {
  description = "How long, after sending, to ask the sink about documents that it has not finished. Those still unanswered are then reported as unverified. 0 turns the asking off."
  type        = number
  default     = 3600

  validation {
    condition = (
      var.verification_deadline_seconds >= 0
      && var.verification_deadline_seconds <= 86400
      && floor(var.verification_deadline_seconds) == var.verification_deadline_seconds
    )
    error_message = "verification_deadline_seconds must be a whole number from 0 (off) to 86400 (a day)."
  }
}

variable "archive_expiry_days" {
  description = "Days until an archived manifest under _archive/ in the reports bucket expires."
  type        = number
  default     = 90

  validation {
    condition = (
      var.archive_expiry_days >= 30
      && var.archive_expiry_days <= 90
      && floor(var.archive_expiry_days) == var.archive_expiry_days
    )
    error_message = "archive_expiry_days must be a whole number from 30 to 90."
  }
}

variable "sync_sources" {
  description = "For workflow kb_sync: the data sources to keep up to date, by a name for each. Knowledge base, data source and bucket exist; the prefix is the data source's own inclusion prefix, and \"\" means the whole bucket. See enable_eventbridge_on_data_buckets for the buckets' events."
  type = map(object({
    knowledge_base_id = string
    data_source_id    = string
    bucket            = string
    prefix            = optional(string, "")
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.sync_sources) : can(regex("^[a-z0-9-]{1,25}$", name))])
    error_message = "Each name in sync_sources must be 1 to 25 lowercase letters, digits and dashes: it ends the names of a rule, a queue and a pipe."
  }

  validation {
    condition = length(setintersection(
      keys(var.sync_sources), ["dead-letters", "ended", "failed", "metrics", "sweep", "sweeper", "tick"],
    )) == 0
    error_message = "No name in sync_sources may be dead-letters, ended, failed, metrics, sweep, sweeper or tick: other resources end in these."
  }

  validation {
    condition = alltrue([
      for source in values(var.sync_sources) :
      can(regex("^[0-9a-zA-Z]{10}$", source.knowledge_base_id)) && can(regex("^[0-9a-zA-Z]{10}$", source.data_source_id))
    ])
    error_message = "knowledge_base_id and data_source_id in sync_sources must be ids (10 letters and digits), not names or ARNs: aws bedrock-agent list-knowledge-bases and list-data-sources show them."
  }

  validation {
    condition = alltrue([
      for source in values(var.sync_sources) : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", source.bucket))
    ])
    error_message = "bucket in sync_sources must be a bucket's name (3 to 63 lowercase letters, digits, dots and dashes), without s3:// or a path."
  }

  validation {
    condition = alltrue([
      for source in values(var.sync_sources) : source.prefix != null && !can(regex("^/|^s3:|[*]", source.prefix))
    ])
    error_message = "prefix in sync_sources must be the beginning of the objects' keys such as handbook/, without a leading slash, s3:// or *; leave it out for the whole bucket."
  }
}

variable "enable_eventbridge_on_data_buckets" {
  description = "Only for workflow kb_sync, whose data buckets must send their events to EventBridge or no upload asks for a sync. False leaves that to their owners. True turns it on here, and replaces each bucket's whole notification configuration: any topic, queue or function that it notifies today is dropped."
  type        = bool
  default     = false
}

variable "sync_batching_window_seconds" {
  description = "For workflow kb_sync: how long uploads and deletions are collected before they become one request for a sync. A thousand of them end the wait."
  type        = number
  default     = 10

  validation {
    condition = (
      var.sync_batching_window_seconds >= 1
      && var.sync_batching_window_seconds <= 300
      && floor(var.sync_batching_window_seconds) == var.sync_batching_window_seconds
    )
    error_message = "sync_batching_window_seconds must be a whole number from 1 to 300, what EventBridge Pipes offers for batches of this size."
  }
}

variable "sync_poll_seconds" {
  description = "For workflow kb_sync: how long an execution waits before it looks again at an ingestion job, or at another execution's work."
  type        = number
  default     = 10

  validation {
    condition = (
      var.sync_poll_seconds >= 1 && var.sync_poll_seconds <= 300 && floor(var.sync_poll_seconds) == var.sync_poll_seconds
    )
    error_message = "sync_poll_seconds must be a whole number from 1 to 300."
  }
}

variable "sync_seconds_between_starts" {
  description = "For workflow kb_sync: how far apart one data source's ingestion jobs are started. Bedrock takes one start in 10 seconds, account-wide; set it to your account's quota."
  type        = number
  default     = 10

  validation {
    condition = (
      var.sync_seconds_between_starts >= 1
      && var.sync_seconds_between_starts <= 3600
      && floor(var.sync_seconds_between_starts) == var.sync_seconds_between_starts
    )
    error_message = "sync_seconds_between_starts must be a whole number from 1 to 3600."
  }
}

variable "sync_sweep_minutes" {
  description = "For workflow kb_sync: how often the clock looks for requests that no execution serves, such as those of a job that failed. It is how long they wait at most."
  type        = number
  default     = 5

  validation {
    condition = (
      var.sync_sweep_minutes >= 1 && var.sync_sweep_minutes <= 1440 && floor(var.sync_sweep_minutes) == var.sync_sweep_minutes
    )
    error_message = "sync_sweep_minutes must be a whole number from 1 to 1440 (a day)."
  }
}

variable "sync_pending_alarm_minutes" {
  description = "For workflow kb_sync: how old a request that is not covered may be before the notifications topic is told. More than your longest ingestion job takes, twice: a request may have to wait for the job before its own."
  type        = number
  default     = 60

  validation {
    condition = (
      var.sync_pending_alarm_minutes >= 5
      && var.sync_pending_alarm_minutes <= 10080
      && floor(var.sync_pending_alarm_minutes) == var.sync_pending_alarm_minutes
    )
    error_message = "sync_pending_alarm_minutes must be a whole number from 5, as often as it is measured, to 10080 (a week)."
  }
}

variable "kms_key_arn" {
  description = "ARN of a symmetric KMS key of this region that encrypts the buckets, tables, queues, topic, logs, executions and function settings. Null uses S3-managed and AWS-managed keys. docs/decisions/customer-key.md says what the key's own policy must allow. A bucket that exists must use this key, or none of KMS."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be a key's ARN (arn:aws:kms:<region>:<account>:key/<id>), not an alias: aws kms describe-key --key-id alias/<name> shows it."
  }
}

variable "log_retention_days" {
  description = "Days that the logs of functions and executions are kept."
  type        = number
  default     = 90

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days,
    )
    error_message = "log_retention_days must be one that CloudWatch Logs offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "notification_email" {
  description = "Address that is told of every finished and failed job; AWS sends it a message to confirm first. Null subscribes nobody: use the topic of the output notifications_topic_arn."
  type        = string
  default     = null

  validation {
    condition     = var.notification_email == null || can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.notification_email))
    error_message = "notification_email must be one e-mail address such as search-team@example.com, or null."
  }
}

variable "package_dir" {
  description = "Folder with the zips that `make package` builds, absolute or relative to the folder that Terraform runs in."
  type        = string
  default     = "../build"
}
