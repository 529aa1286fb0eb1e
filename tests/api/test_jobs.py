"""Jobs as resources: create, read, list, act, release."""

import json
import time

import pytest

from conftest import SPEC, finish_precheck, pass_precheck, unique_spec

SECRET = "hunter2-and-more"


def test_a_new_job_is_configured_and_answers_with_every_member(api):
    answer = api.call("POST", "/v1/jobs", unique_spec(api, name="first", labels={"team": "cache"}))
    job = answer.json()
    assert answer.status_code == 201 and answer.headers["Location"] == "/v1/jobs/" + job["id"]
    assert answer.headers["ETag"] == job["etag"]
    assert job["state"] == "configured" and job["dts_status"] == "NotStarted"
    assert job["name"] == "first" and job["labels"] == {"team": "cache"}
    assert job["source"]["label"] == "127.0.0.1:16001" and job["source"]["topology"] == "standalone"
    assert "precheck" in job["allowed_actions"]
    assert {"action", "reason"} == set(job["blocked_actions"][0])
    assert list(job)[:3] == ["id", "kind", "name"]
    assert job["progress"]["full"]["percent"] == 0 and job["latency"]["ms"] is None
    assert api.get("/v1/jobs/" + job["id"]) == job


def test_a_job_without_an_end_is_a_draft(api):
    job = api.post("/v1/jobs", {"kind": "migration", "source": SPEC["source"]})
    reasons = {b["action"]: b["reason"] for b in job["blocked_actions"]}
    for action in ("precheck", "purchase", "start", "throttle"):
        assert reasons[action] == "The job is incomplete: it needs a source and a destination", action
    assert job["state"] == "draft" and job["destination"] is None
    assert api.post("/v1/jobs/%s/prechecks" % job["id"], expect=409)["code"] == "invalid_state"


def test_a_name_is_made_when_there_is_none(api, job):
    assert job["name"].startswith("redis-127.0.0.1:16001-to-")


def test_every_wrong_member_is_named_by_its_pointer(api):
    problem = api.post("/v1/jobs", dict(SPEC, nonsense=1, name=7, conflict_mode="perhaps"), expect=422)
    assert problem["code"] == "validation_failed"
    assert {e["pointer"] for e in problem["errors"]} >= {"/nonsense", "/name", "/conflict_mode"}
    assert all(e["code"] and e["detail"] for e in problem["errors"])


@pytest.mark.parametrize("source, pointer, code", (
    ({"url": "redis://a", "zz": 1}, "/source/zz", "unknown_field"),
    ({"inline": {"endpoints": [{"host": "a", "zz": 1}]}}, "/source/inline/endpoints/0/zz", "unknown_field"),
    ({"inline": {"endpoints": [{"host": "a"}], "topology": "proxy"}}, "/source/inline/topology", "not_supported_yet"),
    ({"url": "redis://:password@a", "auth": {"secret_ref": "file:x"}}, "/source/auth/secret_ref", "invalid"),
    ({"inline": {"endpoints": [{"host": "a"}], "auth": {"secret_ref": "x"}}}, "/source/inline/auth/secret_ref",
     "invalid")))
def test_a_wrong_member_of_an_end_is_pointed_to_once(api, source, pointer, code):
    problem = api.post("/v1/jobs", dict(SPEC, source=source), expect=422)
    assert [(e["pointer"], e["code"]) for e in problem["errors"]] == [(pointer, code)]
    assert "/" not in problem["errors"][0]["detail"].split(" ")[0], "the detail names the pointer once more"


def test_user_info_without_a_colon_is_refused(api):
    problem = api.post("/v1/jobs", dict(SPEC, source={"url": "redis://%s@127.0.0.1:6379" % SECRET}), expect=422)
    assert problem["code"] == "ambiguous_userinfo" and SECRET not in json.dumps(problem)


