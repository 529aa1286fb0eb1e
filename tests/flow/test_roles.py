"""Instances and roles with workers: whose password it is, when it changes, and when it is taken back."""

import json
import time

import pytest
from support.compare import compare
from support.service import Job, wait_marker
from support.tenant import Tenant
from support.workload import fill

SECRET = "the-owners-own-word"


@pytest.fixture
def owner(service):
    return Tenant(service.url, service.key_file.read_text().strip(), name="owner")


@pytest.fixture
def guest(service):
    return Tenant(service.url, service.key_file.read_text().strip(), name="guest")


@pytest.fixture
def guarded(source):
    """A source with a user whose password only its owner has."""
    source.client().execute_command("ACL", "SETUSER", "app", "on", ">" + SECRET, "~*", "&*", "+@all")
    return source


def register(tenant, server, password=SECRET):
    return tenant.ok("POST", "/v1/instances", {
        "name": "cache", "endpoint": {"url": "redis://app:%s@127.0.0.1:%d" % (password, server.port)}})


def shared_job(service, owner, guest, instance, destination, **role):
    made = owner.ok("POST", "/v1/roles", dict({
        "name": "migration", "trusted_accounts": [guest.id], "instances": [instance["id"]],
        "permissions": ["data.read", "data.replicate", "data.heartbeat"]}, **role))
    spec = {"kind": "migration", "destination": {"url": destination.url()},
            "source": {"account_id": owner.id, "role_name": "migration", "instance_id": instance["id"]}}
    job = guest.ok("POST", "/v1/jobs", spec)
    return made, Job(service.with_key(guest.key), job["id"])


def finished_work(tenant, path, body=None):
    answer, deadline = tenant.ok("POST", path, body or {}, Prefer="wait=30"), time.monotonic() + 60
    while answer["work"]["state"] not in ("done", "failed") and time.monotonic() < deadline:
        time.sleep(0.1)
        answer = tenant.ok("GET", path.rsplit("/", 1)[0])
    assert answer["work"]["state"] in ("done", "failed"), answer["work"]
    return answer


def test_r_001_a_guest_moves_the_owners_data_and_never_has_the_password(service, owner, guest, guarded, destination):
    fill(guarded.url(), 3000)
    instance = register(owner, guarded)
    until = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 3600))
    role, job = shared_job(service, owner, guest, instance, destination, not_after=until)
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    wait_marker(guarded, destination, job=job)
    safe = job.wait(lambda j: j["safe_for"]["limited_by"] == "role", "the role's end", timeout=60)["safe_for"]
    assert 3000 < safe["seconds"] <= 3600
    sessions = owner.ok("GET", "/v1/roles/%s/sessions" % role["id"])["items"]
    assert {s["job_id"] for s in sessions} >= {job.id} and all(s["account_id"] == guest.id for s in sessions)
    assert [s for s in sessions if s["job_id"] == job.id and s["closed_at"] is None], sessions
    for tenant in (owner, guest):
        seen = tenant.ok("GET", "/v1/audit?action=roles.session.opened")["items"]
        assert seen and all(r["after"]["account"] == guest.id for r in seen)
    job.stop()
    assert compare(guarded.url(), destination.url()).equal
    deadline = time.monotonic() + 60  # its worker says so right behind the last state
    while {s["closed_reason"] for s in owner.ok(
            "GET", "/v1/roles/%s/sessions?job=%s" % (role["id"], job.id))["items"]} != {"ended"}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    texts = [guest.call("GET", p).text for p in (
        job.path, job.path + "/prechecks", job.path + "/logs", "/v1/audit", "/v1/shared-instances", "/v1/events")]
    assert SECRET not in "".join(texts) + json.dumps(service.logs())


