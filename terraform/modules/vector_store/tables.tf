# The table of receipts, made here or found, and what the stores are made of: pointers, deltas and the lease.

locals {
  receipts = one(concat(
    [for table in module.receipts : { name = table.name, arn = table.arn, stream_arn = table.stream_arn }],
    [for table in data.aws_dynamodb_table.receipts : { name = table.name, arn = table.arn, stream_arn = table.stream_arn }],
  ))
  receipts_key = ["pk", "sk"]
  stream_view  = "NEW_AND_OLD_IMAGES" # what changed is seen only in both
  pending      = "pending-index"
  aside        = "aside-index"
}

module "receipts" {
  source = "../table"
  count  = var.receipts_table.create ? 1 : 0

  name                = var.receipts_table.name
  hash_key            = local.receipts_key[0]
  range_key           = local.receipts_key[1]
  stream_view_type    = local.stream_view
  deletion_protection = var.receipts_table.protected
  kms_key_arn         = var.kms_key_arn
}

data "aws_dynamodb_table" "receipts" {
  count = var.receipts_table.create ? 0 : 1

  name = var.receipts_table.name

  lifecycle {
    postcondition {
      condition     = [self.hash_key, try(coalesce(self.range_key), "")] == local.receipts_key
      error_message = "Table ${var.receipts_table.name} is found by ${join(" and ", compact([self.hash_key, self.range_key]))}, and a table of receipts by pk and sk. Name another one in receipts_table."
    }

    postcondition {
      condition     = self.stream_enabled == true && self.stream_view_type == local.stream_view
      error_message = "Table ${var.receipts_table.name} has no stream with both images of a change, from which vector_store hears of changes. Turn it on, after turning off another one it may have: aws dynamodb update-table --table-name ${var.receipts_table.name} --stream-specification StreamEnabled=true,StreamViewType=${local.stream_view}"
    }
  }
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
