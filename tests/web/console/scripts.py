"""Runs modules of the pages in Node.js, which Playwright brings along."""

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from playwright._impl._driver import compute_driver_executable

from tests.support.service import REPOSITORY_ROOT

_TIMEOUT = 60
# A file that a user has chosen is written as {"$file": [name, type, base64]}, and a form as
# {"$form": [[name, value]]}.
_PROGRAM = """
const {{ AttachedFile }} = await import("{folder}/program_text.js");
const module = await import("{folder}/{module}");
const called = {function};
let text = "";
for await (const piece of process.stdin) text += piece;
const calls = JSON.parse(text, (_, value) => {{
  if (value?.$file) return new AttachedFile(...value.$file);
  if (!value?.$form) return value;
  const form = new FormData();
  for (const [name, part] of value.$form) {{
    form.append(name, part.base64 ? new File([], part.name, {{ type: part.type }}) : part);
  }}
  return form;
}});
process.stdout.write(JSON.stringify(calls.map((given) => called(...given))));
"""


def called(module: str, name: str, *calls: Sequence[Any]) -> list[Any]:
    """Call a function of a module of the pages, and return its results.

    Args:
        module: its file in `static/js/`.
        name: of the function, which it exports.
        calls: the arguments of each call, as JSON has them.
    """
    return evaluated(module, f"module.{name}", *calls)


def evaluated(module: str, function: str, *calls: Sequence[Any]) -> list[Any]:
    """Call a function that uses a module of the pages, and return its results.

    Args:
        module: its file in `static/js/`.
        function: in JavaScript, which has what the module exports as `module`.
        calls: the arguments of each call, as JSON has them.
    """
    folder = (REPOSITORY_ROOT / "llm_api/web/console/static/js").as_uri()
    program = _PROGRAM.format(folder=folder, module=module, function=function)
    node, _ = compute_driver_executable()
    done = subprocess.run(  # of Playwright
        [node, "--input-type=module", "--eval", program],
        input=json.dumps(calls).encode(),
        capture_output=True,
        timeout=_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    results: list[Any] = json.loads(done.stdout)
    return results