def test_a_guest_sees_who_writes_by_name_but_neither_users_nor_addresses(service, owner, guest, guarded, destination):
    instance = register(owner, guarded)
    writer = guarded.client(username="app", password=SECRET, client_name="checkout")
    role, job = shared_job(service, owner, guest, instance, destination)
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    writer.set("a", 1)
    clients = guest.ok("GET", job.path + "/clients?refresh=true")
    found = [g for g in clients["source"]["groups"] if g["name"] == "checkout"][0]
    assert found["writes"] == "yes" and found["address"] is None and found["user"] is None
    assert all(g["address"] is None and g["user"] is None for g in clients["source"]["groups"])
    assert all(g["address"] == "127.0.0.1" for g in clients["destination"]["groups"]), "the guest's own"
    counts = guest.ok("GET", job.path + "/key-counts?refresh=true")
    assert counts["totals"]["source_keys"] is not None
    # Each look was a session of the role; the job goes on by its own.
    sessions = owner.ok("GET", "/v1/roles/%s/sessions" % role["id"])["items"]
    assert len({s["job_id"] for s in sessions if s["job_id"].startswith("rdg_")}) == 2
    assert job.state == "running"
    owner.ok("PATCH", "/v1/roles/" + role["id"], {"enabled": False})
    wait_blocked(job)
    assert guest.call("GET", job.path + "/clients?refresh=true").status_code in (403, 409)
    owner.ok("PATCH", "/v1/roles/" + role["id"], {"enabled": True})
    job.stop(drain=False)


def test_r_006_a_role_that_is_taken_back_stops_what_runs_by_it(service, owner, guest, guarded, destination):
    instance = register(owner, guarded)
    role, job = shared_job(service, owner, guest, instance, destination)
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    began = time.monotonic()
    owner.ok("PATCH", "/v1/roles/" + role["id"], {"enabled": False})
    blocked = wait_blocked(job)
    assert time.monotonic() - began < 60
    assert blocked["attention"]["code"] == "role_revoked" and blocked["attention"]["choices"]
    until(lambda: not [c for c in guarded.client().client_list() if c.get("user") == "app"], "it still reads")
    assert [s for s in owner.ok("GET", "/v1/roles/%s/sessions" % role["id"])["items"]
            if s["closed_reason"] == "role_not_trusted"]
    for tenant in (owner, guest):
        assert tenant.ok("GET", "/v1/audit?action=roles.session.closed")["items"]
    refused = guest.call("POST", job.path + "/resume", {})
    assert refused.status_code == 403 and refused.json()["code"] == "role_not_trusted"
    owner.ok("PATCH", "/v1/roles/" + role["id"], {"enabled": True})
    guarded.client().set("written while nobody looked", 1)
    job.resume()
    wait_marker(guarded, destination, job=job)
    assert destination.client().get("written while nobody looked") == b"1"
    job.stop(drain=False)


def wait_blocked(job, timeout=59):
    deadline = time.monotonic() + timeout
    while job.get()["state"] != "blocked":
        assert time.monotonic() < deadline, job.get()
        time.sleep(0.2)
    return job.get()


def test_revoked_sessions_stop_a_job_and_a_resume_opens_new_ones(service, owner, guest, guarded, destination):
    instance = register(owner, guarded)
    role, job = shared_job(service, owner, guest, instance, destination)
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    owner.ok("POST", "/v1/roles/%s/revoke-sessions" % role["id"])
    assert wait_blocked(job)["attention"]["code"] == "role_revoked"
    job.resume()
    wait_marker(guarded, destination, job=job)
    time.sleep(7)  # longer than the worker waits between two looks: it is not stopped once more
    assert job.state == "running"
    job.stop(drain=False)


def test_r_110_a_rotated_password_is_tried_first_and_reaches_a_running_job(service, owner, guarded, destination):
    instance = register(owner, guarded)
    path = "/v1/instances/" + instance["id"]
    job = Job(service.with_key(owner.key), owner.ok("POST", "/v1/jobs", {
        "kind": "migration", "source": {"instance_id": instance["id"]}, "destination": {"url": destination.url()}})["id"])
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    wrong = finished_work(owner, path + "/rotate-secret", {"auth": {"username": "app", "password": "wrong"}})
    assert wrong["work"]["state"] == "failed" and wrong["work"]["error"]["code"] == "source_auth_failed"
    assert wrong["auth_updated_at"] == instance["auth_updated_at"]
    guarded.client().execute_command("ACL", "SETUSER", "app", ">fresh-word")
    right = finished_work(owner, path + "/rotate-secret", {"auth": {"username": "app", "password": "fresh-word"}})
    assert right["work"]["state"] == "done" and right["auth_updated_at"] > instance["auth_updated_at"]
    guarded.client().execute_command("ACL", "SETUSER", "app", "<" + SECRET)
    for client in guarded.client().client_list():
        if client.get("user") == "app":
            guarded.client().client_kill_filter(_id=client["id"])
    wait_marker(guarded, destination, job=job)
    assert job.state in ("running", "retrying")
    job.wait_caught_up()
    job.stop(drain=False)
    assert "fresh-word" not in json.dumps(service.logs()) + owner.call("GET", path).text + owner.call("GET", "/v1/audit").text


