# The table of receipts, made here or found, and what the stores are made of: pointers, deltas and the lease.

locals {
  pending = "pending-index"
  aside   = "aside-index"
}

module "receipts_table" {
  source = "../application_table"

  table       = var.receipts_table
  hash_key    = "pk"
  range_key   = "sk"
  items       = "receipts"
  variable    = "receipts_table"
  workflow    = "vector_store"
  kms_key_arn = var.kms_key_arn
}

# Both indexes are sparse: a delta that is done is in neither, so what is read there is what waits, or waits for a person.
module "table" {
  source = "../table"

  name          = local.name
  hash_key      = "id"
  ttl_attribute = "expiresAt"
  kms_key_arn   = var.kms_key_arn

  global_secondary_indexes = {
    (local.pending) = { hash_key = "pending", range_key = "since" }
    (local.aside)   = { hash_key = "aside", range_key = "since" }
  }
}
