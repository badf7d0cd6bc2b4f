"""The program of the bundled model's process: `llm_api.upstream.bundled_model.llama_child`.

It serves llama.cpp's OpenAI-compatible API on loopback until its standard input ends.
The figures behind the parameters were measured on two shared cores in November 2026.
"""

import argparse
import contextlib
import os
import sys

import xllamacpp

CONTEXT_TOKENS = 8_192
SLOTS = 4  # calls at once; they share the context, so that each has 2,048 tokens


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--alias", required=True)
    arguments = parser.parse_args()
    try:
        # Bound to a name because llama.cpp's threads end with the object.
        _server = xllamacpp.Server(_parameters(arguments))
    except RuntimeError as error:
        sys.exit(f"The bundled model could not be started: {error}")
    # os.read, not sys.stdin: the interpreter aborts at exit when a thread holds that.
    with contextlib.suppress(OSError):
        while os.read(0, 1):
            pass
    # Not a return: deleting the server would wait for generations in flight, for 5 s and more.
    os._exit(0)


def _parameters(arguments: argparse.Namespace) -> xllamacpp.CommonParams:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = arguments.weights
    parameters.model_alias = {arguments.alias}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = arguments.port
    parameters.reuse_port = True  # the parent reserves the port, see model.py
    # Without a key and an origin any web page could use the model through its visitor's browser.
    parameters.api_keys = [os.environ["LLAMA_API_KEY"]]
    parameters.cors_origins = "http://127.0.0.1"
    parameters.ui = False
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = SLOTS
    # A larger batch lets a long prompt delay all other answers more: 16 s with 2048, 9 s with 512.
    parameters.n_batch = parameters.n_ubatch = 512
    # One thread: OpenMP's barrier spins, and two threads beside other work fall to a tenth.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.cache_ram_mib = 0
    # Idle for ten minutes, it frees 280 MB; the next call waits about a second for a new load.
    parameters.sleep_idle_seconds = 600
    parameters.verbosity = 1
    return parameters


if __name__ == "__main__":
    main()
