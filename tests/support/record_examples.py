#!/usr/bin/python3
"""The examples of openapi.yaml: a service with real servers is walked through every call, and what
it answered becomes web-api/openapi_examples.json.

    KF_BUILD=build/dev tests/support/record_examples.py          # writes web-api/openapi_examples.json
    KF_BUILD=build/dev tests/support/record_examples.py --check  # exit 1 when a call has no example

Ids, times, addresses, keys and names of this machine are put away for others; long lists are cut. The
`problems` of a row (codes that only this call answers) are kept as they stand, for people to write.
"""

import datetime
import json
import pathlib
import re
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.contract import Contract  # noqa: E402
from support.ports import free_port  # noqa: E402
from support.proxy import Proxy  # noqa: E402
from support.redis_fixture import RedisServer  # noqa: E402
from support.service import Job, Service  # noqa: E402
from support.tenant import Tenant  # noqa: E402
from support.webhooks import Receiver  # noqa: E402
from support.workload import fill  # noqa: E402

FILE = pathlib.Path(__file__).resolve().parents[2] / "web-api" / "openapi_examples.json"
LONGEST = 3  # members of a list that is shown
BEGIN = datetime.datetime(2026, 1, 12, 9, 30)


class Disguise:
    """The same thing becomes the same thing everywhere."""

    def __init__(self):
        self.ids, self.words, self.ports = {}, [], set()
        self.began = datetime.datetime.utcnow()

    def _id(self, match):
        prefix, ulid = match.group(1), match.group(2)
        number = self.ids.setdefault(ulid, len(self.ids) + 1)
        return "%s_01KE0000000000000000%06d" % (prefix, number)

    def _time(self, match):
        at = datetime.datetime.strptime(match.group(0)[:23], "%Y-%m-%dT%H:%M:%S.%f")
        if abs((at - self.began).total_seconds()) > 86400 * 40:
            return match.group(0)
        return (BEGIN + (at - self.began)).isoformat(timespec="milliseconds") + "Z"

    def text(self, text):
        for real, shown in self.words:
            text = text.replace(real, shown)
        text = re.sub(r"\b([a-z]{2,6})_([0-9A-HJKMNP-TV-Z]{26})\b", self._id, text)
        text = re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", self._time, text)
        text = re.sub(r"\bkf_[0-9A-Za-z_]{20,}\b", "kf_REDACTED", text)
        text = re.sub(r"\bwhsec_[0-9A-Za-z+/=_-]{20,}", "whsec_REDACTED", text)
        return re.sub(r"redis-[^\"]*-to-[^\"]*-\d{12}", "redis-10.0.1.5:6379-to-10.0.2.9:6379-202601120930", text)

    def value(self, value):
        if isinstance(value, dict):
            return {self.text(name): self.value(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.value(member) for member in value[:LONGEST]]
        if isinstance(value, str):
            return self.text(value)
        return 6379 if value in self.ports and not isinstance(value, bool) else value


class Walk:
    def __init__(self, service):
        self.service, self.rows, self.disguise = service, {}, Disguise()
        self.contract = Contract(service.request("GET", "/openapi.json"))

    def __call__(self, method, path, body=None, who=None, record=True, stream=False, **headers):
        """Ask, keep the first good answer of each operation, and return it."""
        http = (who or self.service).http if hasattr(who or self.service, "http") else None
        if http is None:
            answer = who.call(method, path, body, **headers)
        else:
            answer = http.request(method, self.service.url + path, json=body, headers=headers, timeout=60)
        assert answer.status_code < 300, (method, path, answer.status_code, answer.text)
        found = answer.json() if answer.content else None
        operation, _ = self.contract.operation(method, path)
        row = self.rows.setdefault(operation["operationId"], {})
        status = str(answer.status_code)
        if record and status not in row.get("answers", {}):
            row.setdefault("call", "%s %s" % (method, self.disguise.text(path)))
            if body is not None or "requestBody" in operation:
                row.setdefault("request", self.disguise.value({} if body is None else body))
            if found is not None:
                row.setdefault("answers", {})[status] = self.shown(operation, status, found)
        return found

    def shown(self, operation, status, found):
        """Cut and disguised; what a schema needs is still there."""
        if operation["operationId"] == "contract":
            return {"openapi": found["openapi"], "info": {"title": found["info"]["title"]}, "paths": {}}
        return self.disguise.value(found)

    def until(self, path, condition, what, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            found = self(*("GET", path), record=False)
            if condition(found):
                return found
            assert time.monotonic() < deadline, "not within %d s: %s: %s" % (timeout, what, found)
            time.sleep(0.1)


def walk_service(walk):
    for path in ("/healthz", "/readyz", "/openapi.json", "/v1/version", "/v1/me", "/v1/instance-classes",
                 "/v1/checks", "/v1/checks/dst.eviction", "/problems/not-found", "/v1/commands", "/v1/capabilities",
                 "/v1/workers", "/v1/runbooks", "/v1/runbooks/alert.latency", "/v1/alert-rules/types",
                 "/v1/acl?role=source&version=7.0.15"):
        walk("GET", path)


def walk_workers(walk):
    for path in ("/v1/worker-pools", "/v1/egress-addresses", "/v1/master-keys"):
        walk("GET", path)
    one = "/v1/workers/" + walk("GET", "/v1/workers")["items"][0]["id"]
    walk("GET", one)
    walk("POST", one + "/drain", {})
    walk("DELETE", one + "/drain")


def walk_tenants(walk):
    account = walk("POST", "/v1/accounts", {"name": "team cache", "quotas": {"jobs": 20, "running_jobs": 5}})
    one = "/v1/accounts/" + account["id"]
    walk("GET", "/v1/accounts?limit=2")
    walk("GET", one)
    walk("PATCH", one, {"quotas": {"jobs": 50}})
    key = walk("POST", "/v1/api-keys", {"name": "deploy robot", "scopes": ["operate"], "allowed_cidrs": ["10.0.0.0/8"]})
    one_key = "/v1/api-keys/" + key["id"]
    walk("GET", "/v1/api-keys?limit=2")
    walk("GET", one_key)
    walk("PATCH", one_key, {"name": "release robot"})
    new = walk("POST", one_key + "/rotate", {"overlap_seconds": 3600})
    walk("DELETE", "/v1/api-keys/" + new["id"])
    walk("DELETE", one)


def walk_instances(walk, source):
    made = walk("POST", "/v1/instances", {"name": "cache", "endpoint": {"url": source.url()}, "labels": {"team": "web"}},
                Prefer="wait=20")
    one = "/v1/instances/" + made["id"]
    walk("GET", "/v1/instances?limit=2")
    walk("GET", one)
    walk("PATCH", one, {"labels": {"team": "shop"}})
    walk("POST", one + "/discover", {}, Prefer="wait=20")
    source.client().config_set("requirepass", "new one")
    source.password = "new one"
    walk("POST", one + "/rotate-secret", {"auth": {"password": "new one"}}, Prefer="wait=20")
    source.client().config_set("requirepass", "")
    source.password = None
    walk("POST", one + "/set-live", {})
    walk("POST", one + "/clear-live", {})
    return made


def walk_roles(walk, instance):
    guest = Tenant(walk.service.url, walk.service.key_file.read_text().strip(), name="shop")
    role = walk("POST", "/v1/roles", {"name": "migration", "trusted_accounts": [guest.id], "instances": [instance["id"]],
                                      "permissions": ["instance.describe", "data.read", "data.replicate"]})
    one = "/v1/roles/" + role["id"]
    owner = walk("GET", "/v1/me")["account"]
    owner = owner["id"] if isinstance(owner, dict) else owner
    walk("GET", "/v1/roles?limit=2")
    walk("GET", one)
    walk("POST", "/v1/roles/check", {"account_id": owner, "role_name": "migration", "instance_id": instance["id"],
                                     "permissions": ["data.read"]}, who=guest)
    walk("GET", "/v1/shared-instances?account=%s&role=migration" % owner, who=guest)
    walk("PATCH", one, {"databases": [0]})
    guest.call("POST", "/v1/discover", {"endpoint": {"account_id": owner, "role_name": "migration",
                                                     "instance_id": instance["id"]}}, Prefer="wait=20")
    walk("GET", one + "/sessions?limit=2")
    walk("POST", one + "/revoke-sessions", {})
    walk("DELETE", one)


def walk_alerts(walk, job, receiver):
    endpoint = walk("POST", "/v1/webhook-endpoints", {"name": "pager", "url": receiver.url, "event_types": ["alert.*"]})
    one = "/v1/webhook-endpoints/" + endpoint["id"]
    rule = walk("POST", "/v1/alert-rules", {"type": "precheck_failed", "labels": {"team": "shop"}})
    one_rule = "/v1/alert-rules/" + rule["id"]
    for path in ("/v1/webhook-endpoints?limit=2", one, "/v1/alert-rules?limit=2", one_rule):
        walk("GET", path)
    walk("PATCH", one, {"name": "night pager"})
    walk("PATCH", one_rule, {"labels": {}})
    walk("POST", one + "/rotate-secret", {})
    walk("POST", one + "/test")
    broken = {"source": {"url": "redis://127.0.0.1:%d" % free_port()}, "destination": job.get()["destination"]["label"]}
    broken["destination"] = {"url": "redis://" + broken["destination"].split("/")[0]}
    job = Job(walk.service, walk("POST", "/v1/jobs", broken, record=False)["id"])
    job.precheck()
    alerts = walk.until("/v1/alerts?job_id=" + job.id, lambda page: page["items"], "an alert")
    walk("GET", "/v1/alerts?job_id=" + job.id)
    alert = "/v1/alerts/" + alerts["items"][0]["id"]
    walk("GET", alert)
    walk("POST", alert + "/acknowledge")
    walk("POST", alert + "/silence", {"until": (datetime.datetime.utcnow() + datetime.timedelta(hours=2)).strftime(
        "%Y-%m-%dT%H:%M:%S.000Z")})
    done = walk.until(one + "/deliveries", lambda page: [d for d in page["items"] if d["state"] == "delivered"], "a delivery")
    walk("GET", one + "/deliveries?limit=2")
    walk("POST", one + "/redeliver", {"delivery_id": done["items"][0]["id"]})
    walk("DELETE", job.path, record=False)
    walk("DELETE", one_rule)
    walk("DELETE", one)


def spec(source, destination, **members):
    return dict({"source": {"url": source.url()}, "destination": {"url": destination.url()}}, **members)


def walk_checks(walk, source, destination):
    both = spec(source, destination)
    walk("POST", "/v1/jobs/preview", both)
    run = walk("POST", "/v1/prechecks", dict(both, probe="read_only"), Prefer="wait=30")
    walk("GET", "/v1/prechecks/" + run["id"])
    other = walk("POST", "/v1/prechecks", both, record=False)
    walk("POST", "/v1/prechecks/%s/cancel" % other["id"])
    test = walk("POST", "/v1/connectivity-tests", {"source": {"url": source.url()}}, Prefer="wait=30")
    walk("GET", "/v1/connectivity-tests/" + test["id"])
    found = walk("POST", "/v1/discover", {"endpoint": {"url": source.url()}}, Prefer="wait=30")
    walk("GET", "/v1/discover/" + found["id"])


def walk_job(walk, source, destination, receiver):
    destination.client().config_set("maxmemory-policy", "allkeys-lru")  # something to be ignored
    made = walk("POST", "/v1/jobs", spec(source, destination, name="cache to the new site", labels={"team": "shop"},
                                         objects={"databases": [{"source": 0, "destination": 0}], "flush_policy": "skip"}))
    job, path = Job(walk.service, made["id"]), "/v1/jobs/" + made["id"]
    walk("PATCH", path, {"labels": {"team": "web"}})
    walk("PATCH", path + "?dry_run=true", {"name": "another"}, Prefer="wait=20")
    cut = walk("POST", path + "/prechecks", {}, record=False)
    walk("POST", path + "/prechecks/%s/cancel" % cut["id"])
    run = walk("POST", path + "/prechecks", {"probe": "full"}, Prefer="wait=30")
    one = path + "/prechecks/" + run["id"]
    walk("GET", path + "/prechecks?limit=2")
    walk("GET", path + "/prechecks/latest")
    walk("GET", one)
    walk("GET", one + "/items/dst.eviction")
    walk("POST", one + "/items/dst.eviction/ignore", {"reason": "the cache may lose keys"})
    destination.client().config_set("maxmemory-policy", "noeviction")
    walk("POST", path + "/purchase", {"instance_class": "large"})
    walk("POST", path + "/start", {"acknowledge_limits": True})
    job.wait_caught_up()
    walk("GET", path)
    walk("GET", "/v1/jobs?state=running&limit=2")
    walk("GET", "/v1/jobs/summary")
    walk("PUT", path + "/throttle", {"full": {"bytes_per_second": 50000000}, "incremental": {"rps": 5000}})
    walk("GET", path + "/throttle")
    walk("PUT", path + "/class", {"instance_class": "2xlarge"})
    source.client().flushdb()  # left out, by flush_policy
    walk.until(path + "/rejected-commands", lambda page: page["items"], "a rejected command")
    listed = walk("GET", path + "/rejected-commands?limit=2")
    walk("POST", path + "/rejected-commands/replay", {"ids": [listed["items"][0]["id"]]})
    for view in ("steps", "shards", "metrics?seconds=600", "logs?limit=3"):
        walk("GET", path + "/" + view)
    walk("GET", path + "/events?limit=3", Accept="application/json")
    walk("GET", "/v1/events?limit=3", Accept="application/json")
    walk("POST", path + "/pause", {"reason": "a release of the shop"}, Prefer="wait=20")
    walk("POST", path + "/resume", {}, Prefer="wait=20")
    job.wait_caught_up()
    walk_alerts(walk, job, receiver)
    job.wait_caught_up()
    walk_views(walk, path)
    return job, path


def walk_views(walk, path):
    """Views that a version may have or not."""
    for view in ("objects?limit=2", "key-counts", "clients", "report"):
        try:
            walk.contract.operation("GET", path + "/" + view.split("?")[0])
        except AssertionError:
            continue
        walk("GET", path + "/" + view)


def walk_ends(walk, job, path, source, destination):
    """What ends a job, and what can be done afterwards."""
    writer = source.client()
    writer.set("written", "while it is cut over")
    walk("POST", path + "/cutover", {"pause_source": "client_pause", "write_pause_timeout_ms": 5000}, Prefer="wait=25")
    job.wait_state("completed")
    walk("POST", path + "/forget", {}, Prefer="wait=20")
    clone = walk("POST", path + "/clone", {"name": "the same, elsewhere", "conflict_mode": "overwrite"})
    again = Job(walk.service, clone["id"])
    again.check_and_start(ignore_warnings=True)
    again.wait_caught_up()
    walk("POST", again.path + "/stop", {}, Prefer="wait=25")
    again.wait_state("stopped")
    walk("POST", again.path + "/forget", {}, record=False, Prefer="wait=20")
    walk.until(again.path, lambda job: job["seal"] == "forgotten", "the seal is gone")
    walk("POST", again.path + "/restart", {})
    walk("DELETE", again.path)
    walk("POST", again.path + "/undelete", {})
    walk("POST", "/v1/jobs/batch", {"action": "delete", "ids": [again.id]})


def walk_abort(walk, source, destination):
    """A cutover can be taken back as long as it is not sealed: here the destination does not answer."""
    with Proxy(destination.port) as proxy:
        body = spec(source, destination, conflict_mode="overwrite")
        body["destination"] = {"url": destination.url(port=proxy.port)}
        job = Job(walk.service, walk("POST", "/v1/jobs", body, record=False)["id"])
        walk.disguise.ports.add(proxy.port)
        walk.disguise.words.insert(0, ("127.0.0.1:%d" % proxy.port, "10.0.2.9:6379"))
        job.check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        proxy.stall()
        source.client().set("late", 1)
        walk("POST", job.path + "/cutover", {"pause_source": "client_pause", "write_pause_timeout_ms": 60000}, record=False)
        walk("POST", job.path + "/abort-cutover", {})
        proxy.release()
        job.wait_state("running")
        job.stop(drain=False)


def record():
    service = Service(env={"KEYFERRY_FULL_SYNCS_PER_HOUR": "100", "KEYFERRY_WEBHOOK_HTTP_HOSTS": "127.0.0.1"})
    servers = [RedisServer(), RedisServer()]
    receiver = Receiver()
    try:
        receiver.start()
        service.start()
        walk = Walk(service)
        source, destination = servers
        walk.disguise.words = [
            ("127.0.0.1:%d" % source.port, "10.0.1.5:6379"), ("127.0.0.1:%d" % destination.port, "10.0.2.9:6379"),
            (receiver.url, "https://pager.example/hooks/1"), (socket.gethostname(), "worker-a"),
            (str(service.data_dir), "/var/lib/keyferry"), ("127.0.0.1", "10.0.0.7")]
        walk.disguise.ports = {source.port, destination.port}
        fill(source.url(), 300)
        walk_service(walk)
        walk_tenants(walk)
        walk_checks(walk, source, destination)
        job, path = walk_job(walk, source, destination, receiver)
        walk_ends(walk, job, path, source, destination)
        walk_abort(walk, source, destination)
        instance = walk_instances(walk, source)
        walk_roles(walk, instance)
        walk("DELETE", "/v1/instances/" + instance["id"])
        walk_workers(walk)
        walk("GET", "/v1/audit?limit=2")
        return walk
    finally:
        service.close()
        receiver.stop()
        for server in servers:
            server.close()


def missing(walk):
    return sorted(o["operationId"] for item in walk.contract.document["paths"].values()
                  for method, o in item.items() if method != "parameters" and o["operationId"] not in walk.rows)


def write(rows):
    """A line of each call, so that a change shows which it is of."""
    lines = ["%s: %s" % (json.dumps(name), json.dumps(rows[name], sort_keys=True, ensure_ascii=False))
             for name in sorted(rows)]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    old = json.loads(FILE.read_text()) if FILE.exists() else {}
    walk = record()
    for name, row in old.items():
        if "problems" in row:
            walk.rows.setdefault(name, {})["problems"] = row["problems"]
    left = missing(walk)
    if left:
        print("no example of: " + " ".join(left))
    if "--check" not in sys.argv:
        write(walk.rows)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
