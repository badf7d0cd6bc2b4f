"""The program of a model's process: `llm_api.upstream.bundled_model.llama_child`.

It serves llama.cpp's OpenAI-compatible API on loopback until its standard input ends. A vision
model is shown a picture first; where that fails the program says so on its standard output and
ends. The figures behind the parameters were measured on two shared cores in November 2026.
"""

import argparse
import base64
import contextlib
import http.client
import json
import os
import struct
import sys
import threading
import zlib

from llm_api.upstream.bundled_model.engine import NEEDS

try:
    import xllamacpp
except ImportError as error:
    sys.exit(f"The model's engine cannot be loaded: {error}. {NEEDS}")

CONTEXT_TOKENS = 8_192
SLOTS = 4  # calls at once; they share the context, so that each has 2,048 tokens
_SIDE = 64  # of the first picture, in pixels
_FIRST_PICTURE_S = 900.0  # a large model on a slow machine
_DO_NOT_FIT = (
    "The local judge cannot be used: LOCAL_JUDGE_MODEL and LOCAL_JUDGE_PROJECTOR must be GGUF files"
    " of the same vision model."
)


def main() -> None:
    """Serve until standard input ends."""
    arguments = _arguments()
    # What llama.cpp prints is not for whoever reads our words.
    words, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        # Bound to a name because llama.cpp's threads end with the object.
        _server = xllamacpp.Server(_parameters(arguments))
    except RuntimeError as error:
        if arguments.projector is not None:
            _give_up(words, _DO_NOT_FIT)
        sys.exit(f"The bundled model could not be started: {error}")
    if arguments.projector is not None:
        threading.Thread(target=_try_picture, args=(arguments.port, words), daemon=True).start()
    # os.read, not sys.stdin: the interpreter aborts at exit when a thread holds that.
    with contextlib.suppress(OSError):
        while os.read(0, 1):
            pass
    # Not a return: deleting the server would wait for generations in flight, for 5 s and more.
    os._exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--projector")
    return parser.parse_args()


def _give_up(words: int, why: str) -> None:
    """End, and have nobody start this program again."""
    print(why, file=sys.stderr, flush=True)  # noqa: T201  # the service's log
    os.write(words, b"unfit\n")
    os._exit(1)


def _parameters(arguments: argparse.Namespace) -> xllamacpp.CommonParams:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = arguments.weights
    parameters.model_alias = {arguments.alias}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = arguments.port
    parameters.reuse_port = True  # the parent reserves the port, see llama_server.py
    # Without a key and an origin any web page could use the model through its visitor's browser.
    parameters.api_keys = [os.environ["LLAMA_API_KEY"]]
    parameters.cors_origins = "http://127.0.0.1"
    parameters.ui = False
    parameters.n_ctx = CONTEXT_TOKENS
    # A larger batch lets a long prompt delay all other answers more: 16 s with 2048, 9 s with 512.
    parameters.n_batch = parameters.n_ubatch = 512
    threads = 1
    if arguments.projector is None:
        parameters.n_parallel = SLOTS
    else:
        parameters.mmproj.path = arguments.projector
        parameters.mmproj_use_gpu = False
        parameters.n_parallel = 1  # a picture may need all of the context
        threads = max(1, (os.cpu_count() or 1) // 2)  # the other half is for everything else
    # One thread where it can: OpenMP's barrier spins, and two beside other work fall to a tenth.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    parameters.cache_ram_mib = 0
    # Idle for ten minutes, it frees 280 MB; the next call waits about a second for a new load.
    parameters.sleep_idle_seconds = 600
    parameters.verbosity = 1
    return parameters


def _try_picture(port: int, words: int) -> None:
    """Show the model a gray picture; a projector of another model is noticed only by that."""
    address = f"data:image/png;base64,{base64.b64encode(_gray_picture()).decode()}"
    parts = [
        {"type": "image_url", "image_url": {"url": address}},
        {"type": "text", "text": "Which color is it?"},
    ]
    body = {"messages": [{"role": "user", "content": parts}], "max_tokens": 1}
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {os.environ['LLAMA_API_KEY']}",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_FIRST_PICTURE_S)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        status = answer.status
        answer.read()
    except (OSError, http.client.HTTPException):
        return  # it has ended, or is far too slow: the first call will show which
    finally:
        connection.close()
    if status >= http.HTTPStatus.BAD_REQUEST:
        _give_up(words, _DO_NOT_FIT)


def _gray_picture() -> bytes:
    """Return a PNG of 64x64 pixels, without the library that a picture process has."""
    head = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\x80" * _SIDE) * _SIDE
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


if __name__ == "__main__":
    main()
