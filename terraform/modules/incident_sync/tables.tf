# The table of incidents, made here or found, and what each of them waits for.

locals {
  incidents = one(concat(
    [for table in module.incidents : { name = table.name, arn = table.arn, stream_arn = table.stream_arn }],
    [for table in data.aws_dynamodb_table.incidents : { name = table.name, arn = table.arn, stream_arn = table.stream_arn }],
  ))
  stream_view = "NEW_AND_OLD_IMAGES" # what changed is seen only in both
  waiting     = "waits-for-index"
}

module "incidents" {
  source = "../table"
  count  = var.table.create ? 1 : 0

  name                = var.table.name
  hash_key            = "incident_id"
  stream_view_type    = local.stream_view
  deletion_protection = var.table.protected
  kms_key_arn         = var.kms_key_arn

  # For the people and programs that ask by status; nothing here does.
  global_secondary_indexes = {
    status-priority-index = { hash_key = "status", range_key = "priority" }
  }
}

data "aws_dynamodb_table" "incidents" {
  count = var.table.create ? 0 : 1

  name = var.table.name

  lifecycle {
    postcondition {
      condition     = self.hash_key == "incident_id" && try(coalesce(self.range_key), null) == null
      error_message = "Table ${var.table.name} is found by ${join(" and ", compact([self.hash_key, self.range_key]))}, and a table of incidents by incident_id alone. Name another one in incidents_table."
    }

    postcondition {
      condition     = self.stream_enabled == true && self.stream_view_type == local.stream_view
      error_message = "Table ${var.table.name} has no stream with both images of a change, from which incident_sync hears of changes. Turn it on, after turning off another one it may have: aws dynamodb update-table --table-name ${var.table.name} --stream-specification StreamEnabled=true,StreamViewType=${local.stream_view}"
    }
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
