variable "name" {
  description = "Name of the queue, without the .fifo that SQS asks of a FIFO queue's name."
  type        = string
}

variable "fifo" {
  description = "True keeps the order within a message group and drops what repeats a deduplication id of its group within five minutes: a sender that repeats a message must name the same group."
  type        = bool
  default     = false
}

variable "visibility_timeout_seconds" {
  description = "How long a received message is hidden from other receivers."
  type        = number
  default     = 30
}

variable "redrive" {
  description = "Where a message goes that was received max_receive_count times and never deleted. Null keeps offering it."
  type = object({
    dead_letter_queue_arn = string
    max_receive_count     = number
  })
  default = null
}

variable "dead_letters_of" {
  description = "ARNs of the queues, ten at most, that alone may send their dead letters here. Null lets every queue of the account."
  type        = list(string)
  default     = null
}

variable "senders" {
  description = "AWS services that may send, and the resources that they may do it for: { \"events.amazonaws.com\" = [<ARN of a rule>] }."
  type        = map(list(string))
  default     = {}
}

variable "kms_key_arn" {
  description = "Key that encrypts the messages. Null uses SQS-managed keys."
  type        = string
  default     = null
}
