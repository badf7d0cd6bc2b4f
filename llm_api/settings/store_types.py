"""Types of the settings that name a store."""

from llm_api.domain.redis_addresses import parse_nodes
from llm_api.settings.setting_types import IMPORT_NAME, SettingType, store_url


def _shared_store(text: str) -> str:
    if parse_nodes(text) is None:
        _ONE_SERVER.parse(text)
    return text


def _usage_store(text: str) -> str:
    (_CLICKHOUSE if "://" in text else IMPORT_NAME).parse(text)
    return text


_ONE_SERVER = store_url("memory", "redis", "rediss", "redis+unix", "valkey", "valkeys")
SHARED_STORE = SettingType(
    "URL",
    f"{_ONE_SERVER.expected}. Of a cluster it is redis+cluster://host:6379,host:6379, behind"
    " sentinels redis+sentinel://host:26379,host:26379/service",
    _shared_store,
    is_secret=True,
)
_CLICKHOUSE = store_url("clickhouse", "clickhouses")
USAGE_STORE = SettingType(
    "URL",
    f"{_CLICKHOUSE.expected}; or {IMPORT_NAME.expected}",
    _usage_store,
    is_secret=True,
)
