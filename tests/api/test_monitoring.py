"""/metrics, the rules and the dashboard made for it, and the pages they link to."""

import json
import os
import pathlib
import re
import subprocess
import time

import pytest
import requests
from support import processes
from support.alerter import Alerter
from support.api_server import ApiServer
from support.exposition import parse
from support.ports import free_port
from support.postgres import Postgres
from support.service import program

ROOT = pathlib.Path(__file__).resolve().parents[2]
MONITORING = ROOT / "docker" / "monitoring"
FUNCTIONS = {"count", "sum", "by", "on", "and", "or", "unless", "rate", "increase", "time", "without", "max", "min", "label_values", "avg"}


@pytest.fixture(scope="module")
def metrics():
    port, database = free_port(), Postgres()
    with ApiServer(database, env={"KEYFERRY_METRICS_LISTEN": "127.0.0.1:%d" % port}) as server:
        job = server.post("/v1/jobs", {"kind": "migration", "name": 'odd "name" \\ of a job',
                                       "source": {"url": "redis://127.0.0.1:16011"},
                                       "destination": {"url": "redis://127.0.0.1:16012"}})
        server.sql("UPDATE job SET state = 'running' WHERE id = %s", job["id"])
        server.sql("INSERT INTO task (job, number, progress) VALUES (%s, 0, %s)", job["id"], json.dumps(
            {"phase": "incremental", "latency_us": 2500000, "latency_at_ms": 4102444800000, "lag_bytes": 77,
             "bytes_total": 200, "bytes_done": 100, "keys_done": 5, "commands_applied": 9, "tail_waited_us": 1500000,
             "source_bytes_per_second": 10, "spool_quota_bytes": 1000, "spool_bytes": 100,
             "destination_memory_bytes": 30, "destination_memory_max_bytes": 40}))
        answer = requests.get("http://127.0.0.1:%d/metrics" % port, timeout=10)
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    database.close()
    return parse(answer.text), job["id"]


@pytest.fixture(scope="module")
def all_metrics(metrics):
    """Of the three programs; the worker and the alerter have a database of their own."""
    families, database = dict(metrics[0]), Postgres()
    with ApiServer(database) as server, Alerter(server) as alerter:
        worker, port = start_worker(server)
        families.update(alerter.metrics())
        of_worker = metrics_at(port)
        worker.terminate()
        assert worker.wait(30) == 0
    database.close()
    assert set(families) & set(of_worker) == {"keyferry_store_up"}
    return dict(families, **of_worker)


def start_worker(server):
    port, spool = free_port(), server.home / "spool"
    env = {"PATH": os.environ["PATH"], "KEYFERRY_DATABASE_URL": server.postgres.url, "KEYFERRY_SPOOL_DIR": str(spool),
           "KEYFERRY_MASTER_KEY_FILE": server.env["KEYFERRY_MASTER_KEY_FILE"],
           "KEYFERRY_WORKER_METRICS_LISTEN": "127.0.0.1:%d" % port}
    with open(server.home / "worker", "ab") as output:
        return processes.register(subprocess.Popen([program("keyferry-worker")], stdin=subprocess.DEVNULL, stdout=output,
                                                   stderr=output, env=env)), port


def metrics_at(port, timeout=30):
    deadline = time.monotonic() + timeout
    while True:
        try:
            answer = requests.get("http://127.0.0.1:%d/metrics" % port, timeout=10)
            assert answer.status_code == 200
            return parse(answer.text)
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def value(families, name, **labels):
    return [v for found, v in families[name].samples if all(found.get(k) == w for k, w in labels.items())][0]


def test_metrics_tell_of_each_job_in_the_format_of_prometheus(metrics):
    families, job = metrics
    info = [labels for labels, _ in families["keyferry_job_info"].samples if labels["job"] == job][0]
    assert info["state"] == "running" and info["name"] == 'odd "name" \\ of a job'
    for name, expected in (("keyferry_job_latency_seconds", 2.5), ("keyferry_job_lag_bytes", 77),
                           ("keyferry_job_full_progress_ratio", 0.5), ("keyferry_job_full_keys_total", 5),
                           ("keyferry_job_commands_total", 9), ("keyferry_job_safe_for_seconds", 90),
                           ("keyferry_job_destination_memory_used_ratio", 0.75)):
        assert value(families, name, job=job) == expected
    assert value(families, "keyferry_job_throttle_wait_seconds_total", job=job, limit="incremental") == 1.5
    for name, family in families.items():
        assert family.help and (family.kind != "counter" or name.endswith("_total")), name


