locals {
  every_table = {
    jobs     = { hash_key = "jobId", ttl_attribute = "expiresAt" }
    ledger   = { hash_key = "id" }
    progress = { option = "sqs", hash_key = "job", range_key = "part", ttl_attribute = "expiresAt" }
  }
  tables = {
    for name, table in local.every_table : name => table
    if lookup(table, "option", var.deploy_option) == var.deploy_option
  }
}

module "table" {
  source   = "../table"
  for_each = local.tables

  name          = "${var.name_prefix}-${each.key}"
  hash_key      = each.value.hash_key
  range_key     = lookup(each.value, "range_key", null)
  ttl_attribute = lookup(each.value, "ttl_attribute", null)
  kms_key_arn   = var.kms_key_arn
}
