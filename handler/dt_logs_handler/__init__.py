"""The Lambda function behind the custom resource: it makes ALB access logs flow to Data Theorem."""
