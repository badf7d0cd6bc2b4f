"""The alerts and the dashboard of deploy/: every metric and label in them exists, and all is read.

Prometheus itself is asked where it is installed (Debian's package `prometheus`).
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from llm_api.observability.metric_catalogue import BUILD, CATALOGUE
from tests.ledger.test_metrics import PATIENCE, serving
from tests.life.serving import chat
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import Child
from tests.support.service import REPOSITORY_ROOT
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

DEPLOY = REPOSITORY_ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
PROMTOOL, SERVER = shutil.which("promtool"), shutil.which("prometheus")
# Prometheus' own, and what it adds to every series that it scrapes.
FOREIGN = {"up"}
SCRAPED = {"job", "instance"}
_METRIC = re.compile(r"\b(up|llm_api_\w+)\b(?:\{([^}]*)\})?")
_BY = re.compile(r"\bby \(([^)]*)\)")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_SHOWN = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")


def rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    text = (PROMETHEUS / "alerts.yml").read_text()
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    loaded: dict[str, Any] = json.loads((DEPLOY / "grafana" / "llm-api.json").read_text())
    return loaded


def targets() -> list[dict[str, Any]]:
    """Return the queries of the dashboard's panels."""
    return [one for panel in dashboard()["panels"] for one in panel.get("targets", [])]


def expressions() -> list[str]:
    """Return every expression, with Grafana's variables as Grafana fills them in."""
    of_panels = [target["expr"] for target in targets()]
    filled = [e.replace("$__rate_interval", "1m").replace("$upstream", ".*") for e in of_panels]
    return [*(rule["expr"] for rule in rules()), *filled]


def labels_of(name: str) -> set[str] | None:
    """Return the labels that a series has; None where there is no such series."""
    if name in FOREIGN:
        return SCRAPED
    for metric in (*CATALOGUE.values(), BUILD):
        parts = {metric.name}
        if metric.buckets:
            parts = {f"{metric.name}_{part}" for part in ("bucket", "sum", "count")}
        if name in parts:
            return {*metric.labels, *SCRAPED, *({"le"} if name.endswith("_bucket") else ())}
    return None


@each("expression", expressions())
def test_an_expression_names_only_metrics_and_labels_that_exist(expression: str) -> None:
    found = _METRIC.findall(expression)
    known = [labels_of(name) for name, _ in found]

    assert found
    assert None not in known, found
    used = {label for _, selected in found for label in _LABEL.findall(selected)}
    grouped = {one.strip() for names in _BY.findall(expression) for one in names.split(",")}
    for labels in known:
        assert grouped | (used if len(known) == 1 else set()) <= (labels or set())


@each("rule", rules())
def test_an_alert_is_complete_and_explained(rule: dict[str, Any]) -> None:
    shown = set(_SHOWN.findall(" ".join(rule["annotations"].values()))) - {"value"}
    grouped = {one.strip() for names in _BY.findall(rule["expr"]) for one in names.split(",")}

    assert set(rule["annotations"]) == {"summary", "description"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert shown <= (grouped or SCRAPED)
    assert f"| `{rule['alert']}` |" in (REPOSITORY_ROOT / "docs" / "metrics.md").read_text()
    assert f"alertname: {rule['alert']}\n" in (PROMETHEUS / "alerts_test.yml").read_text()


@each("target", targets())
def test_a_legend_shows_only_labels_that_its_query_leaves(target: dict[str, Any]) -> None:
    shown = set(_SHOWN.findall(target["legendFormat"]))
    grouped = {one.strip() for names in _BY.findall(target["expr"]) for one in names.split(",")}

    assert shown <= (grouped or {"version"})


def test_every_metric_is_on_the_dashboard() -> None:
    text = "\n".join(target["expr"] for target in targets())

    assert [name for name in (*CATALOGUE, BUILD.name) if name not in text] == []


def test_panels_do_not_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))


def test_what_grafana_is_provisioned_with_is_what_the_dashboard_asks_for() -> None:
    folder = DEPLOY / "grafana" / "provisioning"
    [source] = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    [provider] = yaml.safe_load((folder / "dashboards" / "llm-api.yml").read_text())["providers"]

    assert source["type"] == dashboard()["templating"]["list"][0]["query"] == "prometheus"
    assert provider["type"] == "file"


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promtool_takes_the_files_and_raises_each_alert() -> None:
    for command in (
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "alerts_test.yml"],
    ):
        done = subprocess.run(
            [str(PROMTOOL), *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    """Run Prometheus with our files on a service with calls; return its address."""
    (tmp_path / "service").mkdir()
    with ScriptedUpstream() as upstream, serving(tmp_path / "service", upstream) as service:
        for _ in range(3):
            chat(service)
        config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [service.env["METRICS_BIND"]]
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
        shutil.copy(PROMETHEUS / "alerts.yml", tmp_path)
        address = f"{LOOPBACK}:{free_port()}"
        child = Child(
            [
                *(str(SERVER), "--config.file=prometheus.yml", "--storage.tsdb.path=data"),
                f"--web.listen-address={address}",
            ],
            log=tmp_path / "prometheus.log",
            env=dict(os.environ),
            cwd=tmp_path,
        )
        try:
            yield f"http://{address}/api/v1"
        finally:
            child.end(9, PATIENCE)


def asked(address: str, path: str, **arguments: str) -> Any:
    """Ask Prometheus; return None while it does not answer."""
    try:
        with requests.Session() as session:
            answer = session.get(f"{address}/{path}", params=arguments, timeout=PATIENCE)
    except requests.ConnectionError:
        return None
    document = answer.json() if answer.ok or answer.status_code in {400, 422} else {}
    assert document.get("status") != "error", document
    return document.get("data")


@pytest.mark.more
@pytest.mark.skipif(SERVER is None, reason="prometheus is not installed")
def test_a_real_prometheus_scrapes_the_service_and_evaluates_everything(prometheus: str) -> None:
    calls = "sum(llm_api_calls_total)"

    def counted() -> list[Any]:
        found = asked(prometheus, "query", query=calls)
        return found["result"] if found else []

    wait_until(lambda: counted() and counted()[0]["value"][1] == "3", PATIENCE, "3 calls scraped")

    def loaded() -> list[dict[str, Any]]:
        return [rule for group in asked(prometheus, "rules")["groups"] for rule in group["rules"]]

    wait_until(lambda: all(r["health"] == "ok" for r in loaded()), PATIENCE, lambda: str(loaded()))
    assert [rule["name"] for rule in loaded()] == [rule["alert"] for rule in rules()]
    now = str(time.time())
    for expression in expressions():
        assert asked(prometheus, "query", query=expression, time=now) is not None, expression
