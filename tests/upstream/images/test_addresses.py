"""Where a vendor's API is, whatever address was configured."""

import pytest

from llm_api.upstream import faults
from llm_api.upstream.media.addresses import is_same_origin, target_of


@pytest.mark.parametrize(
    ("base", "root", "path", "expected"),
    [
        ("https://a.test/v1", None, "/images", "https://a.test/v1/images"),
        ("https://a.test/v1/", None, "/images", "https://a.test/v1/images"),
        ("https://a.test", None, "/images", "https://a.test/images"),
        ("http://a.test:7860", "/sdapi/v1", "/txt2img", "http://a.test:7860/sdapi/v1/txt2img"),
        ("http://a.test/sdapi/v1", "/sdapi/v1", "/txt2img", "http://a.test/sdapi/v1/txt2img"),
        ("http://a.test/x/sdapi/v1", "/sdapi/v1", "/t", "http://a.test/x/sdapi/v1/t"),
        ("https://a.test/compatible-mode/v1", "/api/v1", "/t", "https://a.test/api/v1/t"),
        ("https://a.test/compatible-mode/v1", "", "/api/v1/t", "https://a.test/api/v1/t"),
        ("https://a.test/v1", None, "https://a.test:443/jobs/7?x=1", "https://a.test/jobs/7?x=1"),
        ("https://a.test/v1", None, "https://a.test", "https://a.test/"),
        ("https://me:secret@a.test/v1", None, "/images", "https://a.test/v1/images"),
    ],
)
def test_addresses(base: str, root: str | None, path: str, expected: str) -> None:
    assert target_of(base, root, path).url == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://b.test/jobs",
        "http://a.test/jobs",
        "https://a.test:8443/jobs",
        "https://a.test:99999/jobs",
        "https://a.test@b.test/jobs",
    ],
)
def test_other_servers_are_not_asked(url: str) -> None:
    assert not is_same_origin("https://a.test/v1", url)
    with pytest.raises(faults.Fault):
        target_of("https://a.test/v1", None, url)
