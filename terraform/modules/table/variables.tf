variable "name" {
  description = "Name of the table."
  type        = string
}

variable "hash_key" {
  description = "Attribute that finds an item, a string."
  type        = string
}

variable "range_key" {
  description = "Attribute that orders the items of one hash_key, a string. Null where hash_key alone finds an item."
  type        = string
  default     = null
}

variable "ttl_attribute" {
  description = "Attribute with the time, in seconds since 1970, from which an item may be forgotten. Null keeps items for ever."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "Key that encrypts the table. Null uses DynamoDB's key in this account."
  type        = string
  default     = null
}
