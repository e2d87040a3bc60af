resource "aws_cloudwatch_event_rule" "manifest_created" {
  name        = "${var.name_prefix}-manifest-created"
  description = "A manifest was dropped into the ingestion bucket"

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = {
      bucket = { name = [var.ingestion_bucket.name] }
      object = { key = [{ suffix = "/_control/manifest.json" }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "manifest_created" {
  rule     = aws_cloudwatch_event_rule.manifest_created.name
  arn      = module.state_machine.arn
  role_arn = module.events_role.arn

  input_transformer {
    input_paths = {
      bucket    = "$.detail.bucket.name"
      key       = "$.detail.object.key"
      sequencer = "$.detail.object.sequencer"
    }
    # EventBridge quotes what it fills in. Not jsonencode, which writes < and > as \u003c and \u003e.
    input_template = "{\"bucket\": <bucket>, \"key\": <key>, \"sequencer\": <sequencer>}"
  }

  # A day outlasts any outage worth waiting for; what is undeliverable even then is kept for a person.
  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = module.dead_letters.arn
  }

  depends_on = [module.dead_letters]
}

data "aws_iam_policy_document" "events" {
  statement {
    sid       = "StartExecution"
    actions   = ["states:StartExecution"]
    resources = [module.state_machine.arn]
  }
}

module "events_role" {
  source = "../service_role"

  name        = aws_cloudwatch_event_rule.manifest_created.name
  description = "Role of the rule that starts ${local.name}"
  service     = "events.amazonaws.com"
  source_arns = [aws_cloudwatch_event_rule.manifest_created.arn]
  policy      = data.aws_iam_policy_document.events.json
}

module "dead_letters" {
  source = "../queue"

  name        = "${local.name}-dead-letters"
  senders     = { "events.amazonaws.com" = [aws_cloudwatch_event_rule.manifest_created.arn] }
  kms_key_arn = var.kms_key_arn
}
