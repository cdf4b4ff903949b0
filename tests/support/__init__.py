"""What several test suites share: CloudFormation's events, a run of one, an account in moto."""
