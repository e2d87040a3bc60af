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
  description = "ARNs of the resources that it may do so for: no other resource, of this account or another, makes the service act with the role. A * stands for any characters."
  type        = list(string)
}

variable "policy" {
  description = "What the role may do, as policy JSON with exact actions and resources."
  type        = string
}
