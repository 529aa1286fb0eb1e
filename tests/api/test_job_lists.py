"""Lists of many jobs: every filter finds what it says, and costs what it shows."""

import contextlib
import re
import threading
import time
import urllib.parse

import pytest

from conftest import SPEC
from support.api_server import ApiServer, make_id
from support.many_jobs import STATES, fill, list_plan, plan_of, rows_read, text_of
from support.postgres import Postgres

COUNT = 1000


@pytest.fixture(scope="module")
def many():
    """A server whose second tenant has a thousand jobs; its first has one."""
    database = Postgres()
    try:
        with ApiServer(database, env={"KEYFERRY_LOG_LEVEL": "info"}) as api:
            model = api.post("/v1/jobs", SPEC)["id"]
            api.tenant = api.add_account("many")
            api.tenant_key = api.add_key(api.tenant, "admin")
            fill(api, api.tenant, model, COUNT)
            yield api
    finally:
        database.close()


def ask(api, query, key=None):
    """All ids, page by page."""
    ids, cursor = [], ""
    while cursor is not None:
        page = api.get("/v1/jobs?" + "&".join(filter(None, [query, cursor and "cursor=" + cursor])),
                       headers={"Authorization": "Bearer " + (key or api.tenant_key)})
        ids += [job["id"] for job in page["items"]]
        cursor = page["next_cursor"]
    assert ids == sorted(set(ids), reverse=True), "newest first, each once"
    return ids


def expected(api, condition):
    return [row[0] for row in api.sql("SELECT id FROM job WHERE account = %s AND " + condition.replace("%", "%%") +
                                      " ORDER BY id DESC", api.tenant)]


LIVE = "state <> 'released' AND "
FILTERS = {
    "": LIVE + "true",
    "state=running": "state = 'running'",
    "state=released": "state = 'released'",
    "state=running,released,draft": "state IN ('running', 'released', 'draft')",
    "name=NUMBER%207": LIVE + "name LIKE '%number 7%'",
    "name=99": LIVE + "name LIKE '%99%'",
    "name=9": LIVE + "name LIKE '%9%'",
    "name=%25": LIVE + "false",
    "name=nowhere": LIVE + "false",
    "label=team%3Dt7": LIVE + "spec -> 'labels' ->> 'team' = 't7'",
    "label=age%3Dold,team%3Dt7": LIVE + "spec -> 'labels' @> '{\"team\": \"t7\", \"age\": \"old\"}'",
    "label=age%3Dold,age%3Dold": LIVE + "spec -> 'labels' @> '{\"age\": \"old\"}'",
    "label=age%3Dold,age%3Dnew": LIVE + "false",
    "environment=e7": LIVE + "spec ->> 'environment' = 'e7'",
    "region=old": LIVE + "spec ->> 'region' = 'old'",
    "resource_group=old": LIVE + "spec ->> 'resource_group' = 'old'",
    "worker_pool=old": LIVE + "worker_pool = 'old'",
    "instance_id=inst_7": LIVE + "spec -> 'source' -> 'reference' ->> 'instance_id' = 'inst_7'",
    "attention=true": LIVE + "attention IS NOT NULL",
    "environment=old&state=released": "state = 'released' AND spec ->> 'environment' = 'old'",
    "label=age%3Dold&state=draft&name=1": "state = 'draft' AND spec -> 'labels' ->> 'age' = 'old' AND name LIKE '%1%'",
}


@pytest.mark.parametrize("query", FILTERS)
def test_a_filter_finds_just_what_it_says_on_every_page(many, query):
    right = expected(many, FILTERS[query])
    assert ask(many, "&".join(filter(None, ["limit=37", query]))) == right
    assert ("false" in FILTERS[query]) == (right == []), "the data has none of them: it would prove nothing"


def test_another_tenant_sees_none_of_them_by_any_filter(many):
    for query in FILTERS:
        seen = ask(many, query, key=many.key)
        assert len(seen) <= 1 and not set(seen) & set(expected(many, "true")), query


