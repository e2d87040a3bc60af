variable "name" {
  description = "Name of the schedule."
  type        = string
}

variable "role_name" {
  description = "Name of its role, where the schedule's is taken: a function's role has the function's name. Null is the schedule's."
  type        = string
  default     = null
}

variable "description" {
  description = "What a call does, in a sentence for the console."
  type        = string
}

variable "expression" {
  description = "When it calls: rate(5 minutes), cron(0 * * * ? *). A rate of one has its unit in the singular."
  type        = string
}

variable "target_arn" {
  description = "ARN of the function or the state machine that it calls."
  type        = string
}

variable "action" {
  description = "What calling it asks for: \"lambda:InvokeFunction\" of a function, \"states:StartExecution\" of a state machine."
  type        = string

  validation {
    condition     = contains(["lambda:InvokeFunction", "states:StartExecution"], var.action)
    error_message = "action must be \"lambda:InvokeFunction\" or \"states:StartExecution\"."
  }
}

variable "input" {
  description = "What the call says, as JSON."
  type        = string
  default     = "{}"
}

variable "maximum_event_age_seconds" {
  description = "How late a call may be before it is given up; no longer than the time to the next one."
  type        = number
}
