variable "aws_region" {
  description = "Region that everything is deployed to, for example eu-west-1. The Kendra index or the knowledge base must be there too."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region must be a region's code such as eu-west-1, not its display name."
  }
}

variable "name_prefix" {
  description = "Begins the name of every resource. Roles are known account-wide, so two deployments in one account need different prefixes, whatever their regions."
  type        = string
  default     = "millrace"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name_prefix))
    error_message = "name_prefix must be 1 to 30 lowercase letters, digits and dashes, begin with a letter and not end in a dash."
  }
}

variable "workflows" {
  description = "What is deployed: \"kendra_ingestion\", which brings documents to a Kendra index or a knowledge base, \"kb_sync\", which keeps knowledge bases up to date with their buckets, \"incident_sync\", which brings closed incidents of a table to one of those buckets, and \"vector_store\", which keeps a Chroma store of receipts up to date with their table. What belongs to another workflow needs no value."
  type        = set(string)
  default     = ["kendra_ingestion"]

  validation {
    condition = length(var.workflows) > 0 && alltrue([
      for name in var.workflows : contains(["kendra_ingestion", "kb_sync", "incident_sync", "vector_store"], name)
    ])
    error_message = "workflows must be one or more of \"kendra_ingestion\", \"kb_sync\", \"incident_sync\" and \"vector_store\", as a list: [\"kb_sync\"]."
  }

  validation {
    condition     = !contains(var.workflows, "incident_sync") || contains(var.workflows, "kb_sync")
    error_message = "Workflow incident_sync needs kb_sync, which runs its ingestion jobs: add \"kb_sync\" to workflows, and the data source that reads the incidents to sync_sources."
  }
}

variable "ingestion_bucket" {
  description = "For workflow kendra_ingestion: name of the bucket that teams drop documents and manifests into. Created unless create_ingestion_bucket is false."
  type        = string
  default     = null

  validation {
    condition     = var.ingestion_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.ingestion_bucket))
    error_message = "ingestion_bucket must be a bucket's name (3 to 63 lowercase letters, digits, dots and dashes), without s3:// or a path."
  }
}

variable "create_ingestion_bucket" {
  description = "True creates the ingestion bucket. False uses one that exists: its encryption, policy and lifecycle stay its owner's, and see enable_eventbridge_on_existing_bucket for its events."
  type        = bool
  default     = true
}

variable "enable_eventbridge_on_existing_bucket" {
  description = "Only for an existing ingestion bucket, which must send its events to EventBridge or no manifest starts anything. False leaves that to its owner. True turns it on here, and replaces the bucket's whole notification configuration: any topic, queue or function that it notifies today is dropped."
  type        = bool
  default     = false
}

variable "reports_bucket" {
  description = "For workflow kendra_ingestion: name of the bucket for reports, archived manifests and the pipeline's own part files. Not the ingestion bucket. Created unless create_reports_bucket is false."
  type        = string
  default     = null

  validation {
    condition     = var.reports_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.reports_bucket))
    error_message = "reports_bucket must be a bucket's name (3 to 63 lowercase letters, digits, dots and dashes), without s3:// or a path."
  }
}

variable "create_reports_bucket" {
  description = "True creates the reports bucket. False uses one that exists: expiring _archive/, _work/ and what is tagged millrace=part is then its owner's task, since a lifecycle configuration set here would replace the owner's."
  type        = bool
  default     = true
}

variable "force_destroy" {
  description = "True lets terraform destroy delete the buckets it created together with everything in them, and the tables of incidents and of receipts. Meant for trials; leave false where the content matters: AWS then refuses to delete those tables."
  type        = bool
  default     = false
}

variable "sink" {
  description = "Where documents go. \"kendra\": the index of kendra_index_id. \"bedrock\": the knowledge base of knowledge_base_id, through its custom data source of data_source_id."
  type        = string
  default     = "kendra"

  validation {
    condition     = contains(["kendra", "bedrock"], var.sink)
    error_message = "sink must be \"kendra\" or \"bedrock\"."
  }
}

