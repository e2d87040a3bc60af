mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name     = "example-things"
  hash_key = "id"
}

run "survives_mistakes_and_is_encrypted" {
  command = plan

  module {
    source = "./modules/table"
  }

  assert {
    condition = (
      aws_dynamodb_table.this.name == "example-things"
      && aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
      && one(aws_dynamodb_table.this.point_in_time_recovery).enabled
      && one(aws_dynamodb_table.this.server_side_encryption).enabled
    )
    error_message = "The table is not paid by request, recoverable and encrypted."
  }

  assert {
    condition = (
      aws_dynamodb_table.this.hash_key == "id"
      && aws_dynamodb_table.this.range_key == null
      && { for attribute in aws_dynamodb_table.this.attribute : attribute.name => attribute.type } == { id = "S" }
      && length(aws_dynamodb_table.this.ttl) == 0
      && length(aws_dynamodb_table.this.global_secondary_index) == 0
      && aws_dynamodb_table.this.stream_enabled == null
      && aws_dynamodb_table.this.deletion_protection_enabled == null
      && output.stream_arn == null
    )
    error_message = "The table has more than it was given."
  }
}

run "orders_and_forgets_when_told_to" {
  command = plan

  module {
    source = "./modules/table"
  }

  variables {
    range_key     = "part"
    ttl_attribute = "expiresAt"
    kms_key_arn   = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition = (
      aws_dynamodb_table.this.range_key == "part"
      && { for attribute in aws_dynamodb_table.this.attribute : attribute.name => attribute.type } == { id = "S", part = "S" }
    )
    error_message = "The keys are ${jsonencode(aws_dynamodb_table.this.attribute)}."
  }

  assert {
    condition     = one(aws_dynamodb_table.this.ttl).attribute_name == "expiresAt" && one(aws_dynamodb_table.this.ttl).enabled
    error_message = "Items are never forgotten."
  }

  assert {
    condition     = one(aws_dynamodb_table.this.server_side_encryption).kms_key_arn == var.kms_key_arn
    error_message = "The table does not use the key."
  }
}

run "finds_tells_and_stays_when_told_to" {
  command = apply

  module {
    source = "./modules/table"
  }

  variables {
    stream_view_type    = "NEW_AND_OLD_IMAGES"
    deletion_protection = true

    global_secondary_indexes = {
      by-owner = { hash_key = "owner", range_key = "size" }
      by-size  = { hash_key = "size" }
    }
  }

  assert {
    condition = { for index in aws_dynamodb_table.this.global_secondary_index : index.name => [index.hash_key, coalesce(index.range_key, "none"), index.projection_type] } == {
      by-owner = ["owner", "size", "ALL"]
      by-size  = ["size", "none", "ALL"]
    }
    error_message = "The indexes are ${jsonencode(aws_dynamodb_table.this.global_secondary_index)}."
  }

  assert {
    condition     = { for attribute in aws_dynamodb_table.this.attribute : attribute.name => attribute.type } == { id = "S", owner = "S", size = "S" }
    error_message = "The keys are ${jsonencode(aws_dynamodb_table.this.attribute)}."
  }

  assert {
    condition = (
      aws_dynamodb_table.this.stream_enabled
      && aws_dynamodb_table.this.stream_view_type == "NEW_AND_OLD_IMAGES"
      && output.stream_arn == aws_dynamodb_table.this.stream_arn
    )
    error_message = "The table has no stream."
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "The table can be deleted."
  }
}
