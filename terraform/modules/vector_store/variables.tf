variable "name_prefix" {
  description = "Begins the name of every resource."
  type        = string
}

variable "store_bucket" {
  description = "Bucket with deltas, snapshots, records of runs and exports."
  type = object({
    name = string
    arn  = string
  })

  validation {
    condition     = var.store_bucket != null
    error_message = "Workflow vector_store needs store_bucket, the name of the bucket for deltas and snapshots."
  }
}

variable "receipts_table" {
  description = "The table of receipts: its name, whether it is made here, and whether AWS then refuses to delete it."
  type = object({
    name      = string
    create    = bool
    protected = bool
  })
}

variable "image_uri" {
  description = "Container image of the functions that open Chroma, in ECR of this region."
  type        = string

  validation {
    condition     = var.image_uri != null
    error_message = "Workflow vector_store needs vector_store_image_uri, the container image of the functions that open Chroma: `make images` builds it, pushes it to ECR and writes its URI to terraform/images.auto.tfvars.json."
  }
}

variable "embed" {
  description = "Who embeds exports, and how: `consumer` is \"lambda\", or \"ecs\" with the image, subnets and security groups of its task; calls to Bedrock at once and a second; numbers of a vector."
  type = object({
    consumer            = string
    image_uri           = optional(string)
    subnet_ids          = optional(list(string), [])
    security_group_ids  = optional(list(string), [])
    assign_public_ip    = optional(bool, false)
    concurrency         = number
    requests_per_second = number
    dimension           = number
  })

  validation {
    condition     = contains(["lambda", "ecs"], var.embed.consumer)
    error_message = "A consumer is \"lambda\" or \"ecs\"."
  }

  validation {
    condition     = var.embed.consumer != "ecs" || var.embed.image_uri != null
    error_message = "embed_consumer = \"ecs\" needs embed_image_uri, the container image of its task: `make images` builds it, pushes it to ECR and writes its URI to terraform/images.auto.tfvars.json."
  }

  validation {
    condition     = var.embed.consumer != "ecs" || (length(var.embed.subnet_ids) > 0 && length(var.embed.security_group_ids) > 0)
    error_message = "embed_consumer = \"ecs\" needs embed_subnet_ids and embed_security_group_ids, where its task runs: aws ec2 describe-subnets and describe-security-groups show them. From there it must reach SQS, DynamoDB, S3, Bedrock, ECR and CloudWatch Logs, by a NAT gateway, by VPC endpoints, or in a public subnet with embed_assign_public_ip = true."
  }

  validation {
    condition = var.embed.consumer != "lambda" || (
      length(var.embed.subnet_ids) == 0 && length(var.embed.security_group_ids) == 0 && !var.embed.assign_public_ip
    )
    error_message = "embed_subnet_ids, embed_security_group_ids and embed_assign_public_ip say where a task of ECS runs, and embed_consumer is \"lambda\". Leave them out, or set embed_consumer = \"ecs\"."
  }
}

variable "export_buckets" {
  description = "Names of further buckets that exports may be read from; those under exports/ in the store's bucket always may."
  type        = set(string)
}

variable "queue_mode" {
  description = "What the queues of changes are: \"standard\" or \"fifo\"."
  type        = string
}

variable "change_batching_window_seconds" {
  description = "For standard queues: how long changes are collected before they become one delta."
  type        = number
}

variable "compact" {
  description = "Memory and /tmp of the functions in the image, in MB. /tmp holds a snapshot three times."
  type = object({
    memory_mb  = number
    storage_mb = number
  })
}

variable "compaction" {
  description = "How long an execution waits before it looks again, how far apart the starts of one collection's compactions are, and how often the clock looks for requests that no execution serves."
  type = object({
    poll_seconds           = number
    seconds_between_starts = number
    sweep_minutes          = number
  })
}

variable "overdue_minutes" {
  description = "How old a pending delta may be before a compaction is asked for again; at four times that somebody is told."
  type        = number
}

variable "snapshot_retention_days" {
  description = "Days that a snapshot is kept after it was written. The last three always are."
  type        = number
}

variable "notifications_topic_arn" {
  description = "Topic that is told of failed executions and hears the alarms."
  type        = string
}

variable "package" {
  description = "Path of the zip with the functions' code."
  type        = string
}

variable "layers" {
  description = "ARNs of the layers with what the functions in a zip need beyond their runtime."
  type        = list(string)
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts everything of the workflow. Null uses AWS's keys."
  type        = string
  default     = null
}
