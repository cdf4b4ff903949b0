"""IAM: the permissions that a call needs, and the policies that grant them. Start with `access`."""
