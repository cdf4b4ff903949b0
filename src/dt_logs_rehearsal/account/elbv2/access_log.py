"""What an application load balancer writes into its access logs.

[ELB guide, load-balancer-access-logs.md]: space-separated fields in a fixed order, texts in quotes,
one line a request, gzipped.
"""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

FIELDS = 30  # of a line


@dataclass(frozen=True)
class Visit:
    """A request that a client made; `path` is what it asked for."""

    client: str
    path: str
    status: int = 200


def log_file(load_balancer: str, visits: Sequence[Visit], now: float) -> bytes:
    """Return a log file of a load balancer, by its ARN, that reports visits."""
    lines = "".join(f"{_line(load_balancer, visit, now)}\n" for visit in visits)
    return gzip.compress(lines.encode(), mtime=0)


def _line(load_balancer: str, visit: Visit, now: float) -> str:
    stamp = datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    scope, _, name = load_balancer.partition(":loadbalancer/")
    short = name.split("/")[1]
    host, certificate = f"{short}.example.com", scope.replace("elasticloadbalancing", "acm")
    return (
        f"https {stamp} {name} {visit.client}:49152 10.0.0.10:8080 0.001 0.024 0.000"
        f" {visit.status} {visit.status} 218 1043"
        f' "GET https://{host}:443{visit.path} HTTP/1.1" "curl/8.9.1"'
        f" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 {scope}:targetgroup/{short}/0123456789abcdef"
        f' "Root=1-{int(now):08x}-{0x5EED:024x}" "{host}" "{certificate}:certificate/0"'
        f' 0 {stamp} "forward" "-" "-" "10.0.0.10:8080" "{visit.status}" "-" "-" TID_0000'
    )
