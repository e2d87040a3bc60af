variable "name" {
  description = "Name of the bucket, unique among all buckets of AWS."
  type        = string
}

variable "eventbridge" {
  description = "True sends the bucket's events to EventBridge."
  type        = bool
  default     = false
}

variable "expiry_days" {
  description = "Days until the objects under a prefix expire, by prefix: { \"_archive/\" = 90 }."
  type        = map(number)
  default     = {}
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