variable "kendra_index_id" {
  description = "For sink \"kendra\": id of the existing Kendra index that documents go to, the 36 characters at the end of its ARN."
  type        = string
  default     = null

  validation {
    condition     = var.kendra_index_id == null || can(regex("^[a-zA-Z0-9][a-zA-Z0-9-]{35}$", var.kendra_index_id))
    error_message = "kendra_index_id must be the index's id (36 letters, digits and dashes), not its name or ARN: aws kendra list-indices shows it."
  }
}

variable "knowledge_base_id" {
  description = "For sink \"bedrock\": id of the existing knowledge base that documents go to. Its own role must be allowed to read batches/ in the ingestion bucket: documents without metadata go by their place in S3."
  type        = string
  default     = null

  validation {
    condition     = var.knowledge_base_id == null || can(regex("^[0-9a-zA-Z]{10}$", var.knowledge_base_id))
    error_message = "knowledge_base_id must be the knowledge base's id (10 letters and digits), not its name or ARN: aws bedrock-agent list-knowledge-bases shows it."
  }
}

variable "data_source_id" {
  description = "For sink \"bedrock\": id of the knowledge base's data source that documents go through; its type must be CUSTOM."
  type        = string
  default     = null

  validation {
    condition     = var.data_source_id == null || can(regex("^[0-9a-zA-Z]{10}$", var.data_source_id))
    error_message = "data_source_id must be the data source's id (10 letters and digits), not its name: aws bedrock-agent list-data-sources --knowledge-base-id <id> shows it."
  }
}

variable "attribute_types" {
  description = "For sink \"bedrock\": the attributes that documents may carry, and the type of each: STRING_VALUE, STRING_LIST_VALUE, LONG_VALUE or DATE_VALUE, as Kendra's index has them. A document with another attribute or type is a failure. Empty takes any attribute."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([
      for type in values(var.attribute_types) : contains(["STRING_VALUE", "STRING_LIST_VALUE", "LONG_VALUE", "DATE_VALUE"], type)
    ])
    error_message = "Each type in attribute_types must be STRING_VALUE, STRING_LIST_VALUE, LONG_VALUE or DATE_VALUE."
  }
}

variable "deploy_option" {
  description = "What brings the planned documents to the sink. \"sfn\": a Map in the state machine, over chunks of many requests. \"sqs\": FIFO queues, one request a message, and workers at the queues. All before and after is the same."
  type        = string
  default     = "sfn"

  validation {
    condition     = contains(["sfn", "sqs"], var.deploy_option)
    error_message = "deploy_option must be \"sfn\" or \"sqs\"."
  }
}

variable "max_concurrency" {
  description = "For deploy_option \"sfn\": how many chunks of documents are sent at once. They share sink_requests_per_second: more of them hide latency, they do not raise the rate."
  type        = number
  default     = 2

  validation {
    condition     = contains([1, 2, 3, 4], var.max_concurrency)
    error_message = "max_concurrency must be 1, 2, 3 or 4."
  }
}

variable "put_concurrency" {
  description = "For deploy_option \"sqs\": how many workers put documents at once, and how many message groups they get them in. They share sink_requests_per_second."
  type        = number
  default     = 2

  validation {
    condition     = contains([2, 3, 4], var.put_concurrency)
    error_message = "put_concurrency must be 2, 3 or 4: Lambda limits no queue's function to one at once."
  }
}

variable "delete_concurrency" {
  description = "For deploy_option \"sqs\": how many workers delete documents at once, and how many message groups they get them in. They share sink_requests_per_second."
  type        = number
  default     = 4

  validation {
    condition     = contains([4, 5, 6, 7, 8], var.delete_concurrency)
    error_message = "delete_concurrency must be 4, 5, 6, 7 or 8."
  }
}

variable "sink_requests_per_second" {
  description = "Requests a second that the whole pipeline sends to each of the sink's operations: putting, deleting, asking. Set it to your account's quota, which is 5 for Bedrock; when the sink throttles nevertheless, the workers slow down by themselves."
  type        = number
  default     = 5

  validation {
    condition     = var.sink_requests_per_second > 0 && var.sink_requests_per_second <= 1000
    error_message = "sink_requests_per_second must be above 0 and at most 1000; fractions are allowed (0.5 is one request every two seconds)."
  }
}

