# A table that an application writes and a workflow hears of: made here, or found and held to what the workflow needs.

locals {
  keys        = compact([var.hash_key, var.range_key])
  stream_view = "NEW_AND_OLD_IMAGES" # what changed is seen only in both

  table = one(concat(
    [for table in module.table : { name = table.name, arn = table.arn, stream_arn = table.stream_arn }],
    [for table in data.aws_dynamodb_table.found : { name = table.name, arn = table.arn, stream_arn = table.stream_arn }],
  ))
}

module "table" {
  source = "../table"
  count  = var.table.create ? 1 : 0

  name                     = var.table.name
  hash_key                 = var.hash_key
  range_key                = var.range_key
  global_secondary_indexes = var.global_secondary_indexes
  stream_view_type         = local.stream_view
  deletion_protection      = var.table.protected
  kms_key_arn              = var.kms_key_arn
}

data "aws_dynamodb_table" "found" {
  count = var.table.create ? 0 : 1

  name = var.table.name

  lifecycle {
    postcondition {
      condition     = compact([self.hash_key, self.range_key]) == local.keys
      error_message = "Table ${var.table.name} is found by ${join(" and ", compact([self.hash_key, self.range_key]))}, and a table of ${var.items} by ${join(" and ", local.keys)}${length(local.keys) == 1 ? " alone" : ""}. Name another one in ${var.variable}."
    }

    postcondition {
      condition     = self.stream_enabled == true && self.stream_view_type == local.stream_view
      error_message = "Table ${var.table.name} has no stream with both images of a change, from which ${var.workflow} hears of changes. Turn it on, after turning off another one it may have: aws dynamodb update-table --table-name ${var.table.name} --stream-specification StreamEnabled=true,StreamViewType=${local.stream_view}"
    }
  }
}