COSTLY = {
    "all": {}, "deep": {"before": "job_" + ("%X" % 200).rjust(26, "0")}, "state": {"state": "paused"},
    "a state of old": {"state": "draft", "before": "job_" + ("%X" % 200).rjust(26, "0")},
    "environment": {"environment": "old"}, "region": {"region": "old"}, "group": {"resource_group": "old"},
    "pool": {"worker_pool": "old"}, "label": {"label": "age=old"}, "labels": {"label": "team=t7", "labels": ["age=old"]}, "attention": {"attention": True},
    "instance": {"instance": "inst_7"}, "name": {"name": "number 777"},
}


def test_r_086_a_list_of_a_thousand_jobs_reads_what_it_shows(many):
    """The page, the jobs on it and their tasks: three rows a job, whatever is asked for and wherever it begins."""
    for name, filters in COSTLY.items():
        plan = list_plan(many, many.tenant, **filters)
        shown = plan["Actual Rows"]
        assert shown > 0, name
        assert rows_read(plan) <= 4 * shown + 8, (name, shown, rows_read(plan), plan)


def test_the_reading_of_too_much_would_be_noticed(many):
    """The control: without its indexes the same list reads all jobs to show the oldest ones."""
    with many.db.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("DROP INDEX job_by_environment")
        try:
            plan = list_plan(many, many.tenant, environment="old")
        finally:
            cursor.execute("ROLLBACK")
    assert rows_read(plan) > COUNT / 2


def test_a_page_asks_the_database_as_often_whatever_is_on_it(many):
    """Not once a job: the statements of a request are counted in PostgreSQL's own log."""
    log = many.postgres.home / "log"
    many.sql("ALTER SYSTEM SET log_statement = 'all'")
    many.sql("SELECT pg_reload_conf()")

    def statements(limit):
        mark = make_id("mark")
        many.sql("SELECT '%s'" % mark)
        many.get("/v1/jobs?limit=%d&environment=old" % limit, headers={"Authorization": "Bearer " + many.tenant_key})
        many.sql("SELECT '%s'" % mark.lower())
        text = log.read_text(errors="replace")
        part = text[text.index(mark):text.index(mark.lower())]
        # But for what the keeper does every three seconds.
        return [line for line in part.splitlines() if " execute " in line
                and not re.search(r"execute (job_due|sweep)|-- Jobs by state", line)]

    deadline = time.monotonic() + 30
    mark = make_id("mark")
    while mark not in log.read_text(errors="replace"):
        assert time.monotonic() < deadline
        many.sql("SELECT '%s'" % mark)
    # What is made of a specification is kept: those that are new are read by one statement more.
    first = statements(200)
    one, all_of_them = statements(1), statements(200)
    many.sql("ALTER SYSTEM RESET log_statement")
    many.sql("SELECT pg_reload_conf()")
    assert len(one) == len(all_of_them) > 1, (one, all_of_them)
    assert len(first) <= len(all_of_them) + 1, first


CHORES = {"job_due.sql": [100], "job_recovery_plan.sql": [60], "job_recovery_due.sql": [20], "job_summary.sql": [None]}


def test_what_the_api_does_every_three_seconds_reads_no_job_that_wants_nothing_of_it(many):
    for query, values in CHORES.items():
        plan = plan_of(many, query, values)
        assert rows_read(plan) < 100, (query, plan)


def test_a_chore_that_looks_at_each_job_would_be_noticed(many):
    """The control: without the index that has none of them, failed jobs are gone through."""
    with many.db.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("DROP INDEX job_recovering")
        try:
            plan = plan_of(many, "job_recovery_due.sql", CHORES["job_recovery_due.sql"])
        finally:
            cursor.execute("ROLLBACK")
    assert rows_read(plan) >= 100


def listed(api, query="limit=200"):
    return api.get("/v1/jobs?" + query, headers={"Authorization": "Bearer " + api.tenant_key})["items"]


