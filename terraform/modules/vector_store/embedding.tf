# The one consumer of the queue of exports: a Lambda function, or a task of ECS. Terraform makes one of them, and the lease
# in the table keeps another deployment's, or one that is being replaced, from working beside it.

locals {
  embeds_by_lambda = var.embed.consumer == "lambda"
  tasks            = local.embeds_by_lambda ? 0 : 1

  embed_timeout      = 900
  embed_hide_seconds = 120 # a task asks for it itself, with each message
  embed_stop_seconds = 120 # the most that Fargate gives a task

  task_name = "${var.name_prefix}-vector-embed"

  # <account>.dkr.ecr.<region>.amazonaws.com/<repository>, with a tag or a digest.
  task_image = one(regexall(
    "^(?P<account>[0-9]+)[.]dkr[.]ecr[.](?P<region>[a-z0-9-]+)[.][a-z.]+/(?P<repository>[a-z0-9._/-]+)",
    local.embeds_by_lambda ? "" : var.embed.image_uri,
  ))

  # ECS does not tell a role which cluster or service it acts for (developer guide, "Task IAM role").
  all_of_ecs = "arn:${local.partition}:ecs:${local.region}:${local.account}:*"

  embedding = merge(local.store, local.vectors, {
    RECEIPTS_TABLE            = module.receipts_table.name
    EMBED_NDJSON_QUEUE_URL    = module.queue["embed"].url
    EMBED_DEAD_LETTERS_URL    = module.dead_letters["embed"].url
    EMBED_CONCURRENCY         = var.embed.concurrency
    EMBED_REQUESTS_PER_SECOND = var.embed.requests_per_second
  })
}

resource "aws_lambda_event_source_mapping" "embed" {
  count = local.embeds_by_lambda ? 1 : 0

  event_source_arn        = module.queue["embed"].arn
  function_name           = module.function["embed"].name
  batch_size              = 10 # the most that Lambda takes from a FIFO queue at once
  function_response_types = ["ReportBatchItemFailures"]

  # The fewest that Lambda offers. The function's own one lets the second wait, and what waits counts as received.
  scaling_config {
    maximum_concurrency = 2
  }
}

resource "aws_ecs_cluster" "this" {
  count = local.tasks

  name = local.name
}

resource "aws_cloudwatch_log_group" "task" {
  count = local.tasks

  name              = "/ecs/${local.task_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_ecs_task_definition" "embed" {
  count = local.tasks

  family                   = local.task_name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  task_role_arn            = module.task_role[0].arn
  execution_role_arn       = module.task_execution_role[0].arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "ARM64"
  }

  container_definitions = jsonencode([{
    name      = "embed"
    image     = var.embed.image_uri
    essential = true

    # The worker ends what it has begun, and gives the lease back, before it is killed.
    stopTimeout = local.embed_stop_seconds
    environment = [
      for name, value in merge(local.embedding, local.telemetry, { STOP_SECONDS = local.embed_stop_seconds - 10 }) :
      { name = name, value = tostring(value) }
    ]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.task[0].name
        awslogs-region        = local.region
        awslogs-stream-prefix = "embed"
      }
    }
  }])
}

resource "aws_ecs_service" "embed" {
  count = local.tasks

  name            = local.task_name
  cluster         = aws_ecs_cluster.this[0].arn
  task_definition = aws_ecs_task_definition.embed[0].arn
  launch_type     = "FARGATE"
  desired_count   = 1

  # The old task ends before the new one starts, so ECS may not start one in another zone first either.
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  availability_zone_rebalancing      = "DISABLED"

  network_configuration {
    subnets          = var.embed.subnet_ids
    security_groups  = var.embed.security_group_ids
    assign_public_ip = var.embed.assign_public_ip
  }
}

module "task_role" {
  source = "../service_role"
  count  = local.tasks

  name        = "${local.task_name}-task" # the function's role, which may be there still, has the task's name
  description = "Role of the task that embeds exports"
  service     = "ecs-tasks.amazonaws.com"
  source_arns = [local.all_of_ecs]
  policy      = data.aws_iam_policy_document.embeds.json
  kms_key_arn = var.kms_key_arn
}

module "task_execution_role" {
  source = "../service_role"
  count  = local.tasks

  name        = "${local.task_name}-task-execution"
  description = "Role with which ECS starts the task that embeds exports"
  service     = "ecs-tasks.amazonaws.com"
  source_arns = [local.all_of_ecs]
  policy      = data.aws_iam_policy_document.task_execution[0].json
}
