"""What the launch page is made from: the settings, and the release's other files."""

from collections.abc import Mapping
from dataclasses import dataclass

from dt_logs_cfn.pages.links import template_url
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.template.added import Customization


@dataclass(frozen=True)
class Contents:
    """The files of a release by name, which of them are the templates, and who changed those."""

    settings: Settings
    files: Mapping[str, bytes]
    templates: Mapping[Privileges, str]
    role_template: str
    customization: Customization | None = None

    def url(self, partition: str, name: str) -> str:
        """Return a file's URL in a partition; empty if it is not published there."""
        return template_url(self.settings.vendor(partition).base_url, name)

    def parameters(self, partition: str) -> dict[str, str]:
        """Return the parameters that the vendor has set for a partition."""
        vendor = self.settings.vendor(partition)
        found = {
            "DataTheoremAccountId": vendor.vendor_account_id,
            "NotificationEndpoint": vendor.notification_endpoint,
        }
        return {name: value for name, value in found.items() if value}
