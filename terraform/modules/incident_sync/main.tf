data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name      = "${var.name_prefix}-incident-sync"
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  account   = data.aws_caller_identity.current.account_id
  source    = var.place.sources[var.place.source]

  fields = {
    TEXT_FIELDS      = join(",", var.fields.text)
    ATTRIBUTE_FIELDS = join(",", var.fields.attribute)
    DATE_FIELDS      = join(",", var.fields.date)
  }
  objects = {
    BUCKET          = local.source.bucket
    INCIDENT_PREFIX = var.place.prefix
  }

  functions = {
    batch_sync = {
      name        = "${var.incident_name_prefix}incident-kb-batch-sync"
      description = "Writes or removes the objects of up to 50 incidents and marks them"
      timeout     = var.pass_seconds
      policy      = data.aws_iam_policy_document.batch_sync.json
      environment = merge(local.fields, local.objects, { INCIDENTS_TABLE = module.incidents_table.name })
    }
    changes = {
      name        = "${var.name_prefix}-incident-kb-changes"
      description = "Makes incidents that were changed wait for a sync"
      timeout     = 60
      policy      = data.aws_iam_policy_document.changes.json
      environment = local.fields
    }
    confirm = {
      name        = "${var.name_prefix}-incident-kb-confirm"
      description = "Marks incidents that an ingestion job has covered"
      timeout     = 900
      policy      = data.aws_iam_policy_document.confirm.json
      environment = merge(local.objects, {
        INCIDENTS_TABLE   = module.incidents_table.name
        KNOWLEDGE_BASE_ID = local.source.knowledge_base_id
        DATA_SOURCE_ID    = local.source.data_source_id
      })
    }
    measure = {
      name        = "${var.name_prefix}-incident-kb-metrics"
      description = "Makes metrics of a run and of the incidents that wait for a person"
      timeout     = 60
      policy      = data.aws_iam_policy_document.measure.json
      environment = {}
    }
  }

  # The stream calls the other one.
  called_functions = { for name, function in module.function : name => function.arn if name != "changes" }
}

module "function" {
  source   = "../function"
  for_each = local.functions

  name        = each.value.name
  description = each.value.description
  package     = var.package
  handler     = "incident_sync.${each.key}.handler"
  layers      = var.layers
  timeout     = each.value.timeout
  policy      = each.value.policy

  environment = merge(each.value.environment, {
    INCIDENT_SYNC_TABLE          = module.table.name
    POWERTOOLS_SERVICE_NAME      = local.metrics.service
    POWERTOOLS_METRICS_NAMESPACE = local.metrics.namespace
    LOG_LEVEL                    = "INFO"
  })

  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}

module "state_machine" {
  source = "../state_machine"

  name       = local.name
  definition = "${path.module}/../../../state_machines/incident_sync.asl.json"

  substitutions = {
    partition         = local.partition
    batch_sync_arn    = local.called_functions["batch_sync"]
    confirm_arn       = local.called_functions["confirm"]
    metrics_arn       = local.called_functions["measure"]
    kb_sync_arn       = var.kb_sync.state_machine_arn
    knowledge_base_id = local.source.knowledge_base_id
    data_source_id    = local.source.data_source_id
    passes            = var.passes
  }

  policy             = data.aws_iam_policy_document.state_machine.json
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}
