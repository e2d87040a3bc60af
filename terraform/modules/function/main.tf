resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "this" {
  source_policy_documents = [var.policy]

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }

  statement {
    sid     = "WriteTraces"
    actions = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    # X-Ray knows no resources for these actions.
    resources = ["*"]
  }
}

module "role" {
  source = "../service_role"

  name        = var.name
  description = "Role of the function ${var.name}"
  service     = "lambda.amazonaws.com"
  source_arns = null
  policy      = data.aws_iam_policy_document.this.json
  kms_key_arn = var.kms_key_arn
}

locals {
  # A zip's arguments, which are null for an image, and the other way round. An image brings its runtime, and its command
  # says what a zip's handler says.
  zipped    = var.package != null
  is_built  = local.zipped ? fileexists(coalesce(var.package, "-")) : false
  code_hash = local.is_built ? filebase64sha256(var.package) : null
  command   = local.zipped ? [] : [[var.handler]]
}

resource "aws_lambda_function" "this" {
  function_name    = var.name
  description      = var.description
  role             = module.role.arn # known once it may write, or an invocation would lose its first logs
  package_type     = local.zipped ? "Zip" : "Image"
  architectures    = ["arm64"]
  runtime          = local.zipped ? "python3.13" : null
  handler          = local.zipped ? var.handler : null
  filename         = var.package
  source_code_hash = local.code_hash
  image_uri        = var.image_uri
  layers           = var.layers
  memory_size      = var.memory_size
  timeout          = var.timeout
  kms_key_arn      = var.kms_key_arn

  reserved_concurrent_executions = var.reserved_concurrent_executions

  dynamic "image_config" {
    for_each = local.command

    content {
      command = image_config.value
    }
  }

  dynamic "ephemeral_storage" {
    for_each = var.ephemeral_storage_size[*]

    content {
      size = ephemeral_storage.value
    }
  }

  environment {
    variables = var.environment
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = "Active"
  }

  lifecycle {
    precondition {
      condition     = local.zipped == local.is_built
      error_message = "${coalesce(var.package, "-")} is not there. Run `make package` in the repository first."
    }

    precondition {
      condition     = local.zipped != (var.image_uri != null)
      error_message = "${var.name} has its code either from a package or from an image: give one of package and image_uri."
    }

    precondition {
      condition     = local.zipped || length(var.layers) == 0
      error_message = "${var.name} is an image, which takes no layers: put what they hold into the image."
    }
  }
}
