# Data Theorem Logs Analysis 0.1.0: one CloudFormation stack as a Terraform module.
#
# module "logs_analysis" {
#   source             = "./terraform"
#   service_role_arn   = "arn:aws:iam::ACCOUNT:role/ROLE" # from cloudformation-role.template.json
#   load_balancer_arns = ["ARN"]
# }

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 4.0"
    }
  }
}

variable "stack_name" {
  description = "The stack's name. The service role accepts names that start like the default."
  type        = string
  default     = "dt-logs-analysis"
}

variable "service_role_arn" {
  description = "The service role that CloudFormation uses for the stack."
  type        = string
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

variable "load_balancer_arns" {
  description = "Application load balancers of this account and region; * for all. ARNs (arn:...:loadbalancer/app/NAME/ID), or *."
  type        = list(string)
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
    LoadBalancerArns        = join(",", var.load_balancer_arns)
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

resource "aws_cloudformation_stack" "logs_analysis" {
  name          = var.stack_name
  iam_role_arn  = var.service_role_arn
  capabilities  = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
  template_body = file("${path.module}/../${local.template}")
  tags          = var.tags
  parameters    = local.parameters

  lifecycle {
    precondition {
      condition     = var.privileges == "least-privilege" || (var.refresh_schedule == "")
      error_message = "The documented template does not have RefreshSchedule."
    }
  }
}

output "log_buckets" {
  value = try(aws_cloudformation_stack.logs_analysis.outputs["LogBuckets"], null)
}

output "topic_arns" {
  value = try(aws_cloudformation_stack.logs_analysis.outputs["TopicArns"], null)
}

output "subscription_arns" {
  value = try(aws_cloudformation_stack.logs_analysis.outputs["SubscriptionArns"], null)
}

output "not_onboarded" {
  value = try(aws_cloudformation_stack.logs_analysis.outputs["NotOnboarded"], null)
}

output "warnings" {
  value = try(aws_cloudformation_stack.logs_analysis.outputs["Warnings"], null)
}

output "template_version" {
  value = try(aws_cloudformation_stack.logs_analysis.outputs["TemplateVersion"], null)
}

output "handler_sha256" {
  value = try(aws_cloudformation_stack.logs_analysis.outputs["HandlerSha256"], null)
}
