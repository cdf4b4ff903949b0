"""What several test suites share: accounts, CloudFormation's events, and runs of commands."""
