"""Builds what tells operators how the service is at the moment."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, TypedDict

from llm_api.container.metrics import build_gauges
from llm_api.container.stores import Stores
from llm_api.runtime.native_threads import NativeThreads
from llm_api.services.gauges import Gauges
from llm_api.services.upstream_states import UpstreamStates
from llm_api.services.usage.ledger import UsageLedger
from llm_api.settings.settings import Settings
from llm_api.upstream.client import UpstreamClient
from llm_api.upstream.media.vendor_client import VendorClient


class Operating(TypedDict):
    """What tells how the service is, by the names of Services' fields."""

    gauges: Gauges
    upstreams: UpstreamStates
    diagnose: Callable[[], list[dict[str, str]]]


def build_operating(
    settings: Settings,
    stores: Stores,
    ledger: UsageLedger,
    upstreams: Mapping[str, UpstreamClient],
    makers: Sequence[VendorClient[Any, Any]],
) -> Operating:
    """Build it; the doctor's checks run in a thread that may wait for databases and sockets.

    They are a command's, and imported when they are first asked for: see `llm_api.cli.commands`.
    """
    gauges = build_gauges(stores, ledger, upstreams, makers)
    thread = NativeThreads(1)
    return {
        "gauges": gauges,
        "upstreams": UpstreamStates([*upstreams.values(), *makers], gauges),
        "diagnose": lambda: thread.run(partial(_free_findings, settings)),
    }


def _free_findings(settings: Settings) -> list[dict[str, str]]:
    found: list[dict[str, str]] = import_module("llm_api.cli.doctor").free_findings(settings)
    return found
