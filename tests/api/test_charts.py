"""GET /v1/jobs/{job}/metrics: which numbers, from when, and how fine."""

import time

import pytest

NAMES = ["latency_us", "lag_bytes", "keys_per_second", "commands_per_second", "bytes_per_second", "spool_bytes",
         "destination_memory_bytes", "destination_latency_us", "waited_us", "reconnects"]


def bucket(api, job, step, first, value):
    """Sixty moments whose numbers are `value` plus the moment, but for the memory, which is not known."""
    points = []
    for name in NAMES:
        points += [None if name == "destination_memory_bytes" else value + i for i in range(60)]
    api.sql("INSERT INTO series VALUES (%s, %s, to_timestamp(%s), %s)", job, step, first, points)


@pytest.fixture
def charted(api, job):
    now = int(time.time())
    minute, hour = now - now % 60 - 120, now - now % 3600
    bucket(api, job["id"], 1, minute, 1000)
    bucket(api, job["id"], 1, minute + 60, 2000)
    bucket(api, job["id"], 10, minute - minute % 600 - 6000, 3000)
    bucket(api, job["id"], 60, hour - 86400 * 10, 4000)
    return job["id"], minute, hour


def test_an_hour_is_shown_second_by_second(api, charted):
    job, minute, _ = charted
    chart = api.get("/v1/jobs/%s/metrics" % job)
    assert chart["step_seconds"] == 1 and len(chart["items"]) == 120
    first = chart["items"][0]
    assert first["lag_bytes"] == 1000 and first["destination_memory_bytes"] is None
    assert chart["items"][60]["lag_bytes"] == 2000
    assert set(first) == set(NAMES) | {"at"}


def test_names_times_and_steps_are_chosen(api, charted):
    job, minute, hour = charted
    path = "/v1/jobs/%s/metrics" % job
    chart = api.get(path + "?names=lag_bytes,reconnects&from=%d&to=%d&step=5" % (minute, minute + 60))
    assert len(chart["items"]) == 12 and chart["step_seconds"] == 5
    assert chart["items"][0] == {"at": chart["from"], "lag_bytes": 1002, "reconnects": 1004}
    day = api.get(path + "?seconds=30000")
    assert day["step_seconds"] == 10 and {i["lag_bytes"] for i in day["items"]} == set(range(3000, 3060))
    month = api.get(path + "?seconds=2678400")
    assert month["step_seconds"] == 960
    assert any(4000 <= i["lag_bytes"] < 4060 for i in month["items"])
    old = api.get(path + "?from=%d&to=%d" % (hour - 86400 * 10, hour - 86400 * 10 + 3600))
    assert old["step_seconds"] == 60 and len(old["items"]) == 60
    text = api.get(path + "?from=%s&to=%s" % (chart["from"], chart["to"]))
    assert len(text["items"]) == 60


@pytest.mark.parametrize("query", ["names=weather", "from=yesterday", "step=0", "step=99999", "from=20&to=10",
                                   "seconds=99999999", "from=1&to=99999999"])
def test_what_makes_no_sense_is_refused(api, job, query):
    assert api.call("GET", "/v1/jobs/%s/metrics?%s" % (job["id"], query)).status_code == 422
