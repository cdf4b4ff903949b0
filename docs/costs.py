"""Calculate the monthly costs of S3 and SNS requests from how often load balancers write logs."""

from dataclasses import dataclass

# Elastic Load Balancing publishes a log file for each load balancer node every 5 minutes
# [AWS, "Access logs for your Application Load Balancer"]; a load balancer has at least two nodes,
# one in each Availability Zone. A month has 730 hours.
NODES = 2
FILES = NODES * 12 * 730

# List prices of one request in us-east-1, in US dollars and without free tiers. AWS may change
# them; see its price pages.
PUT = 0.005 / 1_000
GET = 0.0004 / 1_000
PUBLISH = 0.50 / 1_000_000
HTTPS = 0.60 / 1_000_000


@dataclass(frozen=True)
class Cost:
    """The monthly costs for a number of load balancers with NODES nodes each."""

    load_balancers: int

    @property
    def files(self) -> int:
        """The number of log files a month; each is assumed to be announced once and read once."""
        return self.load_balancers * FILES

    @property
    def dollars(self) -> dict[str, float]:
        """The monthly costs in US dollars, by service and kind of request."""
        return {
            "S3, writes": self.files * PUT,
            "S3, reads by Data Theorem": self.files * GET,
            "SNS, publishing": self.files * PUBLISH,
            "SNS, deliveries over HTTPS": self.files * HTTPS,
        }


def table() -> str:
    """Return the monthly costs for 1, 100 and 10,000 load balancers as a Markdown table."""
    found = [Cost(number) for number in (1, 100, 10_000)]
    lines = [
        "| Per month | " + " | ".join(f"{_number(each.load_balancers)}" for each in found) + " |",
        "| --- |" + " --: |" * len(found),
        "| log files | " + " | ".join(f"{each.files:,}" for each in found) + " |",
    ]
    for name in found[0].dollars:
        cells = " | ".join(f"${each.dollars[name]:,.2f}" for each in found)
        lines.append(f"| {name} | {cells} |")
    sums = " | ".join(f"**${sum(each.dollars.values()):,.2f}**" for each in found)
    return "\n".join([*lines, f"| **total** | {sums} |", ""])


def _number(count: int) -> str:
    return f"{count:,} load balancer{'s' if count > 1 else ''}"