variable "verification_deadline_seconds" {
  description = "How long, after sending, to ask the sink about documents that it has not finished. Those still unanswered are then reported as unverified. 0 turns the asking off."
  type        = number
  default     = 3600

  validation {
    condition = (
      var.verification_deadline_seconds >= 0
      && var.verification_deadline_seconds <= 86400
      && floor(var.verification_deadline_seconds) == var.verification_deadline_seconds
    )
    error_message = "verification_deadline_seconds must be a whole number from 0 (off) to 86400 (a day)."
  }
}

variable "archive_expiry_days" {
  description = "Days until an archived manifest under _archive/ in the reports bucket expires."
  type        = number
  default     = 90

  validation {
    condition = (
      var.archive_expiry_days >= 30
      && var.archive_expiry_days <= 90
      && floor(var.archive_expiry_days) == var.archive_expiry_days
    )
    error_message = "archive_expiry_days must be a whole number from 30 to 90."
  }
}

variable "sync_sources" {
  description = "For workflow kb_sync: the data sources to keep up to date, by a name for each. Knowledge base, data source and bucket exist; the prefix is the data source's own inclusion prefix, and \"\" means the whole bucket. See enable_eventbridge_on_data_buckets for the buckets' events; events = false takes none, for a source whose only writer asks for syncs by itself, as workflow incident_sync does."
  type = map(object({
    knowledge_base_id = string
    data_source_id    = string
    bucket            = string
    prefix            = optional(string, "")
    events            = optional(bool, true)
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.sync_sources) : can(regex("^[a-z0-9-]{1,25}$", name))])
    error_message = "Each name in sync_sources must be 1 to 25 lowercase letters, digits and dashes: it ends the names of a rule, a queue and a pipe."
  }

  validation {
    condition = length(setintersection(
      keys(var.sync_sources), ["dead-letters", "ended", "failed", "metrics", "sweep", "sweeper", "tick"],
    )) == 0
    error_message = "No name in sync_sources may be dead-letters, ended, failed, metrics, sweep, sweeper or tick: other resources end in these."
  }

  validation {
    condition = alltrue([
      for source in values(var.sync_sources) :
      can(regex("^[0-9a-zA-Z]{10}$", source.knowledge_base_id)) && can(regex("^[0-9a-zA-Z]{10}$", source.data_source_id))
    ])
    error_message = "knowledge_base_id and data_source_id in sync_sources must be ids (10 letters and digits), not names or ARNs: aws bedrock-agent list-knowledge-bases and list-data-sources show them."
  }

  validation {
    condition = alltrue([
      for source in values(var.sync_sources) : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", source.bucket))
    ])
    error_message = "bucket in sync_sources must be a bucket's name (3 to 63 lowercase letters, digits, dots and dashes), without s3:// or a path."
  }

  validation {
    condition = alltrue([
      for source in values(var.sync_sources) : source.prefix != null && !can(regex("^/|^s3:|[*]", source.prefix))
    ])
    error_message = "prefix in sync_sources must be the beginning of the objects' keys such as handbook/, without a leading slash, s3:// or *; leave it out for the whole bucket."
  }
}

variable "enable_eventbridge_on_data_buckets" {
  description = "Only for workflow kb_sync, whose data buckets must send their events to EventBridge or no upload asks for a sync. False leaves that to their owners. True turns it on here, and replaces each bucket's whole notification configuration: any topic, queue or function that it notifies today is dropped."
  type        = bool
  default     = false
}

variable "sync_batching_window_seconds" {
  description = "For workflow kb_sync: how long uploads and deletions are collected before they become one request for a sync. A thousand of them end the wait."
  type        = number
  default     = 10

  validation {
    condition = (
      var.sync_batching_window_seconds >= 1
      && var.sync_batching_window_seconds <= 300
      && floor(var.sync_batching_window_seconds) == var.sync_batching_window_seconds
    )
    error_message = "sync_batching_window_seconds must be a whole number from 1 to 300, what EventBridge Pipes offers for batches of this size."
  }
}

