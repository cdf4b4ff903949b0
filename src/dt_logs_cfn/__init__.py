"""Generate the CloudFormation release that onboards ALB access logs."""

__version__ = "0.1.0"
