"""Emulate CloudFormation: `engine` runs stacks. Its API is in `tools/cloudformation_api`."""
