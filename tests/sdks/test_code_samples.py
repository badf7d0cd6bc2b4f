"""The code samples of `/reference`, each run as it stands: only address and ids are filled in."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from llm_api.web.reference.code_samples import KEY_VARIABLE, SERVICE
from llm_api.web.reference.operations import Operation, reference_of
from tests.sdks.generated import answer
from tests.sdks.running import NODE
from tests.support import replies
from tests.support.documented import ApiDocument
from tests.support.film_upstream import FilmVendor
from tests.support.image_upstream import ImageVendor
from tests.support.judge import always, judge_env, judge_that
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

ADMIN_KEY = "adm-9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c"
HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}
PLACE = re.compile(r"\b(?:[A-Z]+_ID|ENGINE)\b")
DRAW = {"model": "layout-sketch", "prompt": "A red cat"}
KITE = {"prompt": "A red kite"}
CAT = {"prompt": "A cat sitting on a chair", "type": "image"}
DESCRIBED = "1girl, solo, red dress, garden, morning light"
TESTED = {"curl": ["/bin/bash"], "python": [sys.executable], "javascript": [str(NODE)]}
ENDINGS = {"curl": "sh", "python": "py", "javascript": "mjs"}
pytestmark = pytest.mark.timeout(300)


def good(request: RecordedRequest) -> Reply:
    """Answer as a good upstream does, a good judge and one who describes pictures."""
    if b"image_url" not in request.body:
        return answer(request)
    is_judging = "observations" in request.json["messages"][0]["content"]
    return judge_that()(request) if is_judging else replies.completion(DESCRIBED)


@pytest.fixture(scope="module")
def films() -> Iterator[FilmVendor]:
    """Run a vendor of films that cancels at any time."""
    with FilmVendor("vllm-omni") as running:
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, films: FilmVendor) -> Iterator[Service]:
    """Run a service that wants keys, with models of every kind."""
    folder = tmp_path_factory.mktemp("samples")
    with ScriptedUpstream() as upstream, ImageVendor("openai") as vendor:
        upstream.script(*always(good, 1_000))
        env = {
            "FAST_LLM_API_URL": upstream.url,
            "FAST_LLM_MODEL": "smollm2-135m-instruct",
            "EMBEDDING_LLM_API_URL": upstream.url,
            "IMAGE_LLM_API_URL": vendor.url,
            "IMAGE_LLM_API_KEY": "sk-canary",
            "IMAGE_LLM_MODEL": "gpt-image-2",
            "IMAGE_LLM_PROFILE": "openai",
            "VIDEO_LLM_API_URL": films.url,
            "VIDEO_LLM_MODEL": "wan",
            "VIDEO_LLM_PROFILE": "vllm-omni",
            "FILES_URL": (folder / "files").as_uri(),
            "REQUIRE_API_KEY": "true",
            "ADMIN_API_KEY": ADMIN_KEY,
            "RATE_LIMIT": "100000/minute",
            "REWRITE_STORE": "sql",
        }
        with Service(folder, env | judge_env(upstream.url)) as running:
            yield running


@pytest.fixture(scope="module")
def document(service: Service) -> ApiDocument:
    """Fetch the API document."""
    return ApiDocument(requests.get(f"{service.url}/openapi.json", timeout=60).json())


def send(service: Service, method: str, path: str, **more: Any) -> requests.Response:
    """Prepare something that a sample speaks of."""
    headers = HEADERS | more.pop("headers", {})
    return requests.request(method, service.url + path, headers=headers, timeout=60, **more)


def made_by(path: str, body: dict[str, Any]) -> Callable[[Service], str]:
    """Return what makes something and returns its id."""
    return lambda service: send(service, "POST", path, json=body).json()["id"]


def _file(service: Service) -> str:
    picture = send(service, "POST", "/api/v1/images/generate", json=DRAW).json()["data"][0]
    return picture["url"].rpartition("/")[2]


def _rewrite(service: Service) -> str:
    sent = send(service, "POST", "/api/v1/llm/optimize-prompt", json=CAT)
    return sent.headers["x-rewrite-id"]


def _call(service: Service) -> str:
    anew = CAT | {"refresh": True}
    return send(service, "POST", "/api/v1/llm/optimize-prompt", json=anew).headers["x-request-id"]


def _group(service: Service) -> str:
    send(service, "DELETE", "/api/v1/groups/video")
    return made_by("/api/v1/groups", {"name": "video"})(service)


IDS: dict[str, Callable[[Service], str]] = {
    "KEY_ID": made_by("/api/v1/keys", {"name": "shop"}),
    "GROUP_ID": _group,
    "TASK_ID": made_by("/api/v1/images/generate", DRAW),
    "VIDEO_ID": made_by("/api/v1/videos/generate", KITE),
    "FILE_ID": _file,
    "REWRITE_ID": _rewrite,
    "REQUEST_ID": _call,
    "LINEAGE_ID": _call,
    "MODEL_ID": lambda _: "smollm2-135m-instruct",
    "ENGINE": lambda _: "smollm2-135m-instruct",
}


def filled(text: str, service: Service) -> str:
    """Fill in what a reader does, who waits for a film before it is read."""
    ids = {place: IDS[place](service) for place in set(PLACE.findall(text))}
    if "VIDEO_ID/content" in text:
        send(service, "GET", f"/api/v1/videos/{ids['VIDEO_ID']}?wait_ms=60000")
    return PLACE.sub(lambda place: ids[place[0]], text).replace(SERVICE, service.url)


def prepared(operation: Operation, service: Service, films: FilmVendor) -> None:
    """Bring about what an example takes for granted."""
    # Films are still being made when they are cancelled.
    films.studio.polls_needed = 0 if operation.name == "downloadVideoContent" else 100_000
    if operation.name == "createGroup":
        send(service, "DELETE", "/api/v1/groups/video")
    if operation.name == "giveFeedback":
        of_order = {"X-Lineage-Id": "order-4711"}
        send(service, "POST", "/api/v1/images/generate", json=DRAW, headers=of_order)


def read(printed: str, language: str) -> Any:
    """Read what a sample printed."""
    return ast.literal_eval(printed) if language == "python" else json.loads(printed)


@pytest.mark.parametrize(
    "language", ["curl", "python", pytest.param("javascript", marks=pytest.mark.more)]
)
def test_every_sample_gets_an_answer_that_the_document_allows(
    language: str, service: Service, films: FilmVendor, document: ApiDocument, tmp_path: Path
) -> None:
    operations = [o for g in reference_of(document.document).groups for o in g.operations]
    failed = {}
    for operation in operations:
        prepared(operation, service, films)
        (sample,) = [one for one in operation.samples if one.language == language]
        program = tmp_path / f"{operation.name}.{ENDINGS[language]}"
        program.write_text(filled(sample.text, service), "utf-8")
        done = subprocess.run(
            [*TESTED[language], program],
            env={KEY_VARIABLE: ADMIN_KEY, "PATH": service.env["PATH"]},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if found := problems_of(operation, document, done, language):
            failed[operation.name] = found

    assert failed == {}
    assert len(operations) == 50
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "film.mp4").read_bytes()[4:8] == b"ftyp"


def problems_of(operation: Operation, document: ApiDocument, done: Any, language: str) -> list[str]:
    """Return what is wrong with what a sample printed."""
    if done.returncode:
        return [done.stderr[-600:]]
    described = document.document["paths"][operation.path][operation.method.lower()]
    good = [one for status, one in sorted(described["responses"].items()) if status < "300"]
    schemas = [
        content["application/json"]["schema"]
        for one in good
        if "application/json" in (content := one["content"])
    ]
    if not schemas:
        return []
    printed = read(done.stdout, language)
    found = [document.problems_in(printed, schema) for schema in schemas]
    return [] if [] in found else [str(printed)[:600], *found[0][:2]]
