#!/usr/bin/env bash
# obstore adds to what it is given: a session token, a proxy, and requests that not every store has.
#
# Software   obstore 0.12.1 (object_store 0.14.2)
# Expected   with endpoint, region and both keys given, nothing comes from the environment; a request to 127.0.0.1 uses
#            no proxy; 300 bytes are one PUT, and deleting one object is one DELETE
# Observed   AWS_SESSION_TOKEN is sent beside the given keys, which makes a store refuse them; HTTP_PROXY is used for
#            127.0.0.1, and `proxy_excludes="*"` does not help, as it stands for names only. What an iterator gives is
#            always a multipart upload of three requests, and `delete` of one name is `POST /bucket?delete`.
# Output     given keys: token 'surprise', credential_provider: token None
#            HTTP_PROXY: GenericError, proxy_excludes *: GenericError, with 0.0.0.0/0: ok
#            iterator: POST PUT POST, bytes: PUT, delete: POST, disable_bulk_delete: DELETE
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check obstore==0.12.1

cat >check.py <<'PY'
import os
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import obstore
from obstore.exceptions import GenericError
from obstore.store import S3Store

seen = []
STARTED = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
ENDED = b'<CompleteMultipartUploadResult><ETag>"1"</ETag></CompleteMultipartUploadResult>'
DELETED = b"<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>"


class Server(BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen.append((self.command, self.headers.get("x-amz-security-token")))
        query = self.path.partition("?")[2]
        body = STARTED if "uploads" in query else ENDED if "uploadId" in query else DELETED
        body = body if self.command == "POST" else b""
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
KEYS = {"access_key_id": "ak", "secret_access_key": "sk"}


def store(client=None, **options):
    return S3Store(
        "bucket",
        endpoint=f"http://127.0.0.1:{server.server_port}",
        region="us-east-1",
        client_options={"allow_http": True, **(client or {})},
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
        **options,
    )


def asked(act):
    seen.clear()
    act()
    return list(seen)


def methods(act):
    return " ".join(method for method, _ in asked(act))


def outcome(used):
    try:
        obstore.put(used, "a", b"1")
    except GenericError:
        return "GenericError"
    return "ok"


os.environ["AWS_SESSION_TOKEN"] = "surprise"
given = asked(lambda: obstore.put(store(**KEYS), "a", b"1"))[0][1]
plain = store(credential_provider=lambda: {**KEYS, "token": None, "expires_at": None})
provided = asked(lambda: obstore.put(plain, "a", b"1"))[0][1]
print(f"given keys: token {given!r}, credential_provider: token {provided!r}")
assert (given, provided) == ("surprise", None)

os.environ["HTTP_PROXY"] = os.environ["http_proxy"] = "http://127.0.0.1:9"
nowhere = {"proxy_url": "http://127.0.0.1:9"}
results = [
    outcome(store(**KEYS)),
    outcome(store({**nowhere, "proxy_excludes": "*"}, **KEYS)),
    outcome(store({**nowhere, "proxy_excludes": "*,0.0.0.0/0,::/0"}, **KEYS)),
]
print("HTTP_PROXY: {}, proxy_excludes *: {}, with 0.0.0.0/0: {}".format(*results))
assert results == ["GenericError", "GenericError", "ok"]
del os.environ["HTTP_PROXY"], os.environ["http_proxy"]

found = [
    methods(lambda: obstore.put(store(**KEYS), "a", iter([b"x" * 100] * 3))),
    methods(lambda: obstore.put(store(**KEYS), "a", b"x" * 300)),
    methods(lambda: obstore.delete(store(**KEYS), "a")),
    methods(lambda: obstore.delete(store(disable_bulk_delete=True, **KEYS), "a")),
]
print("iterator: {}, bytes: {}, delete: {}, disable_bulk_delete: {}".format(*found))
assert found == ["POST PUT POST", "PUT", "POST", "DELETE"]
PY
env -u AWS_SESSION_TOKEN env/bin/python check.py
