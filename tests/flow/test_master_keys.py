"""Another master key: while everything runs, with a kill in between, and what happens without it."""

import os
import secrets
import signal
import time

import psycopg2
import pytest
from support import processes
from support.service import ApiError, wait_marker
from support.webhooks import Receiver

JOBS = 40


class Keys:
    """The key file of a service, and what its database holds."""

    def __init__(self, service):
        self.service = service
        self.file = service.data_dir / "master.key"
        self.db = psycopg2.connect(host=str(service.data_dir / "postgres" / "run"), user="keyferry", dbname="keyferry")
        self.db.autocommit = True

    def sql(self, statement, *values):
        with self.db.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else None

    def lines(self):
        return self.file.read_text().splitlines()

    def write(self, lines):
        """As an editor does: a new file in the place of the old one."""
        fresh = self.file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text("\n".join(lines) + "\n")
        os.replace(fresh, self.file)

    def add(self, number):
        self.write(self.lines() + ["%d %s" % (number, secrets.token_hex(32))])

    def rows(self):
        return {row["id"]: row for row in self.service.patient("GET", "/v1/master-keys")["items"]}

    def sealed(self):
        """How many values in the database are sealed with each key, read from the bytes of every
        binary column there is, whatever table it is in."""
        found = {}
        columns = self.sql("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
                           " AND data_type = 'bytea' AND table_name IN"
                           " (SELECT relname FROM pg_class WHERE relkind = 'r')")
        assert len(columns) >= 7, columns
        for table, column in columns:
            if (table, column) == ("api_key", "hash"):
                continue
            for (value,) in self.sql('SELECT "%s" FROM "%s" WHERE "%s" IS NOT NULL' % (column, table, column)):
                value = bytes(value)
                assert value[0] == 1 and len(value) > 33, (table, column)
                number = int.from_bytes(value[1:5], "big")
                found[number] = found.get(number, 0) + 1
        return found


def until(condition, what, timeout=90):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.1)


def cut(server):
    """Every connection of ours breaks: the next ones log in anew."""
    client = server.client()
    for row in client.client_list():
        if row["id"] != str(client.client_id()):
            client.client_kill_filter(_id=row["id"])


@pytest.fixture
def guarded(redis_server):
    return redis_server(password="the-sources-own"), redis_server(password="the-destinations-own")


@pytest.fixture
def receiver():
    with Receiver() as started:
        yield started


