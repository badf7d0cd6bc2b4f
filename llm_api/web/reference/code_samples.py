"""A request as a program: with curl, in Python and in JavaScript.

Each is complete: it can be pasted and run, with the API key in the environment.
"""

import shlex
from dataclasses import dataclass
from typing import Any

from llm_api.web.reference.literals import JAVASCRIPT, JSON, PYTHON

# What a page in a browser replaces by the address that it was fetched from.
SERVICE = "http://localhost:8000"
KEY_VARIABLE = "LLM_API_KEY"
_TIMEOUT = 300  # seconds: pictures take that long


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """What a sample sends.

    Attributes:
        method: in capitals.
        path: below the service's address; what stands in capitals is to be replaced.
        body: its JSON; None where there is none.
        file: what the answer is written to; None where it is JSON.
    """

    method: str
    path: str
    body: Any = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class CodeSample:
    """A program; `language` is its short name."""

    language: str
    title: str
    text: str


def code_samples(request: SampleRequest) -> list[CodeSample]:
    """Return the programs that send a request."""
    return [
        CodeSample("curl", "curl", _curl(request)),
        CodeSample("python", "Python", _python(request)),
        CodeSample("javascript", "JavaScript", _javascript(request)),
    ]


def _curl(request: SampleRequest) -> str:
    is_usual = request.method == ("GET" if request.body is None else "POST")
    method = "" if is_usual else f"-X {request.method} "
    words = [f"curl -s {method}{SERVICE}{request.path}"]
    words.append(f'-H "Authorization: Bearer ${KEY_VARIABLE}"')
    if request.body is not None:
        words.append("-H 'Content-Type: application/json'")
        words.append(f"-d {shlex.quote(JSON.literal(request.body))}")
    if request.file is not None:
        words.append(f"-o {request.file}")
    return " \\\n  ".join(words) + "\n"


def _python(request: SampleRequest) -> str:
    body = "" if request.body is None else f"    json={PYTHON.literal(request.body, '    ')},\n"
    result = "print(response.json())"
    if request.file is not None:
        result = f'with open("{request.file}", "wb") as file:\n    file.write(response.content)'
    return (
        "import os\n\nimport requests\n\n"
        f"response = requests.{request.method.lower()}(\n"
        f'    "{SERVICE}{request.path}",\n'
        f'    headers={{"Authorization": f"Bearer {{os.environ[\'{KEY_VARIABLE}\']}}"}},\n'
        f"{body}"
        f"    timeout={_TIMEOUT},\n"
        f")\n{result}\n"
    )


def _javascript(request: SampleRequest) -> str:
    method = "" if request.method == "GET" else f'  method: "{request.method}",\n'
    key = f"Authorization: `Bearer ${{process.env.{KEY_VARIABLE}}}`"
    headers, body = f"  headers: {{ {key} }},\n", ""
    if request.body is not None:
        headers = f'  headers: {{\n    {key},\n    "Content-Type": "application/json",\n  }},\n'
        body = f"  body: JSON.stringify({JAVASCRIPT.literal(request.body, '  ')}),\n"
    begin, result = "", "console.log(JSON.stringify(await response.json(), null, 2));"
    if request.file is not None:
        begin = 'import { writeFile } from "node:fs/promises";\n\n'
        result = f'await writeFile("{request.file}", Buffer.from(await response.arrayBuffer()));'
    return (
        f'{begin}const response = await fetch("{SERVICE}{request.path}", {{\n'
        f"{method}{headers}{body}}});\n{result}\n"
    )
