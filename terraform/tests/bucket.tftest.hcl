mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name = "example-reports"
}

run "protects_by_default" {
  command = apply

  module {
    source = "./modules/bucket"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "Public access is not blocked in all four ways."
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.this.rule).object_ownership == "BucketOwnerEnforced"
    error_message = "Access control lists still count."
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "The bucket is not versioned."
  }

  assert {
    condition     = aws_s3_bucket_policy.this.policy == module.tls_only.json
    error_message = "The policy does not refuse plain HTTP."
  }

  assert {
    condition = (
      one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    )
    error_message = "Objects are not encrypted with S3-managed keys."
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "A destroy would delete the documents."
  }

  assert {
    condition     = length(aws_s3_bucket_notification.this) == 0
    error_message = "Events are sent unasked."
  }
}

run "encrypts_with_the_key_that_is_given" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition = (
      one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
      && one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn
      && one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled
    )
    error_message = "Objects are not encrypted with the key."
  }
}

run "expires_what_it_is_told_to" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    expiry = {
      archive = { prefix = "_archive/", days = 90 }
      parts   = { tag = { key = "millrace", value = "part" }, days = 30 }
    }
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      rule.id => "${jsonencode(one(rule.filter).prefix)} ${jsonencode(one(rule.filter).tag)} ${one(rule.expiration).days}"
      if rule.id != "tidy"
      } == {
      "expire archive" = "\"_archive/\" [] 90"
      "expire parts"   = "null ${jsonencode([{ key = "millrace", value = "part" }])} 30"
    }
    error_message = "The rules are ${jsonencode(aws_s3_bucket_lifecycle_configuration.this.rule)}."
  }

  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.status == "Enabled"])
    error_message = "A rule is off."
  }

  assert {
    condition = one([
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      one(rule.noncurrent_version_expiration).noncurrent_days == 30
      && one(rule.abort_incomplete_multipart_upload).days_after_initiation == 7
      if rule.id == "tidy"
    ])
    error_message = "Old versions or broken uploads are kept for ever."
  }
}

run "refuses_a_rule_that_would_expire_everything" {
  command         = plan
  expect_failures = [var.expiry]

  module {
    source = "./modules/bucket"
  }

  variables {
    expiry = { all = { days = 30 } }
  }
}

run "refuses_a_rule_of_a_prefix_and_a_tag" {
  command         = plan
  expect_failures = [var.expiry]

  module {
    source = "./modules/bucket"
  }

  variables {
    expiry = { both = { prefix = "_work/", tag = { key = "millrace", value = "part" }, days = 30 } }
  }
}

run "sends_events_when_asked" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    eventbridge = true
  }

  assert {
    condition     = aws_s3_bucket_notification.this[0].eventbridge
    error_message = "Events do not go to EventBridge."
  }
}
