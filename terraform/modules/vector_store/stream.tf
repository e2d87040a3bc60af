module "stream" {
  source = "../stream_consumer"

  stream_arn            = module.receipts_table.stream_arn
  function_name         = module.function["router"].name
  dead_letter_queue_arn = module.stream_dead_letters.arn
}
