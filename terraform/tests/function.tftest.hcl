mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name               = "example-work"
  description        = "Works"
  package            = "tests/package/kendra_ingestion.zip"
  handler            = "example.work.handler"
  timeout            = 60
  policy             = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
  log_retention_days = 7
}

run "runs_on_graviton_with_traces_and_its_own_logs" {
  command = apply

  module {
    source = "./modules/function"
  }

  assert {
    condition     = aws_lambda_function.this.architectures == tolist(["arm64"]) && aws_lambda_function.this.runtime == "python3.13"
    error_message = "The function runs ${aws_lambda_function.this.runtime} on ${join(", ", aws_lambda_function.this.architectures)}."
  }

  assert {
    condition = (
      aws_lambda_function.this.handler == "example.work.handler"
      && aws_lambda_function.this.filename == var.package
      && aws_lambda_function.this.image_uri == null
      && length(aws_lambda_function.this.image_config) == 0
    )
    error_message = "A zip is deployed as ${aws_lambda_function.this.package_type} with ${jsonencode(aws_lambda_function.this.image_config)}."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == null
    error_message = "The function keeps invocations for itself unasked."
  }

  assert {
    condition     = one(aws_lambda_function.this.tracing_config).mode == "Active"
    error_message = "The function is not traced."
  }

  assert {
    condition = (
      one(aws_lambda_function.this.logging_config).log_group == "/aws/lambda/example-work"
      && one(aws_lambda_function.this.logging_config).log_format == "JSON"
      && aws_cloudwatch_log_group.this.retention_in_days == 7
    )
    error_message = "The function's logs are not JSON in a group of its own that expires."
  }

  assert {
    condition     = aws_lambda_function.this.role == module.role.arn
    error_message = "The function has no role of its own."
  }

  assert {
    condition = one([
      for statement in data.aws_iam_policy_document.this.statement : statement.resources if statement.sid == "WriteLogs"
    ]) == toset(["${aws_cloudwatch_log_group.this.arn}:*"])
    error_message = "The function may write to logs other than its own."
  }
}

run "uses_the_key_that_is_given" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = aws_lambda_function.this.kms_key_arn == var.kms_key_arn && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "The function's settings or logs do not use the key."
  }
}

run "stops_at_plan_before_packaging" {
  command         = plan
  expect_failures = [aws_lambda_function.this]

  module {
    source = "./modules/function"
  }

  variables {
    package = "tests/package/absent.zip"
  }
}

run "runs_an_image_with_its_handler_as_the_command" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    package                        = null
    image_uri                      = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/example@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    reserved_concurrent_executions = 1
    ephemeral_storage_size         = 10240
  }

  assert {
    condition = (
      aws_lambda_function.this.package_type == "Image"
      && aws_lambda_function.this.image_uri == var.image_uri
      && one(aws_lambda_function.this.image_config).command == tolist(["example.work.handler"])
    )
    error_message = "${aws_lambda_function.this.image_uri} is told ${jsonencode(aws_lambda_function.this.image_config)}."
  }

  assert {
    condition     = alltrue([for value in [aws_lambda_function.this.handler, aws_lambda_function.this.runtime, aws_lambda_function.this.filename] : value == null])
    error_message = "An image has its own runtime, and is told neither handler nor zip."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 1 && one(aws_lambda_function.this.ephemeral_storage).size == 10240
    error_message = "The function is not alone, or has not the room in /tmp that it was given."
  }
}

run "refuses_a_function_without_code" {
  command         = plan
  expect_failures = [aws_lambda_function.this]

  module {
    source = "./modules/function"
  }

  variables {
    package = null
  }
}

run "refuses_a_function_with_two_sources_of_code" {
  command         = plan
  expect_failures = [aws_lambda_function.this]

  module {
    source = "./modules/function"
  }

  variables {
    image_uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/example:latest"
  }
}

run "refuses_layers_for_an_image" {
  command         = plan
  expect_failures = [aws_lambda_function.this]

  module {
    source = "./modules/function"
  }

  variables {
    package   = null
    image_uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/example:latest"
    layers    = ["arn:aws:lambda:eu-west-1:123456789012:layer:example-dependencies:1"]
  }
}
