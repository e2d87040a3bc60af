data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  account   = data.aws_caller_identity.current.account_id

  # Known from the name alone: the role trusts the machine, and the machine needs the role.
  arn = "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:${var.name}"

  sources     = concat([var.definition], var.parts)
  files       = concat(local.sources, var.replacements[*])
  placeholder = "[$]{([a-z0-9_]+)}"

  # The files are JSON as they stand, so what is replaced is known before anything is filled in.
  parsed   = [for path in local.files : jsondecode(file(path))]
  combined = merge(local.parsed[0], { States = merge(local.parsed[*].States...) })
  wanted   = toset(flatten(regexall(local.placeholder, jsonencode(local.combined))))
  given    = toset(keys(var.substitutions))
  unused   = setsubtract(local.given, local.wanted)
  unfilled = setsubtract(local.wanted, local.given)
  named    = flatten([for source in slice(local.parsed, 0, length(local.sources)) : keys(source.States)])
  repeated = [for name in distinct(local.named) : name if length([for other in local.named : other if other == name]) > 1]
  replaced = flatten([for file in slice(local.parsed, length(local.sources), length(local.files)) : keys(file.States)])
  homeless = setsubtract(local.replaced, local.named)

  # templatefile fills in a whole file, so what only a replaced state names is filled in too, with a blank.
  blank = { for name in toset(flatten([for path in local.files : regexall(local.placeholder, file(path))])) : name => "" }

  # The one number among the placeholders is quoted in the file.
  rendered = [for path in local.files : jsondecode(replace(
    templatefile(path, merge(local.blank, var.substitutions)),
    "/\"MaxConcurrency\": *\"([0-9]+)\"/",
    "\"MaxConcurrency\": $1",
  ))]
}

resource "aws_cloudwatch_log_group" "this" {
  # Groups under /aws/vendedlogs/ share one resource policy, which has a limit of 5,120 characters.
  name              = "/aws/vendedlogs/states/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "this" {
  source_policy_documents = [var.policy]

  statement {
    sid = "DeliverLogs"
    actions = [
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DescribeLogGroups",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
    ]
    # CloudWatch Logs knows no resources for log deliveries.
    resources = ["*"]
  }

  statement {
    sid = "WriteTraces"
    actions = [
      "xray:GetSamplingRules",
      "xray:GetSamplingTargets",
      "xray:PutTelemetryRecords",
      "xray:PutTraceSegments",
    ]
    # X-Ray knows no resources for these actions.
    resources = ["*"]
  }
}

module "role" {
  source = "../service_role"

  name        = var.name
  description = "Role of the state machine ${var.name}"
  service     = "states.amazonaws.com"
  source_arns = [local.arn]
  policy      = data.aws_iam_policy_document.this.json
  kms_key_arn = var.kms_key_arn
}

resource "aws_sfn_state_machine" "this" {
  name       = var.name
  role_arn   = module.role.arn # creating a machine with logging fails until its role may deliver logs
  definition = jsonencode(merge(local.rendered[0], { States = merge(local.rendered[*].States...) }))

  logging_configuration {
    level = "ALL"
    # Keys and counts flow through the states, never documents.
    include_execution_data = true
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  tracing_configuration {
    enabled = true
  }

  dynamic "encryption_configuration" {
    for_each = var.kms_key_arn[*]

    content {
      type                              = "CUSTOMER_MANAGED_KMS_KEY"
      kms_key_id                        = encryption_configuration.value
      kms_data_key_reuse_period_seconds = 300
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.unused) == 0
      error_message = "${join(" with ", local.files)} has no placeholder for ${join(", ", local.unused)}. Remove the substitution or use it."
    }

    precondition {
      condition     = length(local.unfilled) == 0
      error_message = "${join(" with ", local.files)} has placeholders that nothing fills: ${join(", ", local.unfilled)}. Correct the placeholder or add the substitution."
    }

    precondition {
      condition     = length(local.repeated) == 0
      error_message = "More than one of ${join(", ", local.sources)} has ${join(", ", local.repeated)}, and a machine has one state of a name. Rename the definition's own."
    }

    precondition {
      condition     = length(local.homeless) == 0
      error_message = "${join(" with ", local.files)} replaces states that are not there: ${join(", ", local.homeless)}. Nothing would lead to them."
    }
  }
}