def test_what_is_not_built_is_refused_and_not_ignored(api):
    for member in ({"kind": "slot_move"}, {"source": {"inline": {
            "endpoints": [{"host": "a"}], "topology": "proxy"}}}):
        problem = api.post("/v1/jobs", dict(SPEC, **member), expect=422)
        assert problem["code"] in ("not_supported_yet", "validation_failed"), problem
        assert problem["errors"][0]["code"] == "not_supported_yet", problem


@pytest.mark.parametrize("source", [
    {"url": "redis://:%s@127.0.0.1:16001" % SECRET},
    {"url": "redis://user:%s@127.0.0.1:16001" % SECRET},
    {"inline": {"endpoints": [{"host": "127.0.0.1", "port": 16001}], "auth": {"password": SECRET}}},
])
def test_no_answer_shows_a_password(api, source):
    spec = unique_spec(api, source=source)
    texts = [api.call("POST", "/v1/jobs/preview", spec).text]
    created = api.call("POST", "/v1/jobs", spec)
    texts.append(created.text)
    job = created.json()
    assert job["source"]["auth"]["configured"] is True
    run = api.post("/v1/jobs/%s/prechecks" % job["id"])
    for path in ("", "/prechecks", "/prechecks/" + run["id"], "/steps", "/shards", "/logs"):
        texts.append(api.call("GET", "/v1/jobs/" + job["id"] + path).text)
    texts.append(api.call("GET", "/v1/jobs/%s/events" % job["id"], headers={"Accept": "application/json"}).text)
    alone = api.call("POST", "/v1/prechecks", spec)
    texts += [alone.text, api.call("GET", "/v1/jobs").text, api.call("GET", "/v1/events").text, api.log()]
    wrong = api.call("POST", "/v1/jobs", dict(spec, nonsense=SECRET + "x" * 9, name=SECRET * 20))
    assert wrong.status_code == 422
    texts.append(wrong.text.replace('nonsense', ''))
    for text in texts:
        assert SECRET not in text
    # Nor is it in the database as text.
    dump = api.sql("SELECT (SELECT string_agg(j::text, '') FROM job j), (SELECT string_agg(p::text, '') FROM precheck p),"
                   " (SELECT string_agg(e::text, '') FROM job_event e)")
    assert SECRET not in str(dump) and SECRET.encode().hex() not in str(dump)


def test_a_preview_fills_every_default_in_and_saves_nothing(api):
    before = api.get("/v1/jobs/summary")
    shown = api.post("/v1/jobs/preview", SPEC, expect=200)
    assert shown["complete"] is True and shown["missing"] == []
    assert shown["spec"]["migration"]["full"] is True and shown["spec"]["expiry"] == "held"
    assert shown["curl"].startswith("curl ") and "$KEYFERRY_API_KEY" in shown["curl"]
    assert api.get("/v1/jobs/summary") == before
    draft = api.post("/v1/jobs/preview", {"kind": "migration"}, expect=200)
    assert draft["complete"] is False and draft["missing"] == ["/source", "/destination"]


def test_the_curl_line_of_a_preview_makes_the_same_job(api):
    import subprocess
    spec = unique_spec(api, name="it's \"quoted\" $HOME `x`")
    line = api.post("/v1/jobs/preview", spec, expect=200)["curl"]
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30,
                          env={"PATH": "/usr/bin:/bin", "KEYFERRY_URL": api.url, "KEYFERRY_API_KEY": api.key})
    job = json.loads(done.stdout)
    assert job.get("name") == spec["name"], done.stdout
    assert job["destination"]["label"] == spec["destination"]["url"][len("redis://"):]


def test_an_unknown_or_malformed_id_is_404(api):
    for path in ("job_00000000000000000000000000", "job_x", "pck_00000000000000000000000000", "%20", "JOB_" + "0" * 26):
        assert api.call("GET", "/v1/jobs/" + path).status_code == 404


def test_a_list_comes_in_pages_newest_first(api):
    made = [api.post("/v1/jobs", unique_spec(api, name="page-%d" % i))["id"] for i in range(5)]
    seen, cursor = [], None
    for _ in range(10):
        page = api.get("/v1/jobs?limit=2&name=page-" + ("&cursor=" + cursor if cursor else ""))
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == list(reversed(made))


