"""A model may think for as long as a call may take, unless an operator says otherwise."""

import re
from pathlib import Path

import pytest

from llm_api.domain.upstream_plans import Timeouts
from llm_api.settings.definitions import SETTINGS
from llm_api.settings.settings import Settings
from tests.support.service import REPOSITORY_ROOT

LONGEST_SILENCE_S = 330  # of reports of models that were at work
TOTAL, STREAM = "UPSTREAM_TOTAL_TIMEOUT", "UPSTREAM_STREAM_TIMEOUT"


def timeouts(root: Path, **env: str) -> Timeouts:
    """Read the time-outs of an environment."""
    (root / "config").symlink_to(REPOSITORY_ROOT / "config")
    return Settings.from_env(env, root=root).timeouts


def test_no_model_that_thinks_is_cut_by_default(tmp_path: Path) -> None:
    read = timeouts(tmp_path)

    assert read == Timeouts(connect=3, first_byte=600, idle=600, total=600, stream=1800)
    assert min(read.first_byte, read.idle) > LONGEST_SILENCE_S


def test_silences_are_as_long_as_the_whole(tmp_path: Path) -> None:
    read = timeouts(tmp_path, UPSTREAM_TOTAL_TIMEOUT="90")

    assert (read.first_byte, read.idle, read.total) == (90, 90, 90)


@pytest.mark.parametrize("name", ["first_byte", "idle"])
def test_a_shorter_silence_may_be_set(tmp_path: Path, name: str) -> None:
    read = timeouts(tmp_path, **{f"UPSTREAM_{name.upper()}_TIMEOUT": "20"})

    others = {"first_byte": 600.0, "idle": 600.0} | {name: 20.0}
    assert {"first_byte": read.first_byte, "idle": read.idle} == others


def test_nginx_waits_longer_than_a_call_takes() -> None:
    text = (REPOSITORY_ROOT / "docs" / "nginx.conf").read_text()

    [seconds] = re.findall(r"proxy_read_timeout (\d+)s;", text)

    assert int(seconds) > float(SETTINGS[TOTAL].default)
    assert float(SETTINGS[STREAM].default) >= float(SETTINGS[TOTAL].default)
