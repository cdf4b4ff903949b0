# Data Theorem Logs Analysis @VERSION@: a CloudFormation StackSet as a Terraform module, with a
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

@PARAMETERS@
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

@PRECONDITION@
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
