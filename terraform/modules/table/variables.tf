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

variable "global_secondary_indexes" {
  description = "Other ways to find items, by name: as hash_key and range_key find them in the table. An item without one of an index's keys is not in that index; one that is, is there with all of its attributes."
  type = map(object({
    hash_key  = string
    range_key = optional(string)
  }))
  default = {}
}

variable "stream_view_type" {
  description = "What the table's stream tells of each change: NEW_AND_OLD_IMAGES is the whole item before and after. Null makes no stream."
  type        = string
  default     = null
}

variable "ttl_attribute" {
  description = "Attribute with the time, in seconds since 1970, from which an item may be forgotten. Null keeps items for ever."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "True makes AWS refuse to delete the table until an apply has set this to false: for what others own, and nothing here can make again."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "Key that encrypts the table. Null uses DynamoDB's key in this account."
  type        = string
  default     = null
}