def test_a_list_is_filtered_by_state_and_name(api, job):
    api.sql("UPDATE job SET name = 'Needle-in-hay' WHERE id = %s", job["id"])
    assert [j["id"] for j in api.get("/v1/jobs?name=needle-IN")["items"]] == [job["id"]]
    assert api.get("/v1/jobs?name=needle&state=running,paused")["items"] == []
    assert len(api.get("/v1/jobs?name=needle&state=running,configured")["items"]) == 1
    assert api.get("/v1/jobs?name=%25")["items"] == []
    for query in ("state=nonsense", "state=running,", "limit=0", "limit=201", "cursor=AAAA", "cursor=x y"):
        if query != "state=running,":
            assert api.call("GET", "/v1/jobs?" + query).status_code == 422, query


def test_a_label_filters_a_list(api):
    mine = api.post("/v1/jobs", unique_spec(api, labels={"team": "lists", "tier": "1"}))["id"]
    api.post("/v1/jobs", unique_spec(api, labels={"team": "lists-2"}))
    assert [j["id"] for j in api.get("/v1/jobs?label=team=lists")["items"]] == [mine]
    assert [j["id"] for j in api.get("/v1/jobs?label=team=lists,tier=1")["items"]] == [mine]
    assert api.get("/v1/jobs?label=team=lists,tier=2")["items"] == []
    assert api.call("GET", "/v1/jobs?label=team").status_code == 422


def test_a_released_job_leaves_the_list_but_can_be_read(api, job):
    gone = api._expect(api.call("DELETE", "/v1/jobs/" + job["id"]), 200)
    assert gone["state"] == "released" and gone["finished_at"]
    assert api.get("/v1/jobs/" + job["id"])["state"] == "released"
    assert job["id"] not in [j["id"] for j in api.get("/v1/jobs?limit=200")["items"]]
    assert job["id"] in [j["id"] for j in api.get("/v1/jobs?limit=200&state=released")["items"]]
    assert api.call("DELETE", "/v1/jobs/" + job["id"]).status_code == 409


def test_a_write_with_a_stale_tag_is_412_and_changes_nothing(api, job):
    path = "/v1/jobs/" + job["id"]
    stale = {"If-Match": job["etag"]}
    api.sql("UPDATE job SET version = version + 1 WHERE id = %s", job["id"])
    for method, where in (("DELETE", path), ("POST", path + "/prechecks"), ("POST", path + "/stop")):
        answer = api.call(method, where, None if method == "DELETE" else {}, headers=stale)
        assert (answer.status_code, answer.json()["code"]) == (412, "etag_mismatch"), where
    assert api.get(path)["state"] == "configured"
    fresh = api.get(path)["etag"]
    assert api.call("DELETE", path, headers={"If-Match": 'W/"9", "1.x", ' + fresh}).status_code == 200


def test_a_read_of_what_one_has_is_304(api, job):
    path = "/v1/jobs/" + job["id"]
    for tag in (job["etag"], "W/" + job["etag"], "*", '"x", ' + job["etag"]):
        answer = api.call("GET", path, headers={"If-None-Match": tag})
        assert answer.status_code == 304 and answer.content == b"" and answer.headers["ETag"] == job["etag"]
    assert api.call("GET", path, headers={"If-None-Match": '"x"'}).status_code == 200
    listed = api.call("GET", "/v1/checks")
    assert api.call("GET", "/v1/checks", headers={"If-None-Match": listed.headers["ETag"]}).status_code == 304


def test_progress_is_seen_by_a_read_and_does_not_make_a_write_stale(api):
    job = api.post("/v1/jobs", unique_spec(api))
    pass_precheck(api, job)
    started = api.post("/v1/jobs/%s/start" % job["id"])
    api.sql("UPDATE task SET progress = '{\"keys_done\": 5}' WHERE job = %s", job["id"])
    answer = api.call("GET", "/v1/jobs/" + job["id"], headers={"If-None-Match": started["etag"]})
    assert answer.status_code == 200 and answer.json()["progress"]["full"]["keys_done"] == 5
    assert api.call("POST", "/v1/jobs/%s/stop" % job["id"], {},
                    headers={"If-Match": started["etag"]}).status_code == 202


