variable "name" {
  description = "Name of the state machine; its role and log group are named for it."
  type        = string
}

variable "definition" {
  description = "Path of the definition: valid JSON, with placeholders such as $${jobs_table} inside its strings. A placeholder that is the whole value of a MaxConcurrency becomes a number."
  type        = string
}

variable "parts" {
  description = "Paths of files with States that join the definition's, with placeholders as there: what several machines have in common. No two of them, nor one and the definition, may have a state of the same name."
  type        = list(string)
  default     = []
}

variable "replacements" {
  description = "Path of a file with States that stand in place of the definition's, or its parts', states of the same names, with placeholders as there. Null replaces none."
  type        = string
  default     = null
}

variable "substitutions" {
  description = "What each placeholder of the definition stands for, as it is with its parts and replacements. Each must occur in it, and each of its placeholders must be here."
  type        = map(string)
}

variable "policy" {
  description = "What the machine may do beyond writing its own logs and traces, as policy JSON with exact actions and resources."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the logs of executions are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key of the machine's executions and logs, and of the data that it reads and writes. Null uses AWS's keys."
  type        = string
  default     = null
}
