"""What Hypothesis makes up of a stream: chunks in which anything may be anything."""

from hypothesis import strategies as st

from tests.upstream.streamed import USAGE

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.floats(allow_nan=False) | st.text("ab"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab"), inner, max_size=2),
    max_leaves=4,
)
FUNCTIONS = JSON | st.fixed_dictionaries({}, optional={"name": JSON, "arguments": JSON})
CALLS = JSON | st.fixed_dictionaries(
    {}, optional={"index": JSON, "id": JSON, "type": JSON, "function": FUNCTIONS}
)
DELTAS = JSON | st.fixed_dictionaries(
    {}, optional={"role": JSON, "content": JSON, "tool_calls": JSON | st.lists(CALLS, max_size=2)}
)
CHOICES = JSON | st.fixed_dictionaries(
    {}, optional={"index": JSON, "delta": DELTAS, "text": JSON, "finish_reason": JSON}
)
CHUNKS = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON,
        "created": JSON,
        "model": JSON,
        "error": st.none(),
        "choices": JSON | st.lists(CHOICES, max_size=2),
        "usage": JSON | st.just(USAGE),
    },
)