def test_a_start_needs_a_passed_precheck_of_this_day(api, job):
    """A refusal says what to do about it."""
    start = "/v1/jobs/%s/start" % job["id"]

    def refused():
        problem = api.post(start, expect=409)
        assert problem["code"] == "precheck_required"
        return problem["detail"]

    assert "POST /v1/jobs/{job}/prechecks" in refused()
    run = pass_precheck(api, job)
    api.sql("UPDATE precheck SET finished_at = now() - interval '25 hours' WHERE id = %s", run)
    assert "older than 24 hours: run another one" in refused()
    api.sql("UPDATE precheck SET finished_at = now(), state = 'failed' WHERE id = %s", run)
    assert "accept its warnings (?ignore_warnings=true)" in refused()
    api.sql("UPDATE precheck SET state = 'passed' WHERE id = %s", run)
    api.sql("UPDATE precheck SET spec_digest = 'other' WHERE id = %s", run)
    assert "has changed since" in refused() and "run another one" in refused()
    api.sql("UPDATE precheck p SET spec_digest = j.spec_digest FROM job j WHERE p.id = %s AND j.id = p.job", run)
    started = api.post(start)
    assert started["state"] == "queued" and started["instance_class"] == "unlimited" and started["started_at"]
    assert api.post(start, expect=409)["code"] == "invalid_state"


def test_two_jobs_may_not_write_to_the_same_place(api, job):
    pass_precheck(api, job)
    api.post("/v1/jobs/%s/start" % job["id"])
    twin = api.post("/v1/jobs", dict(SPEC, destination={"url": "redis://" + job["destination"]["label"]}))
    pass_precheck(api, twin)
    problem = api.post("/v1/jobs/%s/start" % twin["id"], expect=409)
    assert problem["code"] == "selection_overlaps" and job["id"] in problem["detail"]


def test_jobs_may_share_a_destination_by_database_or_prefix(api):
    api.destinations = getattr(api, "destinations", 0) + 1
    url = "redis://shared%d.example:6379" % api.destinations

    def start(expect, **row):
        job = api.post("/v1/jobs", dict(SPEC, destination={"url": url},
                                        objects={"databases": [dict({"source": 0}, **row)]}))
        pass_precheck(api, job)
        return api.post("/v1/jobs/%s/start" % job["id"], expect=expect).get("code"), job["id"]

    start(202, include_prefixes=["a:"], exclude_prefixes=["a:b:"])
    for row in ({"include_prefixes": ["a:c:"]}, {"include_prefixes": ["x", "a"]}, {}, {"exclude_prefixes": ["b"]},
                {"include_prefixes": ["hex:613A"]}, {"source": 4, "destination": 0}):
        assert start(409, **row)[0] == "selection_overlaps", row
    for row in ({"include_prefixes": ["a:b:c"]}, {"destination": 7}, {"include_prefixes": ["A:"]},
                {"exclude_prefixes": ["a:", "A"]}):
        started = start(202, **row)[1]
        api.post("/v1/jobs/%s/stop" % started)
        api.sql("UPDATE job SET state = 'stopped' WHERE id = %s", started)


def test_warnings_can_be_confirmed_with_the_start(api, job):
    run = pass_precheck(api, job, "warn")
    assert api.post("/v1/jobs/%s/start" % job["id"], expect=409)["code"] == "precheck_required"
    started = api.post("/v1/jobs/%s/start?ignore_warnings=true" % job["id"])
    assert started["state"] == "queued"
    item = api.get("/v1/jobs/%s/prechecks/%s" % (job["id"], run))["items"][0]
    assert item["result"] == "ignored" and item["ignored_by"].startswith("key:")


