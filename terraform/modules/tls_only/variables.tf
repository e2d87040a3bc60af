variable "actions" {
  description = "What is refused over plain HTTP. A refusal is the one place where every action of a service may be meant: [\"s3:*\"]."
  type        = list(string)
}

variable "resources" {
  description = "ARNs of what is protected."
  type        = list(string)
}