variable "sync_poll_seconds" {
  description = "For workflow kb_sync: how long an execution waits before it looks again at an ingestion job, or at another execution's work."
  type        = number
  default     = 10

  validation {
    condition = (
      var.sync_poll_seconds >= 1
      && var.sync_poll_seconds <= 300
      && floor(var.sync_poll_seconds) == var.sync_poll_seconds
    )
    error_message = "sync_poll_seconds must be a whole number from 1 to 300."
  }
}

variable "sync_seconds_between_starts" {
  description = "For workflow kb_sync: how far apart one data source's ingestion jobs are started. Bedrock takes one start in 10 seconds, account-wide; set it to your account's quota."
  type        = number
  default     = 10

  validation {
    condition = (
      var.sync_seconds_between_starts >= 1
      && var.sync_seconds_between_starts <= 3600
      && floor(var.sync_seconds_between_starts) == var.sync_seconds_between_starts
    )
    error_message = "sync_seconds_between_starts must be a whole number from 1 to 3600."
  }
}

variable "sync_sweep_minutes" {
  description = "For workflow kb_sync: how often the clock looks for requests that no execution serves, such as those of a job that failed. It is how long they wait at most."
  type        = number
  default     = 5

  validation {
    condition = (
      var.sync_sweep_minutes >= 1
      && var.sync_sweep_minutes <= 1440
      && floor(var.sync_sweep_minutes) == var.sync_sweep_minutes
    )
    error_message = "sync_sweep_minutes must be a whole number from 1 to 1440 (a day)."
  }
}

variable "sync_pending_alarm_minutes" {
  description = "For workflow kb_sync: how old a request that is not covered may be before the notifications topic is told. More than your longest ingestion job takes, twice: a request may have to wait for the job before its own."
  type        = number
  default     = 60

  validation {
    condition = (
      var.sync_pending_alarm_minutes >= 5
      && var.sync_pending_alarm_minutes <= 10080
      && floor(var.sync_pending_alarm_minutes) == var.sync_pending_alarm_minutes
    )
    error_message = "sync_pending_alarm_minutes must be a whole number from 5, as often as it is measured, to 10080 (a week)."
  }
}

variable "incident_source" {
  description = "For workflow incident_sync: name in sync_sources of the data source that reads the incidents. Give that source events = false, or each object that is written asks for a sync beside the run's own."
  type        = string
  default     = null
}

variable "incident_prefix" {
  description = "For workflow incident_sync: the incidents' objects are under this prefix of that source's bucket, which nothing else writes to. It lies under the source's own prefix."
  type        = string
  default     = "incidents/closed/"

  validation {
    condition     = can(regex("^([A-Za-z0-9_-][A-Za-z0-9._-]*/)+$", var.incident_prefix))
    error_message = "incident_prefix must be the beginning of the objects' keys such as incidents/closed/: letters, digits, dots, dashes and underscores between slashes, and a slash at the end."
  }
}

variable "incidents_table" {
  description = "For workflow incident_sync: name of the table of incidents. Created unless create_incidents_table is false."
  type        = string
  default     = "incidents"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.incidents_table))
    error_message = "incidents_table must be a table's name (3 to 255 letters, digits, dots, dashes and underscores), not its ARN."
  }
}

variable "create_incidents_table" {
  description = "True creates the table of incidents, with key incident_id, index status-priority-index and a stream. False uses one that exists in this region: it needs that key, and a stream of NEW_AND_OLD_IMAGES that at most one other reads."
  type        = bool
  default     = true
}

variable "incident_name_prefix" {
  description = "For workflow incident_sync: begins the names that do not begin with name_prefix (function incident-kb-batch-sync, alarms SyncErrorsAlarm, IngestionFailureAlarm and SyncDurationAlarm, dashboard IncidentKBSyncDashboard) and the service that the metrics carry. A second deployment in one account needs another: \"emea-\"."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([A-Za-z][A-Za-z0-9_-]{0,29})?$", var.incident_name_prefix))
    error_message = "incident_name_prefix must be empty, or up to 30 letters, digits, dashes and underscores that begin with a letter: \"emea-\"."
  }
}

