"""Helpers that several test suites share: accounts, CloudFormation's events, runs of commands."""
