"""Commands that a policy left out: the list and the wish to have them applied."""

from conftest import pass_precheck


def put(api, job, offset, **row):
    row = dict({"command": "eval", "reason": "lua_policy", "sealed": b"\x01", "key_hash": "0011223344556677"}, **row)
    return str(api.sql("INSERT INTO rejected_command (job, task, generation, source_offset, command, source_database,"
                       " key_hash, reason, sealed) VALUES (%s, 0, 1, %s, %s, 0, %s, %s, %s) RETURNING id",
                       job["id"], offset, row["command"], row["key_hash"], row["reason"], row["sealed"])[0][0])


def started(api, job):
    pass_precheck(api, job)
    api.post("/v1/jobs/%s/start" % job["id"])
    return "/v1/jobs/%s/rejected-commands" % job["id"]


def test_what_was_left_out_can_be_read_in_pages(api, job):
    path = "/v1/jobs/%s/rejected-commands" % job["id"]
    assert api.get(path) == {"items": [], "next_cursor": None}
    ids = [put(api, job, 100 + i) for i in range(3)]
    first = api.get(path + "?limit=2")
    assert [item["id"] for item in first["items"]] == ids[:2]
    second = api.get(path + "?limit=2&cursor=" + first["next_cursor"])
    assert [item["id"] for item in second["items"]] == ids[2:] and second["next_cursor"] is None
    item = second["items"][0]
    assert (item["command"], item["source_offset"], item["status"]) == ("eval", 102, "recorded")
    assert item["replayable"] and "sealed" not in item


def test_a_replay_is_asked_for_once(api, job):
    path = started(api, job)
    ids = [put(api, job, 100 + i) for i in range(3)]
    put(api, job, 200, sealed=None, command="NEW", reason="unknown_command", key_hash=None)
    assert api.post(path + "/replay", {"ids": [ids[2]]}) == {"wanted": 1}
    assert api.post(path + "/replay", {}) == {"wanted": 2}
    assert api.post(path + "/replay", {}) == {"wanted": 0}
    assert [item["status"] for item in api.get(path)["items"]] == ["wanted"] * 3 + ["recorded"]
    numbers = [row[0] for row in api.sql("SELECT replay FROM rejected_command WHERE job = %s AND replay IS NOT NULL"
                                         " ORDER BY replay, id", job["id"])]
    assert len(set(numbers)) == 3, "each replay has a number of its own"
    assert api.sql("SELECT (wanted ->> 'replay')::int8 FROM job WHERE id = %s", job["id"]) == [(max(numbers),)]


def test_a_replay_of_what_is_wrong_is_refused(api, job):
    path = started(api, job)
    for body in ({"ids": ["x"]}, {"ids": [7]}, {"ids": "7"}, {"all": True}, {"ids": ["9" * 30]}):
        assert api.post(path + "/replay", body, expect=422)["code"] == "validation_failed", body
    api.sql("UPDATE job SET state = 'stopped' WHERE id = %s", job["id"])
    assert api.post(path + "/replay", {}, expect=409)["code"] == "invalid_state"


def test_commands_are_counted_by_name(api, job):
    api.sql("INSERT INTO command_count VALUES (%s, 'set', 5, 1, 0), (%s, 'unknown', 0, 0, 2)", job["id"], job["id"])
    assert api.get("/v1/jobs/%s/metrics" % job["id"])["by_command"] == [
        {"command": "set", "applied": 5, "skipped": 1, "rejected": 0},
        {"command": "unknown", "applied": 0, "skipped": 0, "rejected": 2}]


def test_policies_change_where_a_job_stands_still(api, job):
    path = "/v1/jobs/" + job["id"]
    started(api, job)
    policy = {"objects": {"flush_policy": "skip", "exclude_commands": ["expire"]}}
    assert api.call("PATCH", path, policy).status_code == 409
    api.sql("UPDATE job SET state = 'blocked' WHERE id = %s", job["id"])
    objects = api.call("PATCH", path, policy).json()["objects"]
    assert objects["flush_policy"] == "skip" and objects["exclude_commands"] == ["expire"]
    for objects in ({"databases": [{"source": 1}]}, {"flush_policy": "skip", "databases": None}):
        assert api.call("PATCH", path, {"objects": objects}).status_code in (409, 422)
    assert api.get(path)["objects"]["databases"] is None
