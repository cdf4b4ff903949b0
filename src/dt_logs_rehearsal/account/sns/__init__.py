"""SNS: topics, and subscriptions with their filter policies."""
