variable "privileges" {
  description = "The template: least-privilege or documented."
  type        = string
  default     = "least-privilege"

  validation {
    condition     = contains(["least-privilege", "documented"], var.privileges)
    error_message = "Give least-privilege or documented."
  }
}

variable "tags" {
  description = "The stack's tags."
  type        = map(string)
  default     = {}
}

@VARIABLES@
locals {
  # A file of this release, not a URL, so the release's checksums cover it.
  template = {
    least-privilege = "dt-logs-analysis.template.json"
    documented      = "dt-logs-analysis-documented.template.json"
  }[var.privileges]

  values = {
@VALUES@
  }
  # The documented template does not have all parameters.
  parameters = {
    for name, value in local.values : name => value
    if var.privileges == "least-privilege" || !contains([@LACKING@], name)
  }
}
