# Data Theorem Logs Analysis 0.1.0: a CloudFormation StackSet as a Terraform module, with a
# stack for all load balancers in each account of organizational units and each region.
#
# module "logs_analysis" {
#   source                  = "./terraform/stack-set"
#   organizational_unit_ids = ["ou-abcd-11112222"]
#   regions                 = ["eu-west-1"]
# }

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.67"
    }
  }
}

variable "stack_set_name" {
  description = "The stack set's name."
  type        = string
  default     = "dt-logs-analysis"
}

variable "organizational_unit_ids" {
  description = "The organizational units, or the root. The management account is never included."
  type        = list(string)
}

variable "regions" {
  description = "The regions of the load balancers."
  type        = list(string)
}

variable "auto_deployment" {
  description = "Whether accounts that join a unit later get a stack, and accounts that leave lose it."
  type        = bool
  default     = false
}

variable "call_as" {
  description = "SELF in the management account, DELEGATED_ADMIN in a delegated administrator account."
  type        = string
  default     = "SELF"
}

variable "failure_tolerance_percentage" {
  description = "The percentage of accounts in a region that may fail before CloudFormation stops."
  type        = number
  default     = 0
}

variable "max_concurrent_percentage" {
  description = "The percentage of accounts in a region that CloudFormation works on at once; at least one."
  type        = number
  default     = 1
}

variable "privileges" {
  description = "The template: least-privilege or documented."
  type        = string
  default     = "least-privilege"

  validation {
    condition     = contains(["least-privilege", "documented"], var.privileges)
    error_message = "Give least-privilege or documented."
  }
}

variable "tags" {
  description = "The stack's tags."
  type        = map(string)
  default     = {}
}

variable "data_theorem_account_id" {
  description = "The AWS account that may read the logs. 12 digits."
  type        = string
}

variable "notification_endpoint" {
  description = "Where new logs are announced. An https URL, or a standard SQS queue's ARN."
  type        = string
}

variable "vendor_read_scope" {
  description = "If the log location is shared: LoadBalancer grants only your load balancers' logs, Location all. LoadBalancer or Location."
  type        = string
  default     = "LoadBalancer"
}

variable "resource_tags" {
  description = "Tags for what the Lambda creates. key=value,key=value; no key starts with aws:."
  type        = list(string)
  default     = []
}

variable "run_token" {
  description = "Change it to run the Lambda again."
  type        = string
  default     = ""
}

variable "log_bucket_name" {
  description = "For load balancers without a log bucket; created if missing. Empty: we choose a name. A bucket name."
  type        = string
  default     = ""
}

variable "log_retention_days" {
  description = "Days to keep logs in a bucket that we create."
  type        = number
  default     = 30
}

variable "existing_log_bucket_names" {
  description = "The only existing buckets that the Lambda may use. Empty: any log bucket. Bucket names."
  type        = list(string)
  default     = []
}

variable "refresh_schedule" {
  description = "How often the Lambda adds new load balancers and repairs overwritten settings. rate(1 hour/day), rate(N hours/days); empty: never."
  type        = string
  default     = ""
}

variable "lambda_execution_role_name" {
  description = "Empty: CloudFormation chooses. A role name."
  type        = string
  default     = ""
}

variable "lambda_execution_role_path" {
  description = "Starts and ends with a slash. Like / or /teams/logs/."
  type        = string
  default     = "/"
}

variable "lambda_function_name" {
  description = "Empty: CloudFormation chooses. To change it, recreate the stack. A function name."
  type        = string
  default     = ""
}

variable "permissions_boundary_arn" {
  description = "The permissions boundary of the Lambda's role, if you need one. A policy's ARN."
  type        = string
  default     = ""
}

locals {
  # A file of this release, not a URL, so the release's checksums cover it.
  template = {
    least-privilege = "dt-logs-analysis.template.json"
    documented      = "dt-logs-analysis-documented.template.json"
  }[var.privileges]

  values = {
    DataTheoremAccountId    = var.data_theorem_account_id
    NotificationEndpoint    = var.notification_endpoint
    LoadBalancerArns        = "*"
    VendorReadScope         = var.vendor_read_scope
    ResourceTags            = join(",", var.resource_tags)
    RunToken                = var.run_token
    LogBucketName           = var.log_bucket_name
    LogRetentionDays        = var.log_retention_days
    ExistingLogBucketNames  = join(",", var.existing_log_bucket_names)
    RefreshSchedule         = var.refresh_schedule
    LambdaExecutionRoleName = var.lambda_execution_role_name
    LambdaExecutionRolePath = var.lambda_execution_role_path
    LambdaFunctionName      = var.lambda_function_name
    PermissionsBoundaryArn  = var.permissions_boundary_arn
  }
  # The documented template does not have all parameters.
  parameters = {
    for name, value in local.values : name => value
    if var.privileges == "least-privilege" || !contains(["RefreshSchedule"], name)
  }
}

resource "aws_cloudformation_stack_set" "logs_analysis" {
  name             = var.stack_set_name
  permission_model = "SERVICE_MANAGED"
  call_as          = var.call_as
  capabilities     = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
  template_body    = file("${path.module}/../../${local.template}")
  tags             = var.tags
  parameters       = local.parameters

  auto_deployment {
    enabled                          = var.auto_deployment
    retain_stacks_on_account_removal = false
  }

  operation_preferences {
    failure_tolerance_percentage = var.failure_tolerance_percentage
    max_concurrent_percentage    = var.max_concurrent_percentage
  }

  lifecycle {
    ignore_changes = [administration_role_arn] # CloudFormation fills in its own

    precondition {
      condition     = var.privileges == "least-privilege" || (var.refresh_schedule == "")
      error_message = "The documented template does not have RefreshSchedule."
    }
  }
}

resource "aws_cloudformation_stack_instances" "logs_analysis" {
  stack_set_name = aws_cloudformation_stack_set.logs_analysis.name
  call_as        = var.call_as
  regions        = var.regions

  deployment_targets {
    organizational_unit_ids = var.organizational_unit_ids
  }

  operation_preferences {
    failure_tolerance_percentage = var.failure_tolerance_percentage
    max_concurrent_percentage    = var.max_concurrent_percentage
  }
}

output "stack_set_id" {
  value = aws_cloudformation_stack_set.logs_analysis.stack_set_id
}
