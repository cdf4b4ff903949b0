"""Read CloudFormation templates: resolve intrinsic functions, and check parameter values."""
