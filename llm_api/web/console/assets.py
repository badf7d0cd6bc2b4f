"""Static files of the pages: scripts, styles and libraries, compressed and kept by browsers.

Their addresses have a digest of all of them in front: the scripts import each other by relative
paths, so a browser has either all files of one release, or all of another.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from flask import Response, abort, request

from llm_api.web.blueprints import PublicBlueprint
from llm_api.web.response.answers import takes_gzip

FOLDER = Path(__file__).parent / "static"
_PREFIX = "/console/static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
_PLAIN = "text/plain; charset=utf-8"  # licenses
_FOREVER = "public, max-age=31536000, immutable"
_MOST_KEPT = 64  # files, of some 10 KB

blueprint = PublicBlueprint("assets", __name__, url_prefix=_PREFIX, is_rate_limited=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file, as it is and compressed by gzip."""

    content: bytes
    compressed: bytes
    etag: str


@cache
def _names() -> frozenset[str]:
    files = (path for path in FOLDER.rglob("*") if path.is_file())
    return frozenset(path.relative_to(FOLDER).as_posix() for path in files)


@cache
def _version() -> str:
    digest = hashlib.sha256()
    for name in sorted(_names()):
        digest.update(hashlib.sha256(name.encode() + b"\0" + (FOLDER / name).read_bytes()).digest())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=_MOST_KEPT)
def _asset(name: str) -> Asset:
    content = (FOLDER / name).read_bytes()
    return Asset(content, gzip.compress(content, mtime=0), hashlib.sha256(content).hexdigest()[:16])


def address_of(name: str) -> str:
    """Return the path under which a static file is served; raises KeyError for one unknown.

    Args:
        name: its path below FOLDER, such as `js/chat.js`.
    """
    if name not in _names():
        raise KeyError(name)
    return f"{_PREFIX}/{_version()}/{name}"


@blueprint.get("/<version>/<path:name>")
def static_file(version: str, name: str) -> Response:
    """Serve a static file.

    That of another version, which a page of another release asks for while an upgrade rolls, is
    not kept by the browser.
    """
    if name not in _names():
        abort(404)
    asset = _asset(name)
    is_small = takes_gzip() and len(asset.compressed) < len(asset.content)
    response = Response(asset.compressed if is_small else asset.content)
    response.headers["Content-Type"] = _TYPES.get(Path(name).suffix, _PLAIN)
    response.headers["Cache-Control"] = _FOREVER if version == _version() else "no-cache"
    response.headers["Vary"] = "Accept-Encoding"
    if is_small:
        response.headers["Content-Encoding"] = "gzip"
    response.set_etag(f"{asset.etag}-gz" if is_small else asset.etag)
    response.make_conditional(request)
    return response