def test_a_job_is_the_same_in_a_list_and_by_itself_tag_and_all(many):
    for query in ("limit=5", "limit=5&state=running", "limit=5&attention=true", "limit=5&environment=old"):
        for _ in range(2):
            for job in listed(many, query):
                alone = many.call("GET", "/v1/jobs/" + job["id"], headers={"Authorization": "Bearer " + many.tenant_key})
                assert alone.json() == job and alone.headers["ETag"] == job["etag"]


def test_the_tag_of_a_page_changes_with_whatever_one_of_its_jobs_shows(many):
    key = {"Authorization": "Bearer " + many.tenant_key}
    job = listed(many, "limit=3&state=paused")[1]["id"]

    def tag(known=""):
        answer = many.call("GET", "/v1/jobs?limit=3&state=paused", headers={**key, "If-None-Match": known})
        return answer.status_code, answer.headers["ETag"]

    for change in ("UPDATE task SET progress = progress || '{\"keys_done\": 7}' WHERE job = %s",
                   "UPDATE job SET spec = spec || '{\"labels\": {\"team\": \"other\"}}' WHERE id = %s",
                   "UPDATE job SET version = version + 1 WHERE id = %s"):
        code, before = tag()
        assert code == 200 and tag(before) == (304, before)
        many.sql(change.replace("%s", "'%s'" % job))
        code, after = tag(before)
        assert code == 200 and after != before, change


def test_a_list_shows_each_job_as_it_was_at_one_moment(many):
    """Name and specification are changed together, while lists are read whose specifications nobody knows yet."""
    many.sql("UPDATE job SET name = 'v0', spec = spec || '{\"labels\": {\"v\": \"v0\"}}' WHERE account = '%s'" %
             many.tenant)
    done, changed = threading.Event(), []

    def change():
        with contextlib.closing(many.postgres.connect()) as db:
            cursor = db.cursor()
            while not done.is_set():
                changed.append(1)
                cursor.execute("UPDATE job SET name = 'v' || %s, spec = spec || jsonb_build_object('labels',"
                               " jsonb_build_object('v', 'v' || %s)) WHERE account = %s AND id IN"
                               " (SELECT id FROM job WHERE account = %s AND state <> 'released' ORDER BY id DESC LIMIT 60)",
                               (len(changed), len(changed), many.tenant, many.tenant))

    writer = threading.Thread(target=change)
    writer.start()
    try:
        seen = set()
        for _ in range(40):
            for job in listed(many, "limit=50"):
                assert job["labels"]["v"] == job["name"]
                seen.add(job["name"])
    finally:
        done.set()
        writer.join()
    assert len(seen) > 3, "nothing was changed meanwhile: it proves nothing"


def test_labels_are_found_as_they_are_after_a_change(many):
    job = many.post("/v1/jobs", dict(SPEC, destination={"url": "redis://l.example"}, labels={"a": "1", "b": "x=y, z"}))
    path = "/v1/jobs/" + job["id"]

    def found(label):
        return [j["id"] for j in many.get("/v1/jobs?label=" + urllib.parse.quote(label))["items"]]

    assert found("a=1") == [job["id"]] and found("a=") == []
    many._expect(many.call("PATCH", path, {"labels": {"a": "2", "b": None}}), 200)
    assert found("a=1") == [] and found("a=2") == [job["id"]]
    many._expect(many.call("PATCH", path, {"labels": {"c": "x=y"}}), 200)
    assert found("c=x=y") == [job["id"]]
    for wrong in ("label=", "label=a", "label=%3D1", "label=" + ",".join("k%d%%3D1" % i for i in range(40)), "state="):
        assert many.call("GET", "/v1/jobs?" + wrong).status_code == 422, wrong


def test_a_new_name_is_found_and_the_old_one_is_not(many):
    job = many.post("/v1/jobs", dict(SPEC, destination={"url": "redis://n.example"}, name="Überfahrt zum Ziel"))

    def found(part):
        return [j["id"] for j in many.get("/v1/jobs?name=" + urllib.parse.quote(part))["items"]]

    for part in ("Überfahrt", "BERFAHRT", "Ziel", "zum Z", "t z", "l"):
        assert job["id"] in found(part), part
    many._expect(many.call("PATCH", "/v1/jobs/" + job["id"], {"name": "ab"}), 200)
    assert found("Ziel") == [] and found("ab") == [job["id"]] == found("B")