variable "incident_schedule" {
  description = "For workflow incident_sync: when a run starts by itself, in UTC, as EventBridge Scheduler writes it. The default is every full hour."
  type        = string
  default     = "cron(0 * * * ? *)"

  validation {
    condition     = can(regex("^(cron\\([^ ]+( [^ ]+){5}\\)|rate\\([1-9][0-9]* (minute|hour|day)s?\\))$", var.incident_schedule))
    error_message = "incident_schedule must be cron(<minute> <hour> <day of month> <month> <day of week> <year>) or rate(<number> minutes, hours or days): cron(0 * * * ? *), rate(30 minutes)."
  }
}

variable "incident_passes" {
  description = "For workflow incident_sync: how many passes of up to 50 incidents a run makes at most, before it asks for an ingestion job. What is left waits for the next run."
  type        = number
  default     = 20

  validation {
    condition     = var.incident_passes >= 1 && var.incident_passes <= 100 && floor(var.incident_passes) == var.incident_passes
    error_message = "incident_passes must be a whole number from 1 to 100, which one execution's history has room for whatever it has to try again."
  }
}

variable "incident_pass_seconds" {
  description = "For workflow incident_sync: time limit of one pass. A pass that died is waited for that long before another begins."
  type        = number
  default     = 300

  validation {
    condition = (
      var.incident_pass_seconds >= 15
      && var.incident_pass_seconds <= 900
      && floor(var.incident_pass_seconds) == var.incident_pass_seconds
    )
    error_message = "incident_pass_seconds must be a whole number from 15 to 900, the longest that a Lambda function may take."
  }
}

variable "incident_duration_alarm_minutes" {
  description = "For workflow incident_sync: how long a run may take, its ingestion job and the wait for another one's included, before the notifications topic is told."
  type        = number
  default     = 30

  validation {
    condition = (
      var.incident_duration_alarm_minutes >= 1
      && var.incident_duration_alarm_minutes <= 1440
      && floor(var.incident_duration_alarm_minutes) == var.incident_duration_alarm_minutes
    )
    error_message = "incident_duration_alarm_minutes must be a whole number from 1 to 1440, the day after which a run is ended."
  }
}

variable "incident_text_fields" {
  description = "For workflow incident_sync: attributes of an incident whose text is searched, in the order that a reader wants them. Other attributes than those of the three lists are never read."
  type        = list(string)
  default     = ["title", "description", "impact", "root_cause", "resolution", "lessons_learned"]

  validation {
    condition     = length(var.incident_text_fields) > 0
    error_message = "incident_text_fields must name at least one attribute: an incident without text cannot be found."
  }

  validation {
    condition = alltrue([
      for name in var.incident_text_fields :
      can(regex("^[A-Za-z][A-Za-z0-9_]{0,63}$", name)) && !contains(["incident_id", "status", "kb_sync_status"], name)
    ])
    error_message = "Each of incident_text_fields must be an attribute's name (letter first, then letters, digits and underscores, 64 at most), and not incident_id, status or kb_sync_status, which are read anyhow."
  }
}

variable "incident_attribute_fields" {
  description = "For workflow incident_sync: attributes of an incident that a search filters by: texts, whole numbers, booleans, and lists or sets of texts."
  type        = list(string)
  default     = ["priority", "service", "category", "tags"]

  validation {
    condition = alltrue([
      for name in var.incident_attribute_fields :
      can(regex("^[A-Za-z][A-Za-z0-9_]{0,63}$", name)) && !contains(["incident_id", "status", "kb_sync_status"], name)
    ])
    error_message = "Each of incident_attribute_fields must be an attribute's name (letter first, then letters, digits and underscores, 64 at most), and not incident_id, status or kb_sync_status, which are read anyhow."
  }
}

