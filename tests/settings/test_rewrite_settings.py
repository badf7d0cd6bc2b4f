"""Where rewrites are kept."""

import pytest

from llm_api.domain.rewrites import RewritesPlan
from llm_api.settings.settings import SettingsError
from tests.conftest import SettingsOf


def test_rewrites_are_kept_in_memory_unless_told_otherwise(settings_of: SettingsOf) -> None:
    redis = {"REWRITE_STORE": "redis", "RATELIMIT_STORAGE_URI": "redis://127.0.0.1:1"}

    plans = [
        settings_of({}).rewrites,
        settings_of({"REWRITE_STORE": "sql", "REWRITE_RETENTION_DAYS": "7"}).rewrites,
        settings_of(redis).rewrites,
        settings_of({"REWRITE_STORE": "off"}).rewrites,
    ]

    assert plans == [
        RewritesPlan("memory", 30),
        RewritesPlan("sql", 7),
        RewritesPlan("redis", 30),
        RewritesPlan("off", 30),
    ]


def test_a_store_that_is_none_is_refused(settings_of: SettingsOf) -> None:
    told = []
    for env in ({"REWRITE_STORE": "redis"}, {"REWRITE_STORE": "disk"}):
        with pytest.raises(SettingsError) as caught:
            settings_of(env)
        told += caught.value.problems

    needs_redis = (
        "REWRITE_STORE is redis, and RATELIMIT_STORAGE_URI is not; it must be the redis://"
        " address of the Redis to use."
    )
    assert told == [needs_redis, "REWRITE_STORE must be off, memory, redis or sql."]
