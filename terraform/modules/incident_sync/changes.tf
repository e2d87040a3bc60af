module "stream" {
  source = "../stream_consumer"

  stream_arn            = module.incidents_table.stream_arn
  function_name         = module.function["changes"].name
  dead_letter_queue_arn = module.dead_letters.arn
}

# Where in the stream changes are that could not be noted down; `millrace incidents check --rewrite` makes up for them.
module "dead_letters" {
  source = "../queue"

  name        = "${var.name_prefix}-incident-changes-dead-letters"
  kms_key_arn = var.kms_key_arn
}
