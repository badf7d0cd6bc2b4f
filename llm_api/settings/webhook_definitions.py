"""The settings of webhooks, which report the ends of jobs."""

import base64

from llm_api.settings import setting_types as types
from llm_api.settings.setting_types import Section, Setting, SettingType, listed

_MOST_SECRETS = 2  # the present one, and the one before a rotation
_KEY_BYTES = range(24, 65)  # as the specification has it


def _secrets(text: str) -> tuple[str, ...]:
    """Read secrets strictly.

    Libraries drop in silence what is no base64, some of them, and sign with another key then.
    """
    secrets = tuple(listed(text))
    if not 1 <= len(secrets) <= _MOST_SECRETS:
        raise ValueError
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        if not secret.startswith("whsec_") or len(key) not in _KEY_BYTES:
            raise ValueError
    return secrets


_SECRETS = SettingType(
    "secrets",
    "whsec_ and 24 to 64 bytes in base64; `echo whsec_$(openssl rand -base64 32)` makes one. At a"
    " rotation two, separated by a comma, the new one first",
    _secrets,
    (),
    is_secret=True,
)

_ADDRESSES = SettingType(
    "addresses",
    "https:// addresses separated by commas, without user names",
    lambda text: tuple(listed(text)),
    (),
    is_secret=True,  # receivers have tokens in their addresses
)

WEBHOOK_SECTION = Section(
    "Webhooks: reports of ended jobs to a caller's callback_url, and alerts",
    (
        Setting(
            "WEBHOOK_SECRET",
            _SECRETS,
            "What reports and alerts are signed with, as Standard Webhooks are.",
            "Empty: a callback_url is refused, and ALERT_WEBHOOK_URLS must be empty. Two, separated"
            " by a comma, both sign: the new one first.",
            example="WEBHOOK_SECRET=whsec_...",
        ),
        Setting(
            "WEBHOOK_ALLOW_PRIVATE",
            types.BOOLEAN,
            "Whether reports and alerts may go to private addresses, and by http.",
            "false: to https addresses of public hosts alone.",
            default="false",
        ),
        Setting(
            "ALERT_WEBHOOK_URLS",
            _ADDRESSES,
            "Where alerts are sent: budgets, circuits, refused keys and accounts, the judge.",
            "Empty: nowhere. Separated by commas. Needs WEBHOOK_SECRET.",
            example="ALERT_WEBHOOK_URLS=https://alerts.example.com/llm-api",
        ),
    ),
)
