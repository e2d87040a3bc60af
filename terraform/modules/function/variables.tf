variable "name" {
  description = "Name of the function; its role and log group are named for it."
  type        = string
}

variable "description" {
  description = "What the function does, in a sentence for the console."
  type        = string
}

variable "package" {
  description = "Path of the zip with the function's code, as `make package` builds it. Null takes image_uri."
  type        = string
  default     = null
}

variable "image_uri" {
  description = "Container image with the function's code, in ECR of this region. Null takes package."
  type        = string
  default     = null
}

variable "handler" {
  description = "Where the code begins: <package>.<module>.handler. An image is told it as its command."
  type        = string
}

variable "layers" {
  description = "ARNs of the layers with what the code needs beyond its runtime."
  type        = list(string)
  default     = []
}

variable "memory_size" {
  description = "Memory in MB; processor time grows with it, and 1769 is one whole core."
  type        = number
  default     = 512
}

variable "timeout" {
  description = "Seconds until an invocation is cut off, at most 900."
  type        = number
}

variable "reserved_concurrent_executions" {
  description = "How many invocations may run at once; so many of the account's are kept for this function. Null lets it share with the others."
  type        = number
  default     = null
}

variable "ephemeral_storage_size" {
  description = "MB of /tmp, from 512 to 10240. Null leaves Lambda's own 512."
  type        = number
  default     = null
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
  default     = {}
}

variable "policy" {
  description = "What the function may do beyond writing its own logs and traces, as policy JSON with exact actions and resources."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the function's logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key of the function's logs and settings, and of the data that it reads and writes. Null uses AWS's keys."
  type        = string
  default     = null
}