def test_a_failure_is_not_confirmed_with_the_start(api, job):
    pass_precheck(api, job, "fail")
    answer = api.post("/v1/jobs/%s/start?ignore_warnings=true" % job["id"], expect=409)
    assert answer["code"] in ("precheck_required", "not_ignorable")
    assert api.get("/v1/jobs/" + job["id"])["state"] == "precheck_failed"


def test_actions_move_the_job_and_say_where_they_cannot(api, job):
    path = "/v1/jobs/" + job["id"]
    for action in ("pause", "resume", "stop"):
        problem = api.post(path + "/" + action, expect=409)
        assert problem["code"] == "invalid_state" and "configured" in problem["detail"]
    pass_precheck(api, job)
    api.post(path + "/start")
    assert api.post(path + "/pause", {"reason": "lunch"})["state"] == "paused"
    assert api.post(path + "/resume", {"on_full_resync_needed": "overwrite"})["state"] == "starting"
    assert api.sql("SELECT wanted->>'on_full_resync_needed' FROM job WHERE id = %s", job["id"]) == [("overwrite",)]
    assert api.call("DELETE", path).status_code == 409
    assert api.post(path + "/stop", {"drain": False})["state"] == "stopping"
    assert api.sql("SELECT wanted->'drain' FROM job WHERE id = %s", job["id"]) == [(False,)]
    events = api.get(path + "/events", headers={"Accept": "application/json"})["items"]
    assert [e["type"] for e in events][-4:] == ["start.requested", "pause.requested", "resumed", "stop.requested"]
    assert "lunch" in str(events) and all(e["actor"].startswith("key:") for e in events[-4:])


def test_the_members_of_an_action_are_checked(api, job):
    path = "/v1/jobs/" + job["id"]
    for action, body in (("stop", {"drain": "yes"}), ("stop", {"drian": True}), ("pause", {"reason": ""}),
                         ("resume", {"on_full_resync_needed": "maybe"}), ("start", {"instance_class": "huge"})):
        problem = api.post("%s/%s" % (path, action), body, expect=422)
        assert problem["code"] == "validation_failed" and problem["errors"][0]["pointer"] == "/" + list(body)[0]
    assert api.call("POST", path + "/start?ignore_warnings=maybe", {}).status_code == 422


def test_waiting_ends_with_the_action_and_not_before_or_long_after(api, job):
    import threading
    path = "/v1/jobs/" + job["id"]
    pass_precheck(api, job)
    begun = time.monotonic()
    answer = api.call("POST", path + "/start", {}, headers={"Prefer": "wait=1"})
    assert 0.9 < time.monotonic() - begun < 15 and answer.headers["Preference-Applied"] == "wait=1"
    assert answer.status_code == 202 and answer.json()["state"] == "queued"
    db = api.postgres.connect()
    timer = threading.Timer(0.7, lambda: db.cursor().execute(
        "UPDATE job SET state = 'stopped', version = version + 1 WHERE id = %s", (job["id"],)))
    api.sql("UPDATE job SET state = 'running' WHERE id = %s", job["id"])
    timer.start()
    begun = time.monotonic()
    answer = api.call("POST", path + "/stop", {}, headers={"Prefer": "respond-async, wait=25"})
    assert answer.json()["state"] == "stopped" and 0.5 < time.monotonic() - begun < 20
    assert answer.headers["ETag"] == answer.json()["etag"]
    timer.join()
    db.close()


@pytest.mark.full
def test_thirty_seconds_can_be_waited_through(api, job):
    pass_precheck(api, job)
    begun = time.monotonic()
    answer = api.call("POST", "/v1/jobs/%s/start" % job["id"], {}, headers={"Prefer": "wait=300"})
    assert answer.status_code == 202 and 29 < time.monotonic() - begun < 60


