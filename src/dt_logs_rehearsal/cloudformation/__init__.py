"""Emulate CloudFormation: `engine` runs stacks. Its API is with the tests of what calls it."""
