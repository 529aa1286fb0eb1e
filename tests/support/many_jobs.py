"""Many jobs at once, straight into the database, and what a list of them costs there."""

import json
import pathlib
import re

QUERIES = pathlib.Path(__file__).resolve().parents[2] / "sql" / "queries"
STATES = ["draft", "configured", "precheck_passed", "running", "paused", "failed", "completed", "stopped", "released"]

# The parameters of job_list.sql in their order; those of job_list_labelled.sql; and of
# job_list_of_label.sql, which serves where nothing else is asked for.
NAMES = ["account", "state", "states", "name", "before", "limit", "environment", "worker_pool", "attention", "region",
         "resource_group", "instance", "specs"]
LABELLED = NAMES[:-1] + ["label", "labels", "specs"]
OF_LABEL = ["account", "label", "labels", "before", "limit", "specs"]


def fill(api, account, model, count, first=1):
    """`count` copies of the job `model` in that account, ids in the order of time, all that a list is filtered by
    mixed. What the last tenth calls "old" only the oldest jobs have."""
    api.sql("""
        INSERT INTO job (id, account, name, state, spec, warnings, spec_digest, worker_pool, destination_key, attention,
                         created_at)
        SELECT 'job_' || lpad(upper(to_hex(n + %s)), 26, '0'), %s, 'job number ' || n, (%s::text[])[1 + n %% 9],
               spec || jsonb_build_object(
                   'labels', jsonb_build_object('team', 't' || n %% 500, 'age', age),
                   'environment', CASE age WHEN 'old' THEN age ELSE 'e' || n %% 50 END,
                   'region', CASE age WHEN 'old' THEN age ELSE 'r' || n %% 20 END,
                   'resource_group', CASE age WHEN 'old' THEN age ELSE 'g' || n %% 20 END,
                   'source', jsonb_set(spec -> 'source', '{reference}',
                                       jsonb_build_object('instance_id', 'inst_' || n %% 1000))),
               warnings, spec_digest, CASE age WHEN 'old' THEN age ELSE 'p' || n %% 10 END, 'd' || n || ':6379',
               CASE n %% 200 WHEN 0 THEN '{"code": "needs_recopy"}'::jsonb END, now() - make_interval(secs => %s - n)
          FROM job, generate_series(1, %s) n, LATERAL (SELECT CASE WHEN n <= %s / 10 THEN 'old' ELSE 'new' END) a (age)
         WHERE id = %s""", first - 1, account, STATES, count, count, count, model)
    api.sql("""INSERT INTO job_event (job, number, type, state, sentence)
               SELECT id, 1, 'created', state, 'The job was created' FROM job ON CONFLICT DO NOTHING""")
    api.sql("""INSERT INTO task (job, number) SELECT id, 0 FROM job
                WHERE state IN ('running', 'paused', 'failed', 'stopped') ON CONFLICT DO NOTHING""")
    # What autovacuum does within a minute.
    api.sql("VACUUM ANALYZE")


def _literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return "ARRAY[%s]::text[]" % ",".join(_literal(v) for v in value)
    return str(value) if isinstance(value, (int, bool)) else "'%s'" % value


def list_plan(api, account, **filters):
    """EXPLAIN ANALYZE of the list as the API asks for it, as JSON; filters as in LABELLED."""
    values = {**dict.fromkeys(LABELLED), "account": account, "limit": 51, "attention": False, "labels": [],
              "specs": False, **filters}
    names, query = (LABELLED, "job_list_labelled.sql") if values["label"] else (NAMES, "job_list.sql")
    if values["label"] and set(filters) <= set(OF_LABEL):
        names, query = OF_LABEL, "job_list_of_label.sql"
    return plan_of(api, query, [values[name] for name in names])


def text_of(query, values):
    """A statement of sql/queries with its parameters in it."""
    text = re.sub(r"^--.*\n", "", (QUERIES / query).read_text(), flags=re.M)
    return re.sub(r"\$(\d+)", lambda m: _literal(values[int(m.group(1)) - 1]), text).replace("%", "%%")


def plan_of(api, query, values):
    """EXPLAIN ANALYZE of it, as JSON."""
    row = api.sql("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + text_of(query, values))[0][0]
    return (row if isinstance(row, list) else json.loads(row))[0]["Plan"]


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def rows_read(plan):
    """Rows that the scans of a plan looked at, those they passed over too."""
    read = 0
    for node in nodes(plan):
        if "Relation Name" in node or node["Node Type"] == "Bitmap Index Scan":
            read += node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0) +
                                            node.get("Rows Removed by Index Recheck", 0))
    return read
