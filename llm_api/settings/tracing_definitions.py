"""The settings of tracing; those of OpenTelemetry have the names that its specification gives them.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import re
from importlib.util import find_spec
from urllib.parse import unquote

from llm_api.domain.tracing import PARENT, SAMPLERS
from llm_api.settings import setting_types as types
from llm_api.settings.setting_types import Section, Setting, SettingType, listed

TRACES_PATH = "/v1/traces"  # below the base address, as the specification has it
_PROTOCOL = "http/protobuf"
_PACKAGE = "opentelemetry.exporter.otlp.proto.http"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # of a header: RFC 9110, 5.6.2
NO_PACKAGES = (
    "Nothing is traced: OTEL_EXPORTER_OTLP_ENDPOINT is set, and the packages of"
    " requirements/tracing.txt are not installed. `make tracing` installs them."
)


def _pairs(text: str) -> dict[str, str]:
    """Read `name=value` pairs, whose values may have signs written as %XX."""
    found = {}
    for pair in listed(text):
        name, is_there, value = pair.partition("=")
        value = unquote(value.strip(), errors="strict")
        if not is_there or not _NAME.fullmatch(name.strip()) or not value.isprintable():
            raise ValueError
        found[name.strip()] = value
    return found


def _headers(text: str) -> dict[str, str]:
    """Read headers, whose values are ASCII."""
    headers = {name.lower(): value for name, value in _pairs(text).items()}
    if not all(map(str.isascii, headers.values())):
        raise ValueError
    return headers


def _one_of(*names: str) -> SettingType:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError
        return text

    return SettingType("name", f"one of {', '.join(names)}" if len(names) > 1 else names[0], parse)


_PAIRS = "name=value pairs separated by commas, with signs such as a comma written as %2C"

TRACING_SECTION = Section(
    "Traces for OpenTelemetry, with the packages of requirements/tracing.txt",
    (
        Setting(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            types.ENDPOINT,
            "The collector's address for OTLP over HTTP, without /v1/traces.",
            "Empty, and so the next: nothing is traced.",
            example="OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318",
        ),
        Setting(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            types.ENDPOINT,
            "The whole address for traces, where it does not end in /v1/traces.",
            "It goes before OTEL_EXPORTER_OTLP_ENDPOINT.",
        ),
        Setting(
            "OTEL_EXPORTER_OTLP_HEADERS",
            SettingType("headers", _PAIRS, _headers, {}, is_secret=True),
            "Headers for the collector, such as its key, as name=value pairs.",
            example="OTEL_EXPORTER_OTLP_HEADERS=api-key=...",
        ),
        Setting(
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            _one_of(_PROTOCOL),
            "How spans are sent; gRPC, at port 4317, is not spoken.",
            default=_PROTOCOL,
        ),
        Setting(
            "OTEL_SERVICE_NAME",
            types.TEXT,
            "The name of this service in traces.",
            default="llm_api",
        ),
        Setting(
            "OTEL_RESOURCE_ATTRIBUTES",
            SettingType("attributes", _PAIRS, _pairs, {}),
            "What else is said of this service, as name=value pairs.",
            example="OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=production",
        ),
        Setting(
            "OTEL_TRACES_SAMPLER",
            _one_of(*SAMPLERS, *(PARENT + name for name in SAMPLERS)),
            "Which calls are traced: all, none, or a share; with parentbased_ the caller's decision"
            " comes first.",
            "A caller decides by the header traceparent, which is believed of trusted proxies and"
            " of callers with a key.",
            default="parentbased_traceidratio",
        ),
        Setting(
            "OTEL_TRACES_SAMPLER_ARG",
            types.SHARE,
            "The share of calls that traceidratio traces, 0 to 1.",
            default="1",
        ),
        Setting(
            "OTEL_SDK_DISABLED",
            types.BOOLEAN,
            "Whether nothing is traced, whatever else is set.",
            default="false",
        ),
        Setting(
            "TRACE_PROMPTS",
            types.BOOLEAN,
            "Whether traces have the texts of prompts and answers.",
            "false: names, counts and times alone. true: up to 8,000 characters of each, for"
            " whoever may read the collector's traces.",
            default="false",
        ),
    ),
)


def has_packages() -> bool:
    """Whether the packages that send spans are installed; nothing of them is loaded."""
    try:
        return find_spec(_PACKAGE) is not None
    except ModuleNotFoundError:
        return False
