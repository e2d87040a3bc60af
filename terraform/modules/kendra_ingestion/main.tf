data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name      = "${var.name_prefix}-kendra-ingestion"
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  account   = data.aws_caller_identity.current.account_id

  # Known from the name alone: functions answer the machine's tasks, and the machine calls the functions.
  state_machine_arn = "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:${local.name}"

  # One without an option belongs to both.
  every_function = {
    load_manifest = {
      description = "Reads a job's manifest and checks it"
      timeout     = 60
      memory_size = 512
      policy      = data.aws_iam_policy_document.load_manifest.json
    }
    list_batches = {
      description = "Lists a job's folder, pairs documents with their metadata and packs them into chunks"
      timeout     = 900
      memory_size = 1769 # one whole core: pairing and packing are all computing
      policy      = data.aws_iam_policy_document.list_batches.json
    }
    process_batch = {
      option      = "sfn"
      description = "Sends one chunk of documents to the sink"
      timeout     = 900
      memory_size = 512
      policy      = data.aws_iam_policy_document.process_batch.json
    }
    producer = {
      option      = "sqs"
      description = "Makes a job's requests messages for the workers"
      timeout     = 900
      memory_size = 512
      policy      = one(data.aws_iam_policy_document.producer[*].json)
      environment = local.queue_environment
    }
    put_worker = {
      option      = "sqs"
      description = "Sends documents to the sink, one request a message"
      timeout     = local.worker_timeout
      memory_size = 512
      policy      = one(data.aws_iam_policy_document.put_worker[*].json)
      environment = merge(local.queue_environment, { MAX_CONCURRENCY = var.put_concurrency })
    }
    del_worker = {
      option      = "sqs"
      description = "Deletes documents from the sink, one request a message"
      timeout     = local.worker_timeout
      memory_size = 512
      policy      = one(data.aws_iam_policy_document.del_worker[*].json)
      environment = merge(local.queue_environment, { MAX_CONCURRENCY = var.delete_concurrency })
    }
    dead_letter_worker = {
      option      = "sqs"
      description = "Makes messages that no worker could handle failures of their job"
      timeout     = local.worker_timeout
      memory_size = 512
      policy      = one(data.aws_iam_policy_document.dead_letter_worker[*].json)
      environment = local.queue_environment
    }
    verify = {
      description = "Asks the sink what became of the documents that were sent"
      timeout     = 900
      memory_size = 512
      policy      = data.aws_iam_policy_document.verify.json
    }
    aggregate_failures = {
      description = "Writes a job's report out of the outcomes of its documents"
      timeout     = 900
      memory_size = 1769 # one whole core: it reads every outcome of the job
      policy      = data.aws_iam_policy_document.aggregate_failures.json
    }
    archive_manifest = {
      description = "Moves a finished job's manifest to the archive"
      timeout     = 60
      memory_size = 512
      policy      = data.aws_iam_policy_document.archive_manifest.json
    }
  }
  functions = {
    for name, function in local.every_function : name => function
    if lookup(function, "option", var.deploy_option) == var.deploy_option
  }

  # Every key of a function's description is one that is read here or that module.function is given below.
  function_keys         = toset(["description", "environment", "memory_size", "option", "policy", "timeout"])
  unknown_function_keys = setsubtract(flatten([for function in local.every_function : keys(function)]), local.function_keys)

  environment = merge(local.sink.environment, {
    INGESTION_BUCKET              = var.ingestion_bucket.name
    REPORTS_BUCKET                = var.reports_bucket.name
    SINK                          = var.sink.name
    SINK_REQUESTS_PER_SECOND      = var.sink_requests_per_second
    MAX_CONCURRENCY               = var.max_concurrency
    VERIFICATION_DEADLINE_SECONDS = var.verification_deadline_seconds
    LEDGER_TABLE                  = module.table["ledger"].name
    POWERTOOLS_SERVICE_NAME       = "kendra_ingestion"
    POWERTOOLS_METRICS_NAMESPACE  = "Millrace"
    LOG_LEVEL                     = "INFO"
  })
}

module "function" {
  source   = "../function"
  for_each = local.functions

  name        = "${var.name_prefix}-${replace(each.key, "_", "-")}"
  description = each.value.description
  package     = var.package
  handler     = "kendra_ingestion.${each.key}.handler"
  layers      = var.layers
  timeout     = each.value.timeout
  memory_size = each.value.memory_size
  policy      = each.value.policy
  environment = merge(local.environment, lookup(each.value, "environment", {}))

  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}

locals {
  definitions = "${path.module}/../../../state_machines"

  # How the machine drives each option.
  option = {
    sfn = {
      replacements  = null
      substitutions = { max_concurrency = var.max_concurrency }
    }
    sqs = {
      replacements  = "${local.definitions}/kendra_ingestion.sqs.json"
      substitutions = {}
    }
  }[var.deploy_option]

  # The others are called by their queues.
  called_functions = { for name, function in module.function : name => function.arn if !contains(keys(local.consumed), name) }
}

module "state_machine" {
  source = "../state_machine"

  name         = local.name
  definition   = "${local.definitions}/kendra_ingestion.asl.json"
  replacements = local.option.replacements

  substitutions = merge(
    { for name, arn in local.called_functions : "${name}_arn" => arn },
    local.option.substitutions,
    {
      jobs_table              = module.table["jobs"].name
      notifications_topic_arn = var.notifications_topic_arn
      partition               = local.partition
    },
  )

  policy             = data.aws_iam_policy_document.state_machine.json
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}
