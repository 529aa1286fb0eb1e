"""Looks at both ends of a job that a worker takes: asked for once, answered again, bounded."""

import json
import time

from conftest import unique_spec

FACTS = {end: {"label": end, "reachable": True, "topology": "standalone", "reading": {
    "by": "info", "databases": [{"number": 0, "keys": 5, "expires": 1, "field_expiries": 0, "own_keys": 1,
                                 "own_expires": 0}],
    "expired_stale_percent": "0.35", "used_memory_bytes": 1, "used_memory_rss_bytes": 2, "evicted_keys": 0,
    "problem": None}} for end in ("source", "destination")}


def rows(api, job, state=None):
    return [r[0] for r in api.sql("SELECT id FROM precheck WHERE job = %s AND purpose IN ('counts', 'clients')"
                                  " AND (%s::text IS NULL OR state = %s) ORDER BY id", job["id"], state, state)]


def finish(api, run, facts=FACTS, age=0):
    api.sql("UPDATE precheck SET state = 'passed', facts = %s, finished_at = now() - make_interval(secs => %s)"
            " WHERE id = %s", json.dumps(facts) if facts else None, age, run)


def look(api, job, view="key-counts", **options):
    return api.get("/v1/jobs/%s/%s" % (job["id"], view), headers={"Prefer": "wait=0"}, **options)


def test_without_a_worker_a_look_is_asked_for_once_and_not_waited_for_too_long(api, job):
    began = time.monotonic()
    for _ in range(3):
        answer = look(api, job)
        assert answer["state"] == "reading" and answer["read_at"] is None and answer["databases"] == []
        assert answer["verdict"] == "unknown" and answer["totals"]["difference"] is None
    assert time.monotonic() - began < 20 and len(rows(api, job)) == 1
    assert look(api, job, "clients")["source"]["groups"] == [] and len(rows(api, job)) == 2
    assert api.get("/v1/jobs/%s/key-counts" % job["id"], headers={"Prefer": "wait=1"})["state"] == "reading"


def test_a_look_that_is_young_is_answered_again_and_an_old_one_replaced(api, job):
    look(api, job)
    finish(api, rows(api, job)[0], age=5)
    answer = look(api, job)
    assert answer["state"] == "read" and 4 <= answer["age_seconds"] <= 8 and len(rows(api, job)) == 1
    assert answer["totals"] == {"source_keys": 4, "destination_keys": 4, "difference": 0}
    assert answer["verdict"] == "same_counts" and answer["source"]["expired_stale_percent"] == 0.35
    # Asked to refresh, or when it is old, another is asked for; the old one is what there is till then.
    again = api.get("/v1/jobs/%s/key-counts?refresh=true" % job["id"], headers={"Prefer": "wait=0"})
    assert again["state"] == "reading" and again["read_at"] == answer["read_at"]
    finish(api, rows(api, job, "queued")[0])
    api.sql("UPDATE precheck SET finished_at = now() - interval '30 seconds' WHERE job = %s", job["id"])
    assert look(api, job)["state"] == "reading"
    # Of those that are over one is kept.
    for _ in range(3):
        finish(api, rows(api, job, "queued")[0], age=30)
        look(api, job)
    assert len(rows(api, job)) == 2


def test_a_look_moves_no_job_and_is_no_precheck(api, job):
    look(api, job)
    assert api.get("/v1/jobs/" + job["id"])["state"] == "configured"
    assert api.get("/v1/jobs/%s/prechecks" % job["id"])["items"] == []
    run = rows(api, job)[0]
    assert api.call("GET", "/v1/prechecks/" + run).status_code == 404
    assert api.call("POST", "/v1/prechecks/%s/cancel" % run, {}).status_code == 404


def test_a_look_that_failed_says_why(api, job):
    look(api, job)
    api.sql("UPDATE precheck SET state = 'failed', finished_at = now(),"
            " last_error = '{\"code\": \"timeout\", \"detail\": \"too slow\"}' WHERE id = %s", rows(api, job)[0])
    answer = look(api, job)
    assert answer["state"] == "failed" and answer["problem"] == {"code": "timeout", "detail": "too slow"}
    assert answer["databases"][0]["source"] is None and answer["verdict"] == "unknown"


def test_a_job_that_cannot_be_looked_at_is_not(api, job):
    draft = api.post("/v1/jobs", {"kind": "migration", "name": "draft"})
    assert look(api, draft)["state"] == "never_read" and rows(api, draft) == []
    api.call("DELETE", "/v1/jobs/" + job["id"])
    assert look(api, job)["state"] == "never_read" and rows(api, job) == []


def test_objects_of_a_job_that_never_ran_are_what_it_names(api):
    named = api.post("/v1/jobs", unique_spec(api, objects={"databases": [{"source": 7, "destination": 2}]}))
    item, = api.get("/v1/jobs/%s/objects" % named["id"])["items"]
    assert (item["source_database"], item["destination_database"]) == (7, 2)
    assert item["keys"] is None and item["state"] == "waiting" and item["keys_done"] == 0
    everything = api.post("/v1/jobs", unique_spec(api))
    assert api.get("/v1/jobs/%s/objects" % everything["id"])["items"] == []