def test_counts_are_those_of_the_tenant_and_change_with_the_jobs(many):
    def summary():
        return many.get("/v1/jobs/summary", headers={"Authorization": "Bearer " + many.tenant_key})

    before = summary()
    assert before["states"] == {s: len(expected(many, "state = '%s'" % s)) for s in STATES}
    assert before["attention"] == len(expected(many, "attention IS NOT NULL")) > 0
    one = expected(many, "state = 'paused' AND attention IS NULL")[0]
    many.sql("UPDATE job SET state = 'blocked', attention = '{\"code\": \"diverged\"}' WHERE id = %s", one)
    after = summary()
    assert after["states"]["blocked"] == 1 and after["states"]["paused"] == before["states"]["paused"] - 1
    assert after["attention"] == before["attention"] + 1


def apart(api):
    """Every job of the tenant has ends of its own, but for three: at the source, at the destination, the other way
    round; and one more that does not run. Returns a precheck of the first tenant's job, and the three."""
    model = api.get("/v1/jobs")["items"][0]["id"]
    api.sql("""UPDATE job SET spec = jsonb_set(jsonb_set(spec, '{source,endpoints,0,host}', to_jsonb('s' || id)),
                                               '{destination,endpoints,0,host}', to_jsonb('d' || id))
                WHERE account = %s""", api.tenant)
    near = [row[0] for row in api.sql("SELECT id FROM job WHERE account = %s AND state = 'running' ORDER BY id LIMIT 3",
                                      api.tenant)]
    idle = [row[0] for row in api.sql("SELECT id FROM job WHERE account = %s AND state = 'stopped' LIMIT 1", api.tenant)]
    for job, ours, theirs in [(near[0], ["source"], ["source"]), (near[1], ["destination"], ["destination"]),
                              (near[2], ["source", "destination"], ["destination", "source"]),
                              (idle[0], ["source"], ["source"])]:
        for end, other in zip(ours, theirs):
            api.sql("""UPDATE job j SET spec = jsonb_set(j.spec, ARRAY[%s, 'endpoints'], m.spec -> %s -> 'endpoints')
                         FROM job m WHERE j.id = %s AND m.id = %s""", end, other, job, model)
    api.sql("VACUUM ANALYZE job")
    run = api.sql("SELECT id FROM precheck WHERE job = %s", model)
    return run[0][0] if run else api.post("/v1/jobs/%s/prechecks" % model)["id"], near


def test_what_a_worker_asks_before_a_precheck_reads_the_jobs_at_its_ends_only(many):
    """It asks while nothing else of it moves: no lease is renewed meanwhile."""
    run, near = apart(many)
    values = [run, ["running", "paused"]]
    found = many.sql(text_of("precheck_neighbours.sql", values))[0][0]
    assert [(row["relation"], row["job"], row["state"]) for row in found] == [
        ("source", None, "running"), ("destination", None, "running"), ("reverse", None, "running")]
    assert rows_read(plan_of(many, "precheck_neighbours.sql", values)) < 40
    assert rows_read(plan_of(many, "reading_own_keys.sql", [run])) < 200
    many.sql("UPDATE precheck SET account = %s WHERE id = %s", many.tenant, run)
    assert [row["job"] for row in many.sql(text_of("precheck_neighbours.sql", values))[0][0]] == near


def test_without_the_index_of_the_ends_it_would_read_all(many):
    """The control."""
    run, _ = apart(many)
    many.sql("DROP INDEX job_by_source_end, job_by_destination_end")
    try:
        assert rows_read(plan_of(many, "precheck_neighbours.sql", [run, ["running"]])) > COUNT
    finally:
        many.sql("CREATE INDEX job_by_source_end ON job (kf_end(spec -> 'source'))")
        many.sql("CREATE INDEX job_by_destination_end ON job (kf_end(spec -> 'destination'))")
