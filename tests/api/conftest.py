"""One PostgreSQL and one keyferry-api for the whole suite; every answer a test gets
through `api` is held against the contract."""

import pytest

from support.api_server import ApiServer
from support.contract import Contract
from support.postgres import Postgres


class CheckedServer(ApiServer):
    contract = None

    def call(self, method, path, body=None, **options):
        response = super().call(method, path, body, **options)
        if self.contract and not options.get("stream") and response.status_code not in (304, 404, 405):
            name = "GET" if method == "HEAD" else method
            if method != "HEAD" and not is_later(response):
                self.contract.check(name, path, response)
        return response


def is_later(response):
    """Calls of the contract page that this version does not do are not documented."""
    return (response.status_code == 422 and response.json().get("code") == "not_supported_yet"
            and "not built yet" in response.json()["detail"])


@pytest.fixture(scope="session")
def postgres(nothing_left_running):
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def api(postgres):
    with CheckedServer(postgres) as server:
        server.contract = Contract(server.get("/openapi.json"))
        yield server


@pytest.fixture
def fresh_api():
    """A server with a database of its own, for tests that break or restart it."""
    database = Postgres()
    server = CheckedServer(database)
    yield server
    server.close()
    database.close()


SPEC = {"kind": "migration", "source": {"url": "redis://127.0.0.1:16001"},
        "destination": {"url": "redis://127.0.0.1:16002"}}


@pytest.fixture
def job(api):
    """A new configured job. Its destination is its own: selections may not overlap."""
    return api.post("/v1/jobs", unique_spec(api))


def unique_spec(api, **members):
    api.destinations = getattr(api, "destinations", 0) + 1
    return dict(SPEC, destination={"url": "redis://d%d.example:6379" % api.destinations}, **members)


def pass_precheck(api, job, result="pass", ignorable=True):
    """What a worker would do: claim the run, find one thing, give the verdict."""
    run = api.post("/v1/jobs/%s/prechecks" % job["id"])
    finish_precheck(api, run["id"], job["id"], result, ignorable)
    return run["id"]


def finish_precheck(api, run, job, result="pass", ignorable=True):
    good = result in ("pass", "ignored", "skipped")
    api.sql("INSERT INTO precheck_item (precheck, id, result, ignorable, item) VALUES"
            " (%s, 'dst.eviction', %s, %s, jsonb_build_object('id', 'dst.eviction', 'severity', 'warn',"
            " 'result', %s, 'ignorable', %s, 'message', 'evicts'))", run, result, ignorable, result, ignorable)
    api.sql("UPDATE precheck SET state = %s, finished_at = now(), version = version + 1 WHERE id = %s",
            "passed" if good else "failed", run)
    if job:
        api.sql("UPDATE job SET state = %s, version = version + 1 WHERE id = %s",
                "precheck_passed" if good else "precheck_failed", job)
