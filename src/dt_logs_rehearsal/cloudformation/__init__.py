"""Emulate CloudFormation: `engine` runs stacks; `tools/cloudformation_api` adds the API."""
