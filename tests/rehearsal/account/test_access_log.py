"""The access log files that the emulated load balancer writes."""

import gzip
import shlex

from dt_logs_rehearsal.account.elbv2.delivery import Visit, log_file

NAMES = (
    *("type", "time", "elb", "client:port", "target:port", "request_processing_time"),
    *("target_processing_time", "response_processing_time", "elb_status_code"),
    *("target_status_code", "received_bytes", "sent_bytes", "request", "user_agent"),
    *("ssl_cipher", "ssl_protocol", "target_group_arn", "trace_id", "domain_name"),
    *("chosen_cert_arn", "matched_rule_priority", "request_creation_time"),
    *("actions_executed", "redirect_url", "error_reason", "target:port_list"),
    *("target_status_code_list", "classification", "classification_reason", "conn_trace_id"),
)
WEB = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"


def test_a_line_has_every_field_in_the_documented_order() -> None:
    body = log_file(WEB, [Visit("192.0.2.7", "/a?b=c", 404)], 1_800_000_000.0)
    (line,) = gzip.decompress(body).decode().splitlines()
    found = dict(zip(NAMES, shlex.split(line), strict=True))
    assert found["elb"] == "app/web/0123456789abcdef"
    assert found["time"] == "2027-01-15T08:00:00.000000Z"
    assert found["client:port"] == "192.0.2.7:49152"
    assert found["elb_status_code"] == "404"
    assert found["request"] == "GET https://web.example.com:443/a?b=c HTTP/1.1"


def test_the_same_visits_give_the_same_file() -> None:
    visits = [Visit("192.0.2.7", "/")] * 2
    assert log_file(WEB, visits, 0.0) == log_file(WEB, visits, 0.0)