variable "incident_date_fields" {
  description = "For workflow incident_sync: attributes of an incident that hold a date in ISO 8601. A search filters by the attribute itself, as text in UTC, and by <attribute>_epoch, its seconds since 1970."
  type        = list(string)
  default     = ["created_at", "updated_at", "closed_at"]

  validation {
    condition = alltrue([
      for name in var.incident_date_fields :
      can(regex("^[A-Za-z][A-Za-z0-9_]{0,63}$", name)) && !contains(["incident_id", "status", "kb_sync_status"], name)
    ])
    error_message = "Each of incident_date_fields must be an attribute's name (letter first, then letters, digits and underscores, 64 at most), and not incident_id, status or kb_sync_status, which are read anyhow."
  }
}

variable "receipts_table" {
  description = "For workflow vector_store: name of the table of receipts. Created unless create_receipts_table is false."
  type        = string
  default     = "receipts"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.receipts_table))
    error_message = "receipts_table must be a table's name (3 to 255 letters, digits, dots, dashes and underscores), not its ARN."
  }
}

variable "create_receipts_table" {
  description = "True creates the table of receipts, with keys pk and sk and a stream. False uses one that exists in this region: it needs those keys, and a stream of NEW_AND_OLD_IMAGES that at most one other reads."
  type        = bool
  default     = true
}

variable "store_bucket" {
  description = "For workflow vector_store: name of the bucket for deltas, snapshots, records of runs and exports, which nothing else is in. Created unless create_store_bucket is false."
  type        = string
  default     = null

  validation {
    condition     = var.store_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.store_bucket))
    error_message = "store_bucket must be a bucket's name (3 to 63 lowercase letters, digits, dots and dashes), without s3:// or a path."
  }
}

variable "create_store_bucket" {
  description = "True creates the store's bucket. False uses one that exists: expiring lines/changes/, lines/delta/, words/changes/, words/delta/ and exports/ after 60 days, and runs/ after 180, is then its owner's task, since a lifecycle configuration set here would replace the owner's."
  type        = bool
  default     = true
}

variable "export_buckets" {
  description = "For workflow vector_store: further buckets that exports (NDJSON to embed) may be read from. Those under exports/ in the store's bucket always may. What a bucket encrypts with a key, kms_key_arn must be the key of."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.export_buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", name))])
    error_message = "Each of export_buckets must be a bucket's name (3 to 63 lowercase letters, digits, dots and dashes), without s3:// or a path."
  }
}

variable "vector_store_image_uri" {
  description = "For workflow vector_store: container image of the functions that open Chroma, in ECR of this region, with a tag or a digest. A tag that was moved is not seen by Terraform, a digest is."
  type        = string
  default     = null

  validation {
    condition     = var.vector_store_image_uri == null || can(regex("^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?/[a-z0-9._/-]+(:[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})$", var.vector_store_image_uri))
    error_message = "vector_store_image_uri must be an image of ECR with its tag or digest: <account>.dkr.ecr.<region>.amazonaws.com/<repository>@sha256:<digest>. `make images` writes it to terraform/images.auto.tfvars.json."
  }
}

variable "embed_consumer" {
  description = "For workflow vector_store: who embeds exports. \"lambda\": a function; it reserves one of the account's concurrent executions, of which AWS keeps 100 for all others. \"ecs\": a Fargate task that runs all the time, in your subnets. There is never both: a lease keeps two from working at once, also while one takes the other's place."
  type        = string
  default     = "lambda"

  validation {
    condition     = contains(["lambda", "ecs"], var.embed_consumer)
    error_message = "embed_consumer must be \"lambda\" or \"ecs\"."
  }
}

variable "embed_image_uri" {
  description = "For embed_consumer \"ecs\": container image of the task, in ECR, with a tag or a digest. Another consumer does not use it."
  type        = string
  default     = null

  validation {
    condition     = var.embed_image_uri == null || can(regex("^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?/[a-z0-9._/-]+(:[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})$", var.embed_image_uri))
    error_message = "embed_image_uri must be an image of ECR with its tag or digest: <account>.dkr.ecr.<region>.amazonaws.com/<repository>@sha256:<digest>. `make images` writes it to terraform/images.auto.tfvars.json."
  }
}

