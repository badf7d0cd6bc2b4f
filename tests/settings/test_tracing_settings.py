"""The settings of tracing, most of which OpenTelemetry has named."""

import sys
from pathlib import Path

import pytest

from llm_api.domain.tracing import TracingPlan
from llm_api.settings.settings import Settings, SettingsError
from tests.support.tables import each

AT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318/"}


def plan_of(root: Path, **env: str) -> TracingPlan | None:
    """Return the plan that settings make."""
    return Settings.from_env(env, root=root).tracing


def test_nothing_is_traced_by_default(tmp_path: Path) -> None:
    assert plan_of(tmp_path) is None
    assert plan_of(tmp_path, **AT, OTEL_SDK_DISABLED="true") is None


def test_the_path_of_traces_is_added_to_the_base_address(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, **AT)

    assert plan is not None
    assert plan.url == "http://collector.example:4318/v1/traces"
    assert (plan.sampler, plan.share, plan.shows_prompts) == ("parentbased_traceidratio", 1, False)


def test_a_whole_address_is_taken_as_it_is(tmp_path: Path) -> None:
    whole = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://traces.example/in"}
    plan = plan_of(tmp_path, **AT, **whole)

    assert plan is not None
    assert plan.url == "https://traces.example/in"


def test_headers_and_attributes_are_read_as_the_specification_writes_them(tmp_path: Path) -> None:
    env = {
        "OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=a%2Cb=, x-scope = one",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=no,team=r%C3%A9seau",
        "OTEL_SERVICE_NAME": "gateway",
    }
    settings = Settings.from_env({**AT, **env}, root=tmp_path)

    plan = settings.tracing
    assert plan is not None
    assert plan.headers == {"api-key": "a,b=", "x-scope": "one"}
    assert plan.resource["service.name"] == "gateway"
    assert plan.resource["team"] == "réseau"
    assert "a,b=" in settings.secrets
    assert "a,b=" not in repr(settings)


@each(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%0d%0ac: d"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=%e4"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_SAMPLER_ARG", "10"),
        ("TRACE_PROMPTS", "some"),
    ],
)
def test_what_is_wrong_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        plan_of(tmp_path, **{**AT, name: value})

    assert [sentence.split(" must be ")[0] for sentence in caught.value.problems] == [name]
    assert value not in caught.value.problems[0]


def test_without_its_packages_the_service_says_that_nothing_is_traced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    settings = Settings.from_env(AT, root=tmp_path)

    assert settings.tracing is None
    assert any("make tracing" in sentence for sentence in settings.warnings)


@each("name", ["OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_LOGS_EXPORTER"])
def test_other_names_of_opentelemetry_are_no_slips(tmp_path: Path, name: str) -> None:
    assert Settings.from_env({name: "1"}, root=tmp_path).warnings == ()