def speed_of(destination, seconds=1.5):
    """Keys that arrive a second at least, counted by the destination itself."""
    client = destination.client()
    began, before = time.monotonic(), client.dbsize()
    time.sleep(seconds)
    arrived = client.dbsize() - before
    return arrived / (time.monotonic() - began)


def within(least, most, look):
    """What is looked at until it lies there: after a halt of this machine more comes at once, or less."""
    for _ in range(6):
        found = look()
        if least < found < most:
            break
    return found


def until(condition, what, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def test_a_role_caps_what_all_its_jobs_together_may_move(service, owner, guest, guarded, redis_server):
    pipe = guarded.client().pipeline(transaction=False)
    for i in range(30000):
        pipe.set("k%d" % i, i)
    pipe.execute()
    instance = register(owner, guarded)
    for members in ({"max_rps": 0}, {"max_rps": "many"}, {"max_bytes_per_second": 1000}):
        refused = owner.call("POST", "/v1/roles", dict({
            "name": "r", "trusted_accounts": [guest.id], "instances": [instance["id"]], "permissions": ["data.read"]},
            **members))
        assert refused.status_code == 422 and refused.json()["errors"][0]["pointer"] == "/" + list(members)[0]
    first_end, second_end = redis_server(), redis_server()
    role, first = shared_job(service, owner, guest, instance, first_end, max_rps=400, max_bytes_per_second=10 ** 7)
    (shared,) = guest.ok("GET", "/v1/shared-instances?account=" + owner.id)["items"]
    assert (shared["max_rps"], shared["max_bytes_per_second"]) == (400, 10 ** 7)
    first.check_and_start(ignore_warnings=True)
    first.wait(lambda j: j["progress"]["full"]["keys_done"] > 0, "the copy moves")
    assert first.get()["role_limits"] == {"rps": 400, "bytes_per_second": 10 ** 7}
    effective = guest.ok("GET", first.path + "/throttle")["effective"]
    assert effective["full"]["rps"] == effective["incremental"]["rps"] == 400
    alone = within(150, 550, lambda: speed_of(first_end))
    assert 150 < alone < 550, alone
    # Another job by the same role, and each has the half.
    second = Job(service.with_key(guest.key), guest.ok("POST", "/v1/jobs", {
        "kind": "migration", "destination": {"url": second_end.url()},
        "source": {"account_id": owner.id, "role_name": "migration", "instance_id": instance["id"]}})["id"])
    second.check_and_start(ignore_warnings=True)
    until(lambda: [j.get()["role_limits"]["rps"] for j in (first, second) if j.get()["role_limits"]] == [200, 200],
          "they do not share")
    second.wait(lambda j: j["progress"]["full"]["keys_done"] > 0, "the second copy moves")
    together = within(0, 550, lambda: speed_of(first_end) + speed_of(second_end))
    assert 0 < together < 550, together
    # The owner takes the cap away; what runs has none within seconds.
    owner.ok("PATCH", "/v1/roles/" + role["id"], {"max_rps": None, "max_bytes_per_second": None})
    first.wait(lambda j: j["role_limits"] is None, "the cap is gone")
    for job in (first, second):
        job.stop(drain=False)


def test_an_instance_is_looked_at(service, owner, guarded):
    guarded.client(db=3).set("a", 1)
    instance = register(owner, guarded)
    found = finished_work(owner, "/v1/instances/%s/discover" % instance["id"])
    assert found["work"]["error"] is None and found["facts"]["product"] == "redis"
    assert {"number": 3, "keys": 1, "expires": 0} in found["facts"]["databases"]
    assert found["facts"]["topology"] == "standalone" and found["facts_at"]
    gone = owner.ok("POST", "/v1/instances", {"name": "gone", "endpoint": {"url": "redis://127.0.0.1:1"}})
    failed = finished_work(owner, "/v1/instances/%s/discover" % gone["id"])
    assert failed["work"]["state"] == "failed" and failed["work"]["error"]["code"] == "connect_failed"
    assert failed["facts"] is None