variable "embed_subnet_ids" {
  description = "For embed_consumer \"ecs\": ids of the subnets that the task may run in."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.embed_subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "Each of embed_subnet_ids must be a subnet's id such as subnet-0123456789abcdef0: aws ec2 describe-subnets shows them."
  }
}

variable "embed_security_group_ids" {
  description = "For embed_consumer \"ecs\": ids of the task's security groups. It needs no way in, and HTTPS out."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.embed_security_group_ids : can(regex("^sg-[0-9a-f]{8,17}$", id))])
    error_message = "Each of embed_security_group_ids must be a security group's id such as sg-0123456789abcdef0: aws ec2 describe-security-groups shows them."
  }
}

variable "embed_assign_public_ip" {
  description = "For embed_consumer \"ecs\": true gives the task a public address, with which it reaches AWS from a public subnet."
  type        = bool
  default     = false
}

variable "embed_concurrency" {
  description = "For workflow vector_store: how many texts are embedded at once. They share embed_requests_per_second: more of them hide latency, they do not raise the rate."
  type        = number
  default     = 8

  validation {
    condition = (
      var.embed_concurrency >= 1 && var.embed_concurrency <= 64 && floor(var.embed_concurrency) == var.embed_concurrency
    )
    error_message = "embed_concurrency must be a whole number from 1 to 64."
  }
}

variable "embed_requests_per_second" {
  description = "For workflow vector_store: how many texts are embedded a second. Bedrock limits embedding by requests a minute: set it to a sixtieth of your account's quota \"On-demand model inference requests per minute for Amazon Titan Text Embeddings V2\" (aws service-quotas list-service-quotas --service-code bedrock), less what others use. When Bedrock throttles nevertheless, the worker waits."
  type        = number
  default     = 30

  validation {
    condition     = var.embed_requests_per_second >= 1 && var.embed_requests_per_second <= 1000
    error_message = "embed_requests_per_second must be from 1 to 1000; fractions are allowed."
  }
}

variable "embed_dimension" {
  description = "For workflow vector_store: numbers of a vector. A store keeps the dimension that it began with."
  type        = number
  default     = 512

  validation {
    condition     = contains([256, 512, 1024], var.embed_dimension)
    error_message = "embed_dimension must be 256, 512 or 1024, what Titan Text Embeddings V2 offers."
  }
}

variable "queue_mode" {
  description = "For workflow vector_store: what the queues of changes are. \"standard\": thousands of changes become one delta. \"fifo\": ten at most do, in their order. Changing it makes new queues: what is in the old ones is lost, and millrace store check --repair makes up for it."
  type        = string
  default     = "standard"

  validation {
    condition     = contains(["standard", "fifo"], var.queue_mode)
    error_message = "queue_mode must be \"standard\" or \"fifo\"."
  }
}

variable "change_batching_window_seconds" {
  description = "For queue_mode \"standard\": how long changes are collected before they become one delta; ten thousand of them, or 6 MB, end the wait. 0 does not wait, and takes ten at a time, which is all that Lambda offers without a window."
  type        = number
  default     = 30

  validation {
    condition = (
      var.change_batching_window_seconds >= 0
      && var.change_batching_window_seconds <= 300
      && floor(var.change_batching_window_seconds) == var.change_batching_window_seconds
    )
    error_message = "change_batching_window_seconds must be a whole number from 0 to 300."
  }
}

variable "compact_memory_mb" {
  description = "For workflow vector_store: memory of the functions that open Chroma, in MB; processor time grows with it."
  type        = number
  default     = 3008

  validation {
    condition = (
      var.compact_memory_mb >= 1024
      && var.compact_memory_mb <= 10240
      && floor(var.compact_memory_mb) == var.compact_memory_mb
    )
    error_message = "compact_memory_mb must be a whole number from 1024 to 10240, what Chroma needs and Lambda offers."
  }
}

