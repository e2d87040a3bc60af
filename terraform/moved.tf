# A deployment from before there were several workflows keeps everything.

moved {
  from = module.kendra_ingestion
  to   = module.kendra_ingestion[0]
}
