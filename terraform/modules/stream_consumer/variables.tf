variable "stream_arn" {
  description = "ARN of the table's stream."
  type        = string
}

variable "function_name" {
  description = "Name of the function that hears of the changes. It answers with the records that failed, and its role may do what the output policy says."
  type        = string
}

variable "dead_letter_queue_arn" {
  description = "Queue that is told where in the stream the records are that could not be handled. Lambda sends to no FIFO queue here."
  type        = string
}