variable "compact_storage_mb" {
  description = "For workflow vector_store: /tmp of the functions that open Chroma, in MB. It holds a snapshot three times."
  type        = number
  default     = 10240

  validation {
    condition = (
      var.compact_storage_mb >= 512
      && var.compact_storage_mb <= 10240
      && floor(var.compact_storage_mb) == var.compact_storage_mb
    )
    error_message = "compact_storage_mb must be a whole number from 512 to 10240, what Lambda offers."
  }
}

variable "compaction_poll_seconds" {
  description = "For workflow vector_store: how long an execution waits before it goes on with a compaction that one call did not end, or looks again at another execution's work."
  type        = number
  default     = 1

  validation {
    condition = (
      var.compaction_poll_seconds >= 1
      && var.compaction_poll_seconds <= 300
      && floor(var.compaction_poll_seconds) == var.compaction_poll_seconds
    )
    error_message = "compaction_poll_seconds must be a whole number from 1 to 300."
  }
}

variable "compaction_seconds_between_starts" {
  description = "For workflow vector_store: how far apart one collection's compactions are started. Each fetches and publishes the whole store, however little has changed."
  type        = number
  default     = 10

  validation {
    condition = (
      var.compaction_seconds_between_starts >= 1
      && var.compaction_seconds_between_starts <= 3600
      && floor(var.compaction_seconds_between_starts) == var.compaction_seconds_between_starts
    )
    error_message = "compaction_seconds_between_starts must be a whole number from 1 to 3600."
  }
}

variable "compaction_sweep_minutes" {
  description = "For workflow vector_store: how often the clock looks for requests that no execution serves, such as those of a compaction that failed. It is how long they wait at most."
  type        = number
  default     = 5

  validation {
    condition = (
      var.compaction_sweep_minutes >= 1
      && var.compaction_sweep_minutes <= 1440
      && floor(var.compaction_sweep_minutes) == var.compaction_sweep_minutes
    )
    error_message = "compaction_sweep_minutes must be a whole number from 1 to 1440 (a day)."
  }
}

variable "overdue_minutes" {
  description = "For workflow vector_store: how old a pending delta may be before a compaction is asked for again, which is looked at every five minutes. At four times that the notifications topic is told."
  type        = number
  default     = 15

  validation {
    condition = (
      var.overdue_minutes >= 5 && var.overdue_minutes <= 1440 && floor(var.overdue_minutes) == var.overdue_minutes
    )
    error_message = "overdue_minutes must be a whole number from 5 to 1440 (a day)."
  }
}

variable "snapshot_retention_days" {
  description = "For workflow vector_store: days that a snapshot is kept after it was written. The last three are kept however old they are."
  type        = number
  default     = 7

  validation {
    condition = (
      var.snapshot_retention_days >= 1
      && var.snapshot_retention_days <= 365
      && floor(var.snapshot_retention_days) == var.snapshot_retention_days
    )
    error_message = "snapshot_retention_days must be a whole number from 1 to 365."
  }
}

variable "kms_key_arn" {
  description = "ARN of a symmetric KMS key of this region that encrypts the buckets, tables, queues, topic, logs, executions and function settings. Null uses S3-managed and AWS-managed keys. docs/decisions/customer-key.md says what the key's own policy must allow. A bucket or table that exists must use this key, or none of yours."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be a key's ARN (arn:aws:kms:<region>:<account>:key/<id>), not an alias: aws kms describe-key --key-id alias/<name> shows it."
  }
}

variable "log_retention_days" {
  description = "Days that the logs of functions and executions are kept."
  type        = number
  default     = 90

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days,
    )
    error_message = "log_retention_days must be one that CloudWatch Logs offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "notification_email" {
  description = "Address that is told of every finished and failed job; AWS sends it a message to confirm first. Null subscribes nobody: use the topic of the output notifications_topic_arn."
  type        = string
  default     = null

  validation {
    condition     = var.notification_email == null || can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.notification_email))
    error_message = "notification_email must be one e-mail address such as search-team@example.com, or null."
  }
}

variable "package_dir" {
  description = "Folder with the zips that `make package` builds, absolute or relative to the folder that Terraform runs in."
  type        = string
  default     = "../build"
}
