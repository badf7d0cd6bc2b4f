"""Our constants are the names of the conventions whose version they are pinned to."""

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes
from opentelemetry.semconv.attributes.url_attributes import URL_SCHEME
from opentelemetry.semconv.schemas import Schemas

from llm_api.observability.tracing import span_names


def test_the_names_are_those_of_the_conventions() -> None:
    modules = (gen_ai_attributes, error_attributes, http_attributes, server_attributes)
    values = [value for module in modules for value in vars(module).values()]
    known = {value for value in values if isinstance(value, str)} | {URL_SCHEME}
    ours = {
        value
        for name, value in vars(span_names).items()
        if name.isupper() and isinstance(value, str) and not value.startswith(("llm_api.", "https"))
    }

    assert len(ours) > 30
    assert ours <= known


def test_the_values_are_those_of_the_conventions() -> None:
    operations = {one.value for one in gen_ai_attributes.GenAiOperationNameValues}
    providers = {one.value for one in gen_ai_attributes.GenAiProviderNameValues}

    assert set(span_names.OPERATIONS.values()) <= operations
    assert set(span_names.PROVIDERS.values()) <= providers


def test_the_schema_is_a_known_one() -> None:
    assert span_names.SCHEMA_URL in {one.value for one in Schemas}
