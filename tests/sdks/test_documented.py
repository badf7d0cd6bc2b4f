"""The documented example for openai 0.28.1 works on the bundled model."""

import subprocess

import pytest

from tests.sdks.running import SDKS, Bench

OLD = next(sdk for sdk in SDKS if sdk.name == "openai-0.28")
DOCUMENTED = """\
import openai
openai.api_base = "http://localhost:8000/v1"; openai.api_key = "not-needed"
response = openai.ChatCompletion.create(model="qwen3-next-80b-a3b-instruct",
    messages=[{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": "Tell me a joke"}], temperature=0.7)
print(response.choices[0].message.content)
"""  # noqa: E501  # to the letter


@pytest.mark.more
def test_the_documented_example_gets_an_answer(bench: Bench) -> None:
    OLD.require()
    program = DOCUMENTED.replace(":8000/", f":{bench.port('bundled')}/")

    done = subprocess.run(
        [OLD.runtime, "-c", program],
        env={},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) >= 3
