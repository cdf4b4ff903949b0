"""A vendor's settings are read, checked, recorded and read back."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import STEADY, json_values

from dt_logs_cfn.errors import DtLogsError, SettingsError
from dt_logs_cfn.settings import PARTITIONS, FunctionSettings, Settings, Vendor

ACCOUNT = "999988887777"
URL = "https://logs.example.com/in?token=a%2Fb"
QUEUE = "arn:aws-us-gov:sqs:us-gov-west-1:999988887777:logs"
BASE = "https://releases.example.com/dt-logs"

vendors = st.builds(
    Vendor,
    st.sampled_from(PARTITIONS),
    st.sampled_from(["", ACCOUNT]),
    st.sampled_from(["", URL]),
    st.sampled_from(["", BASE]),
)
functions = st.builds(
    FunctionSettings,
    st.sampled_from(["python3.12", "python3.13"]),
    st.integers(128, 10_240),
    st.integers(60, 900),
    st.sampled_from([1, 90, 3653]),
)
all_settings = st.builds(
    Settings,
    st.lists(vendors, unique_by=lambda vendor: vendor.partition).map(tuple),
    functions,
)


def test_a_file_sets_what_it_names(tmp_path: Path) -> None:
    """A file may begin with a byte order mark. A percent sign does not have a special meaning."""
    path = tmp_path / "release.cfg"
    path.write_text(
        f"\ufeff[aws-us-gov]\nnotification_endpoint = {QUEUE}\n[aws]\nbase_url = {BASE}\n"
        f"notification_endpoint = {URL}\n[aws-cn]\nbase_url =\n"
        "[function]\nruntime = python3.12\nmemory = 1024\ntimeout =\nlog_retention = 30\n",
        "utf-8",
    )

    loaded = Settings.load(path)

    vendors = (Vendor("aws", "", URL, BASE), Vendor("aws-us-gov", "", QUEUE))
    assert loaded == Settings(vendors, FunctionSettings("python3.12", 1024, 900, 30))
    assert loaded == Settings.load(str(path))
    assert loaded.vendor("aws").notification_endpoint == URL
    assert loaded.vendor("aws-cn") == Vendor("aws-cn")
    recorded = {"runtime": "python3.12", "memory": "1024", "log_retention": "30"}
    assert loaded.to_metadata()["function"] == recorded


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[aws]\nvendor_account_id = 12345678901\n", "'12345678901'"),
        ("[aws]\nvendor_account_id = 9999-8888-7777\n", "vendor_account_id"),
        ("[aws]\nnotification_endpoint = http://logs.example.com\n", "https URL"),
        (f"[aws]\nnotification_endpoint = {QUEUE}\n", "partition aws"),
        (f"[aws-us-gov]\nnotification_endpoint = {QUEUE}.fifo\n", "standard SQS queue"),
        (f"[aws]\nbase_url = {BASE}/\n", "without a slash"),
        (f"[aws]\nbase_url = {BASE}?versionId=1\n", "base_url"),
        (f"[aws]\nbase_url = {BASE}/../x\n", "base_url"),
        (f"[aws]\nbase_url = {BASE}/.\n", "base_url"),
        ("[aws]\nbase_uri = https://x.example.com\n", "'base_uri'"),
        ("[azure]\n", "'azure'"),
        ("[function]\nmemory = 64\n", "64"),
        ("[function]\nmemory = 1 GB\n", "'1 GB'"),
        ("[function]\ntimeout = 901\n", "60 to 900 seconds"),
        ("[function]\ntimeout = 30\n", "60 to 900 seconds"),
        ("[function]\nruntime = nodejs22.x\n", "'nodejs22.x'"),
        ("[function]\nlog_retention = 91\n", "91"),
        ("[function]\nretention = 90\n", "'retention'"),
        ("[DEFAULT]\nvendor_account_id = 999988887777\n", "'DEFAULT'"),
        ("vendor_account_id = 999988887777\n", "is not a settings file"),
        ("[aws]\n[aws]\n", "is not a settings file"),
    ],
)
def test_a_file_that_does_not_hold_is_refused_by_name(
    tmp_path: Path, text: str, names: str
) -> None:
    path = tmp_path / "release.cfg"
    path.write_text(text, "utf-8")

    with pytest.raises(SettingsError, match=r"release\.cfg|section|Name|Use|Give") as refused:
        Settings.load(path)

    assert names in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("missing", "cannot be read"),
        ("", "cannot be read"),
        ("bytes", "is not a settings file"),
        ("pipe", "pipe cannot be read: it is a pipe that nothing writes to"),  # at once
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "bytes").write_bytes(b"[aws]\n\xff")
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(SettingsError, match=told):
        Settings.load(tmp_path / name)


@STEADY
@given(all_settings)
def test_what_is_recorded_can_be_read_back_in_any_order_of_vendors(settings: Settings) -> None:
    assert settings == Settings.from_metadata(settings.to_metadata())
    assert settings == Settings(tuple(reversed(settings.vendors)), settings.function)


def test_what_partitions_have_in_common_is_recorded_once() -> None:
    """This keeps templates small: partitions often share an endpoint, which may be long."""
    china = Vendor("aws-cn", "444455556666", "https://logs.example.com/in")
    aws = replace(china, partition="aws", vendor_account_id=ACCOUNT)

    assert Settings((aws, china)).to_metadata() == {
        "all": {"notification_endpoint": "https://logs.example.com/in"},
        "aws": {"vendor_account_id": ACCOUNT},
        "aws-cn": {"vendor_account_id": "444455556666"},
    }


@STEADY
@given(
    json_values
    | st.dictionaries(
        st.sampled_from([*PARTITIONS, "all", "function", "x"]),
        st.dictionaries(
            st.sampled_from(["vendor_account_id", "base_url", "partition", "memory", "x"]),
            st.sampled_from(["", ACCOUNT, BASE, "256"]) | json_values,
        )
        | json_values,
    )
)
def test_a_foreign_record_is_settings_or_refused(value: Any) -> None:
    try:
        settings = Settings.from_metadata(value)
    except DtLogsError:
        return
    assert settings == Settings.from_metadata(settings.to_metadata())


def test_a_partition_comes_once_and_the_default_is_of_one_or_there_is_none() -> None:
    commercial = Vendor("aws", ACCOUNT)
    government = Vendor("aws-us-gov", "", QUEUE)
    published = Vendor("aws-cn", base_url=BASE)

    assert Settings().default is None
    assert commercial == Settings((commercial, published)).default
    assert government == Settings((government,)).default
    assert Settings((commercial, government)).default is None
    with pytest.raises(SettingsError, match="twice"):
        Settings((commercial, Vendor("aws")))
