"""A source whose history is lost, and the copy over what it left on the destination."""

import time

from support.chaos import Divergence
from support.compare import compare

OVERWRITE = {"on_full_resync_needed": "overwrite"}


def lose_history(source):
    """The source comes back as another one, empty: only a new snapshot can go on."""
    source.kill()
    source.start()


def write(source, version, keys):
    client = source.client()
    pipe = client.pipeline(transaction=False)
    for i in keys:
        pipe.set("s:%d" % i, "%d of version %d" % (i, version))
        pipe.rpush("l:%d" % i, "version %d" % version)
    pipe.execute()


def wait_blocked(job, code="needs_recopy", timeout=60):
    deadline = time.monotonic() + timeout
    while True:
        answer = job.get()
        if answer["state"] == "blocked":
            assert answer["attention"]["code"] == code, answer["attention"]
            return answer["attention"]
        assert time.monotonic() < deadline, "not blocked: %s" % answer
        time.sleep(0.05)


def copy_over_an_older_one(service, source, destination):
    """Keys that the source lost meanwhile are gone, those it has are its own."""
    write(source, 1, range(3000))
    source.client(2).set("other database", 1)
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    lose_history(source)
    write(source, 2, range(1500, 3000))
    wait_blocked(job)
    job.act("resume", OVERWRITE)
    job.wait_caught_up()
    report = compare(source.url(), destination.url(), held=True)
    if not report.equal:
        raise Divergence("after a copy over an older one: %s" % report)
    assert report.equal_keys == 3000, report
    return job
