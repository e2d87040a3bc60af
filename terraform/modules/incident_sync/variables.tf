variable "name_prefix" {
  description = "Begins the names of resources."
  type        = string
}

variable "incident_name_prefix" {
  description = "Begins the names that people know by themselves, without name_prefix: batch function, alarms, dashboard, and the metrics' service. Empty leaves them as they are."
  type        = string
}

variable "place" {
  description = "Where the incidents' objects go: the name of a data source in `sources`, all of kb_sync's, and a prefix under that source's own."
  type = object({
    source = string
    prefix = string
    sources = map(object({
      knowledge_base_id = string
      data_source_id    = string
      bucket            = string
      prefix            = string
    }))
  })

  validation {
    condition     = var.place.source != null
    error_message = "Workflow incident_sync needs incident_source, the name in sync_sources of the data source that reads the incidents: one of ${join(", ", keys(var.place.sources))}."
  }

  validation {
    condition     = var.place.source == null || contains(keys(var.place.sources), coalesce(var.place.source, "-"))
    error_message = "incident_source is ${coalesce(var.place.source, "not named")}, and sync_sources has ${join(", ", keys(var.place.sources))}. Name one of these, or add it there."
  }

  validation {
    condition     = startswith(var.place.prefix, try(var.place.sources[var.place.source].prefix, ""))
    error_message = "incident_prefix ${var.place.prefix} does not lie under ${try(var.place.sources[var.place.source].prefix, "")}, the prefix of ${coalesce(var.place.source, "the source")} in sync_sources, so no ingestion job would read the incidents. Begin incident_prefix with it, or shorten it there."
  }
}

variable "table" {
  description = "The table of incidents: its name, whether it is made here, and whether AWS then refuses to delete it."
  type = object({
    name      = string
    create    = bool
    protected = bool
  })
}

variable "fields" {
  description = "The attributes of an incident that are read, beside its id and its status: texts to search, attributes to filter by, dates."
  type = object({
    text      = list(string)
    attribute = list(string)
    date      = list(string)
  })

  validation {
    condition     = length(distinct(flatten(values(var.fields)))) == length(flatten(values(var.fields)))
    error_message = "incident_text_fields, incident_attribute_fields and incident_date_fields name an attribute twice, and each is read in one way: ${join(", ", flatten(values(var.fields)))}. Leave one of the two out."
  }

  validation {
    condition     = length(setintersection(flatten(values(var.fields)), [for name in var.fields.date : "${name}_epoch"])) == 0
    error_message = "incident_text_fields, incident_attribute_fields and incident_date_fields name ${join(", ", setintersection(flatten(values(var.fields)), [for name in var.fields.date : "${name}_epoch"]))}, as a date's seconds since 1970 are called in the metadata. Leave it out."
  }

  validation {
    condition     = length(flatten(values(var.fields))) <= 49
    error_message = "incident_text_fields, incident_attribute_fields and incident_date_fields name ${length(flatten(values(var.fields)))} attributes, and a mark can compare 49 of them at most. Leave some out."
  }
}

variable "kb_sync" {
  description = "The state machine that brings the knowledge base up to date, and a pattern for the ARNs of its executions."
  type = object({
    state_machine_arn = string
    executions_arn    = string
  })
}

variable "schedule" {
  description = "When runs start by themselves, as EventBridge Scheduler writes it."
  type        = string
}

variable "passes" {
  description = "How many passes of up to 50 incidents a run makes at most."
  type        = number
}

variable "pass_seconds" {
  description = "Time limit of a pass. One that died is waited for that long."
  type        = number
}

variable "duration_alarm_minutes" {
  description = "How long a run may take before somebody is told."
  type        = number
}

variable "notifications_topic_arn" {
  description = "Topic that hears the alarms."
  type        = string
}

variable "package" {
  description = "Path of the zip with the functions' code."
  type        = string
}

variable "layers" {
  description = "ARNs of the layers with what the functions need beyond their runtime."
  type        = list(string)
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts everything of the workflow. Null uses AWS's keys."
  type        = string
  default     = null
}
