variable "name" {
  description = "Name of the bucket, unique among all buckets of AWS."
  type        = string
}

variable "eventbridge" {
  description = "True sends the bucket's events to EventBridge."
  type        = bool
  default     = false
}

variable "expiry" {
  description = "What expires, by a name for the rule: the objects under a prefix, or those with a tag, so many days after they were written."
  type = map(object({
    prefix = optional(string)
    tag    = optional(object({ key = string, value = string }))
    days   = number
  }))
  default = {}

  validation {
    condition     = alltrue([for rule in var.expiry : (rule.prefix == null) != (rule.tag == null)])
    error_message = "Each rule of expiry names either a prefix or a tag: one with neither would expire the whole bucket."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts objects by default. Null uses S3-managed keys."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "True lets a destroy delete the bucket together with its objects."
  type        = bool
  default     = false
}