def test_a_master_key_is_replaced_while_everything_runs(start_service, guarded, receiver):
    source, destination = guarded
    service = start_service()
    keys = Keys(service)
    job = service.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    others = [service.job("redis://:word@a%d.example" % i, "redis://:word@b%d.example" % i) for i in range(JOBS)]
    instance = service.request("POST", "/v1/instances", {"name": "kept", "endpoint": {"url": source.url()}})
    hook = service.request("POST", "/v1/webhook-endpoints", {"url": receiver.url})
    receiver.secret = hook["secret"]
    assert keys.sealed() == {1: JOBS + 3} and keys.rows()[1]["secrets"] == JOBS + 3
    assert keys.rows()[1]["seals"] and not keys.rows()[1]["removable"]

    repeated = {"Idempotency-Key": "across-two-keys"}
    made = service.request("POST", "/v1/jobs", {"source": {"url": "redis://a"}}, headers=repeated)

    # One row cannot be written for now, so the work stands still in the middle; the process is killed there.
    blocker = psycopg2.connect(host=str(service.data_dir / "postgres" / "run"), user="keyferry", dbname="keyferry")
    middle = sorted(j.id for j in others)[JOBS // 2]
    blocker.cursor().execute("SELECT 1 FROM job WHERE id = %s FOR UPDATE", (middle,))
    keys.add(2)
    until(lambda: keys.sealed().get(2, 0) >= JOBS // 2, lambda: keys.sealed())
    (api,) = service.pids("api")
    processes.send(api, signal.SIGKILL)
    service.wait_role("api", other_than=[api])
    shown = keys.rows()
    assert shown[1]["secrets"] > 0 and shown[2]["secrets"] > 0 and shown[2]["seals"] and not shown[1]["removable"]
    assert others[0].get()["state"] and job.get()["state"] == "running"
    until(lambda: keys.rows()[2]["workers"] == 1, "the worker does not seal with the new key")
    blocker.rollback()
    blocker.close()
    until(lambda: keys.sealed() == {2: JOBS + 3}, lambda: keys.sealed())

    # Answers that may still be given again hold the old key for a day.
    shown = keys.rows()
    assert shown[1]["secrets"] == 0 and shown[1]["answers"] > 0 and not shown[1]["removable"]
    again = service.request("POST", "/v1/jobs", {"source": {"url": "redis://a"}}, headers=repeated)
    assert again["id"] == made["id"], "the request of before was not recognised"
    keys.sql("UPDATE idempotency SET created_at = created_at - interval '25 hours' WHERE request_hash LIKE '1.%%'")
    until(lambda: keys.rows()[1]["removable"], lambda: keys.rows())

    # Without the old key all goes on: what runs logs in anew, what is asked is answered.
    keys.write(keys.lines()[1:])
    until(lambda: 1 not in keys.rows(), lambda: keys.rows())
    cut(source)
    cut(destination)
    wait_marker(source, destination, job=job)
    assert job.wait_state("running")["attention"] is None
    assert others[3].get()["source"]["auth"]["configured"]
    service.request("POST", "/v1/webhook-endpoints/%s/test" % hook["id"])
    receiver.wait(lambda notice: notice["type"] == "webhook.test")  # signed with the secret of before
    assert not receiver.refused
    looked = service.request("POST", "/v1/instances/%s/discover" % instance["id"], {}, headers={"Prefer": "wait=20"})
    assert looked["work"]["state"] == "done", looked["work"]
    copy = service.request("POST", others[3].path + "/clone", {})
    assert copy["destination"]["auth"]["configured"] and keys.sealed() == {2: JOBS + 4}

    # The control: a key that is taken out too early.
    kept = keys.lines()
    keys.write(["3 " + secrets.token_hex(32)])
    until(lambda: keys.rows().get(3, {}).get("workers") == 1, lambda: keys.rows())
    shown = keys.rows()
    assert shown[3]["seals"] and shown[3]["in_file"] and shown[2]["secrets"] == JOBS + 4
    assert not shown[2]["in_file"] and not shown[2]["removable"]
    with pytest.raises(ApiError) as refused:
        service.request("POST", others[3].path + "/clone", {})
    assert (refused.value.status, refused.value.problem["code"]) == (409, "secret_unreadable")
    cut(source)
    cut(destination)
    until(lambda: job.get()["state"] == "blocked", lambda: job.get())
    assert job.get()["attention"]["code"] == "secret_unreadable" and job.get()["attention"]["choices"]
    assert keys.sealed() == {2: JOBS + 4}, "what cannot be opened was changed"
    keys.write(kept)
    until(lambda: 3 not in keys.rows() and keys.rows()[2]["workers"] == 1, lambda: keys.rows())
    job.resume()
    wait_marker(source, destination, job=job)

    # The same by the command line.
    added = service.run("master-key", "add", "--data-dir", service.data_dir)
    assert added.returncode == 0 and "key 3" in added.stdout, (added.stdout, added.stderr)
    assert keys.sealed() == {3: JOBS + 4} and keys.file.stat().st_mode & 0o777 == 0o600
    assert not [line.split()[1] for line in keys.lines() if line.split()[1] in added.stdout + added.stderr]
    kept = service.run("master-key", "prune", "--data-dir", service.data_dir)
    assert kept.returncode == 0 and kept.stdout.startswith("0 keys"), kept.stdout
    keys.sql("UPDATE idempotency SET created_at = created_at - interval '25 hours'")
    until(lambda: keys.rows()[2]["removable"], lambda: keys.rows())
    pruned = service.run("master-key", "prune", "--data-dir", service.data_dir)
    assert pruned.stdout.startswith("1 key taken out") and [line.split()[0] for line in keys.lines()] == ["3"]
    shown = service.run("master-key", "list")
    assert shown.returncode == 0 and "seals" in shown.stdout
    job.stop()
