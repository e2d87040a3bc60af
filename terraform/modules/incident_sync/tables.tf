# The table of incidents, made here or found, and what each of them waits for.

locals {
  waiting = "waits-for-index"
}

module "incidents_table" {
  source = "../application_table"

  table       = var.table
  hash_key    = "incident_id"
  items       = "incidents"
  variable    = "incidents_table"
  workflow    = "incident_sync"
  kms_key_arn = var.kms_key_arn

  # For the people and programs that ask by status; nothing here does.
  global_secondary_indexes = {
    status-priority-index = { hash_key = "status", range_key = "priority" }
  }
}

# One item for each incident that was ever closed, and the lease of the pass. An incident that waits for nothing is not in
# the index, so what a pass reads is what it works.
module "table" {
  source = "../table"

  name          = local.name
  hash_key      = "id"
  ttl_attribute = "expiresAt"
  kms_key_arn   = var.kms_key_arn

  global_secondary_indexes = {
    (local.waiting) = { hash_key = "waits_for", range_key = "since" }
  }
}
