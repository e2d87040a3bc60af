variable "table" {
  description = "The table's name, whether it is made here, and whether AWS then refuses to delete it."
  type = object({
    name      = string
    create    = bool
    protected = bool
  })
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
  description = "Other ways to find items of a table that is made here, as modules/table takes them. One that is found needs none."
  type = map(object({
    hash_key  = string
    range_key = optional(string)
  }))
  default = {}
}

variable "items" {
  description = "What the table's items are, in the plural, as a refusal says it: incidents."
  type        = string
}

variable "variable" {
  description = "The root variable that names the table: what a refusal says to change."
  type        = string
}

variable "workflow" {
  description = "The workflow that hears of the changes, as a refusal says it."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts a table that is made here. Null uses DynamoDB's key in this account."
  type        = string
  default     = null
}
