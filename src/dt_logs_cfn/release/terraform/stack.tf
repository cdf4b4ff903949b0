# Data Theorem Logs Analysis @VERSION@: one CloudFormation stack as a Terraform module.
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

@PARAMETERS@
resource "aws_cloudformation_stack" "logs_analysis" {
  name          = var.stack_name
  iam_role_arn  = var.service_role_arn
  capabilities  = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
  template_body = file("${path.module}/../${local.template}")
  tags          = var.tags
  parameters    = local.parameters

  lifecycle {
@PRECONDITION@
  }
}