@pytest.mark.parametrize("broken", ["keyferry_x 1", "keyferry_x{a=\"1\",a=\"2\"} 1\n", "1x 1\n", "keyferry_x{a=1} 1\n",
                                    "keyferry_x one\n", "a 1\nb 1\na{l=\"x\"} 1\n", "# TYPE a counter\na -1\n", "a 1\na 1\n"])
def test_the_judge_of_the_format_refuses_what_is_wrong(broken):
    with pytest.raises(ValueError):
        parse(broken)


def names_of(expression):
    """Names of metrics in an expression; ValueError where its brackets do not match."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    for opening, closing in ("()", "{}", "[]"):
        depth = 0
        for c in bare:
            depth += (c == opening) - (c == closing)
            if depth < 0:
                raise ValueError(expression)
        if depth:
            raise ValueError(expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|without)\s*\([^)]*\)", " ", bare)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare)
    return {w for w in words if w not in FUNCTIONS and w != "job"}


def test_a_worker_tells_of_itself_and_of_no_job(all_metrics):
    own = {name: family for name, family in all_metrics.items() if name.startswith("keyferry_worker_")}
    assert {"keyferry_worker_tasks_held", "keyferry_worker_commands_total", "keyferry_worker_reports_total",
            "keyferry_worker_report_seconds_total", "keyferry_worker_spool_bytes", "keyferry_worker_children"} <= set(own)
    for name, family in own.items():
        # Bounded, whatever there is to do: one line each, without labels.
        assert [labels for labels, _ in family.samples] == [{}], name
        assert family.help and (family.kind != "counter" or name.endswith("_total")), name


def rules():
    """[(alert, expression, runbook)]; the file is simple enough to be read by lines."""
    found, current = [], {}
    for line in (MONITORING / "keyferry.rules.yml").read_text().split("\n"):
        match = re.match(r"\s*(?:- )?(alert|expr|runbook_url): (.*)", line)
        if match:
            current[match[1]] = match[2]
            if match[1] == "runbook_url":
                found.append((current["alert"], current["expr"], current["runbook_url"]))
                current = {}
    assert not current, "an alert without a page: %s" % current
    return found


def test_rules_use_names_that_metrics_have(all_metrics):
    families = all_metrics
    assert len(rules()) >= 10
    for alert, expression, _ in rules():
        names = names_of(expression)
        assert names and names <= set(families), (alert, names - set(families))
        assert re.match(r"Keyferry[A-Z]", alert)


def test_the_dashboard_uses_names_that_metrics_have(all_metrics):
    families = all_metrics
    dashboard = json.loads((MONITORING / "keyferry-dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) >= 15
    for expression in expressions:
        names = names_of(expression)
        assert names and names <= set(families), (expression, names - set(families))
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in dashboard["panels"]]
    assert len(set(places)) == len(places)


def test_every_alert_question_and_rule_has_its_page(api):
    pages = {page["doc_url"]: page for page in api.get("/v1/runbooks")["items"]}
    for url, page in pages.items():
        assert api.get(url) == page
        assert all(len(page[member]) > 10 for member in ("meaning", "look", "do")), page
    for kind in api.get("/v1/alert-rules/types")["items"]:
        assert "/v1/runbooks/alert." + kind["type"] in pages
    for _, _, url in rules():
        assert url in pages
    codes = re.findall(r'^ATTENTION\(\w+, "(\w+)"', (ROOT / "services/worker/attention.def").read_text(), re.M)
    assert len(codes) > 20
    for code in codes:
        assert "/v1/runbooks/attention." + code in pages
    assert api.call("GET", "/v1/runbooks/alert.weather").status_code == 404


def test_a_blocked_job_links_its_page(api, job):
    api.sql("UPDATE job SET state = 'blocked', attention = %s WHERE id = %s",
            json.dumps({"code": "diverged", "since": "2026-01-01T00:00:00.000Z", "detail": "x", "if_you_wait": "y",
                        "choices": []}), job["id"])
    assert api.get("/v1/jobs/" + job["id"])["attention"]["doc_url"] == "/v1/runbooks/attention.diverged"
