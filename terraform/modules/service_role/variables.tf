variable "name" {
  description = "Name of the role."
  type        = string
}

variable "description" {
  description = "Who acts with the role, in a sentence for the console."
  type        = string
}

variable "service" {
  description = "The one service that may take the role on: states.amazonaws.com."
  type        = string
}

variable "source_arns" {
  description = "ARNs of the resources that it may do so for: no other resource, of this account or another, makes the service act with the role. A * stands for any characters. Null, for a function's role alone, asks for none."
  type        = list(string)
}

variable "policy" {
  description = "What the role may do beyond using the key, as policy JSON with exact actions and resources."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the data that is read and written with the role, which may then decrypt with it and make data keys. Null adds nothing."
  type        = string
  default     = null
}
