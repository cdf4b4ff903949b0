"""Emulate CloudFormation: `api` takes calls, `engine` runs stacks and their change sets."""