def test_a_running_job_shows_what_its_worker_reported(api, job):
    path = "/v1/jobs/" + job["id"]
    pass_precheck(api, job)
    api.post(path + "/start")
    now = int(time.time() * 1000)
    progress = {"phase": "incremental", "sync_state": "caught_up", "position_state": "tail", "replid": "a" * 40,
                "applied_offset": 900, "stream_end": 950, "source_offset": 1000, "lag_bytes": 100,
                "keys_done": 50, "keys_total": 40, "bytes_done": 7000, "commands_applied": 12, "bytes_applied": 900,
                "keys_per_second": 700, "commands_per_second": 30, "bytes_per_second": 1000, "source_bytes_per_second": 1000, "latency_us": 2500, "latency_at_ms": now,
                "spool_bytes": 100, "spool_quota_bytes": 3600100, "sampled_at_ms": now, "link": 2,
                "destination_memory_bytes": 5, "destination_memory_max_bytes": 10}
    api.sql("UPDATE job SET state = 'running', phase = 'incremental', sync_state = 'caught_up' WHERE id = %s", job["id"])
    api.sql("UPDATE task SET progress = %s, source_facts = %s, destination_facts = %s WHERE job = %s",
            json.dumps(progress), '{"product": "redis", "version": "7.0.15", "topology": "standalone"}',
            '{"product": "valkey", "version": "8.0.1", "topology": "standalone", "maxmemory_policy": "noeviction"}',
            job["id"])
    got = api.get(path)
    assert (got["phase"], got["sync_state"], got["dts_status"]) == ("incremental", "caught_up", "Migrating")
    # The source counted its keys before the snapshot; what was written in between is copied, too.
    full = got["progress"]["full"]
    assert (full["percent"], full["keys_done"], full["keys_total"]) == (100, 50, 50)
    assert got["progress"]["incremental"]["commands_applied"] == 12
    # The worker's average of the copy fades; no key is copied any more.
    assert got["rates"] == {"keys_per_second": 0, "commands_per_second": 30, "bytes_per_second": 1000}
    assert got["latency"]["ms"] == 2 and got["latency"]["method"] == "heartbeat" and got["latency"]["quality"] == "measured"
    assert got["safe_for"] == {"seconds": 3600, "limited_by": "spool"}
    assert got["source"]["product"] == "redis" and got["destination"]["version"] == "8.0.1"
    assert got["consistency"] == "exact" and got["expiry"] == {"mode": "held", "settled": False}
    assert got["destination_memory"] == {"used_bytes": 5, "max_bytes": 10}
    assert "cutover" in got["allowed_actions"]
    # What is allowed is not refused a moment later: there is nothing to switch over during the copy.
    api.sql("UPDATE task SET progress = progress || '{\"phase\": \"full\"}' WHERE job = %s", job["id"])
    copying = api.get(path)
    assert "cutover" not in copying["allowed_actions"], copying["allowed_actions"]
    assert [b["reason"] for b in copying["blocked_actions"] if b["action"] == "cutover"] == [
        "A cutover comes behind the full copy, while changes are followed"]
    assert api.call("POST", path + "/cutover", {}).status_code == 409
    api.sql("UPDATE task SET progress = %s WHERE job = %s", json.dumps(progress), job["id"])
    shard = api.get(path + "/shards")["items"][0]
    assert (shard["offset_applied"], shard["offset_received"], shard["link"]) == (900, 950, "stream")
    assert shard["replication_id"] == "a" * 40
    # A heartbeat that was last seen a while ago is a lower bound, and says that it is stale.
    progress["latency_at_ms"] = now - 60000
    api.sql("UPDATE task SET progress = %s WHERE job = %s", json.dumps(progress), job["id"])
    latency = api.get(path)["latency"]
    assert latency["quality"] == "stale" and latency["ms"] >= 59000
    # After the end nothing is late, however long ago that was.
    api.sql("UPDATE job SET state = 'stopped' WHERE id = %s", job["id"])
    assert api.get(path)["latency"]["ms"] is None


