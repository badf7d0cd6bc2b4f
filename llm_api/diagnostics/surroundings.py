"""Checks of what surrounds the service: the names in its environment, and who can reach it."""

from collections.abc import Sequence

from llm_api.diagnostics.results import CheckResult, ok, warn
from llm_api.domain.access import AccessPlan
from llm_api.runtime.installation import COMMAND

_REQUIRE = f"Set REQUIRE_API_KEY=true, and create a key with `{COMMAND} keys create NAME`."


def names_of_settings(warnings: Sequence[str]) -> CheckResult:
    """Check that no variable is probably meant to be a setting and is none.

    `warnings` are sentences about those that are.
    """
    if warnings:
        advice = "Correct the name, or remove it from the environment and .env."
        return warn(" ".join(warnings), advice)
    return ok("No variable looks like a misspelt setting.")


def open_access(access: AccessPlan, *, is_local: bool) -> CheckResult:
    """Check that who can reach the service needs a key.

    `is_local` says that it listens on this machine alone. A proxy on it makes the service public
    all the same: TRUSTED_PROXIES and CORS_ORIGINS tell of one.
    """
    if access.requires_key:
        return ok("Every call needs a key.")
    if access.trusted_proxies:
        found = "TRUSTED_PROXIES says that a proxy is in front"
    elif not is_local:
        found = "The service listens beyond this machine"
    elif any(origin.startswith("https:") for origin in access.cors_origins):
        found = "CORS_ORIGINS names pages of the internet"
    else:
        return ok("No key is required, and only this machine can call, unless a proxy passes on.")
    return warn(f"{found}, and no key is required: whoever reaches it spends your money.", _REQUIRE)
