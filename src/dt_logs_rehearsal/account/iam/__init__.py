"""IAM: which rights a call needs, and whether policies grant them. Open `access` first."""