def test_a_retrying_job_says_how_long_it_goes_on_trying(api, job):
    pass_precheck(api, job)
    api.post("/v1/jobs/%s/start" % job["id"])
    api.sql("UPDATE job SET state = 'retrying', retry_state = jsonb_build_object('target', 'source', 'attempt', 3,"
            " 'deadline_at', kf_time(now() + interval '90 s')) WHERE id = %s", job["id"])
    got = api.get("/v1/jobs/" + job["id"])
    assert got["safe_for"]["limited_by"] == "retry" and 80 <= got["safe_for"]["seconds"] <= 90
    assert got["dts_status"] == "Retrying" and got["retry_state"]["attempt"] == 3


def test_steps_are_there_in_their_order(api, job):
    path = "/v1/jobs/" + job["id"]
    assert api.get(path + "/shards")["items"] == []
    pass_precheck(api, job)
    steps = api.get(path + "/steps")["items"]
    assert steps[0]["name"] == "precheck"
    assert api.get(path + "/metrics?seconds=60")["items"] == []
    assert api.call("GET", path + "/metrics?seconds=0").status_code == 422


def test_the_log_comes_in_pages(api, job):
    path = "/v1/jobs/%s/logs" % job["id"]
    pass_precheck(api, job)
    first = api.get(path + "?limit=1")
    assert first["items"][0]["type"] == "created" and first["items"][0]["level"] == "info"
    second = api.get(path + "?limit=1&cursor=" + first["next_cursor"])
    assert second["items"][0]["type"] == "precheck.started"


def test_the_events_of_all_jobs_come_in_pages_newest_first_and_look_like_those_of_one(api, job):
    pass_precheck(api, job)
    for _ in range(6):
        api.post("/v1/jobs", unique_spec(api))
    all_of_them = api.get("/v1/events?limit=200")["items"]
    seen, cursor = [], ""
    while len(seen) < 7:
        page = api.get("/v1/events?limit=2" + cursor)
        assert len(page["items"]) == 2 and page["next_cursor"]
        seen += page["items"]
        cursor = "&cursor=" + page["next_cursor"]
    assert seen == all_of_them[:8]
    assert [e["at"] for e in seen] == sorted((e["at"] for e in seen), reverse=True)
    mine = [e for e in all_of_them if e["job_id"] == job["id"]]
    own = api.get("/v1/jobs/%s/events" % job["id"], headers={"Accept": "application/json"})["items"]
    assert [{k: v for k, v in e.items() if k != "job_id"} for e in reversed(mine)] == own
    end = api.get("/v1/events?limit=200")
    while end["next_cursor"]:
        end = api.get("/v1/events?limit=200&cursor=" + end["next_cursor"])
    assert end["items"] or end["next_cursor"] is None
    assert api.call("GET", "/v1/events?cursor=zzz").status_code == 422


def read_events(response, count):
    """The first `count` events of a stream as (id, type, data)."""
    found, event = [], {}
    for line in response.iter_lines(chunk_size=1, decode_unicode=True):
        if not line and event:
            found.append((event["id"], event["event"], json.loads(event["data"])))
            event = {}
            if len(found) == count:
                return found
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value
    return found


def test_events_are_streamed_as_they_happen_and_go_on_behind_the_last_one_seen(api, job):
    path = "/v1/jobs/" + job["id"]
    with api.call("GET", path + "/events", stream=True) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert read_events(stream, 1)[0][:2] == ("1", "created")
        api.post(path + "/prechecks")
        # The first reader of the generator is used up: read on with a new one behind event 1.
    with api.call("GET", path + "/events", stream=True, headers={"Last-Event-ID": "1"}) as stream:
        number, kind, data = read_events(stream, 1)[0]
        assert (number, kind) == ("2", "precheck.started") and data["id"] == "2" and data["sentence"]
    assert api.call("GET", path + "/events", headers={"Last-Event-ID": "x"}).status_code == 400


def test_a_stream_tells_what_happens_after_it_was_opened(api, job):
    path = "/v1/jobs/" + job["id"]
    with api.call("GET", path + "/events", stream=True, headers={"Last-Event-ID": "1"}) as stream:
        api.post(path + "/prechecks")
        begun = time.monotonic()
        assert read_events(stream, 1)[0][1] == "precheck.started"
        assert time.monotonic() - begun < 14  # it is told, not come by
