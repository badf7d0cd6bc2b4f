"""schemathesis reads our own API document, and sends the running service what it says and forbids.

All its checks are on (see `schemathesis.toml` for exceptions and their reasons), so that the
document must be right about statuses, types, headers and every value that is taken or refused. An
operation that is added to the service is tested by itself.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.faults.gateway import Gateway
from tests.hardening.mutating import answered_well
from tests.hardening.sending import ADMIN_KEY, AUTHORIZED
from tests.support.film_upstream import FilmVendor
from tests.support.image_upstream import ImageVendor
from tests.support.replies import answer_with
from tests.support.service import REPOSITORY_ROOT

SEED = "1"
EXAMPLES = "25"  # of each operation, beside those at the limits of every value
CALLS = 100_000


@pytest.fixture(scope="module")
def painter() -> Iterator[ImageVendor]:
    """Run a vendor of pictures whose models take nearly all that the document names."""
    with ImageVendor("openai") as vendor:
        yield vendor


@pytest.fixture(scope="module")
def director() -> Iterator[FilmVendor]:
    """Run a vendor of films, which is done at the first look."""
    with FilmVendor("ark") as vendor:
        vendor.studio.polls_needed = 0
        yield vendor


@pytest.fixture(scope="module")
def service_env(painter: ImageVendor, director: FilmVendor) -> Mapping[str, str]:
    """Open the routes of keys to who shows the admin's, have things made, and rewrites kept."""
    return {
        "REWRITE_STORE": "sql",
        "ADMIN_API_KEY": ADMIN_KEY,
        "IMAGE_LLM_API_URL": painter.url,
        "IMAGE_LLM_API_KEY": "a-key-of-the-tests",
        "IMAGE_LLM_MODEL": "gpt-image-2",
        "IMAGE_LLM_PROFILE": "openai",
        "VIDEO_LLM_API_URL": director.url,
        "VIDEO_LLM_API_KEY": "a-key-of-the-tests",
        "VIDEO_LLM_MODEL": "doubao-seedance-2-0-260128",
        "VIDEO_LLM_PROFILE": "volcengine-ark",
        # The upstream stands for a vendor's, which the document is about.
        "PASS_PICTURE_ADDRESSES": "true",
    }


@pytest.mark.more
@pytest.mark.timeout(600)
def test_the_service_does_what_its_document_says(worked: Gateway, tmp_path: Path) -> None:
    worked.upstream.script(*[answer_with(answered_well)] * CALLS)
    config = Path(__file__).with_name("schemathesis.toml")
    options = ["--seed", SEED, "--max-examples", EXAMPLES, "--generation-database", "none"]
    options += ["--header", ": ".join(AUTHORIZED)]

    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
            *(f"{worked.service.url}/openapi.json", "--no-color", "--continue-on-failure"),
            *options,
        ],
        cwd=tmp_path,
        env={"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    selected, tested = (
        re.search(f"{word}: +(\\d+)", done.stdout) for word in ("Selected", "Tested")
    )
    assert selected is not None
    assert tested is not None
    assert selected[1] == tested[1] != "0"
