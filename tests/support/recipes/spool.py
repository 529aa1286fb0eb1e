"""The disk below the spool, and the clocks."""

import time

from support.chaos import need
from support.recipes import recipe
from support.recipes.network import full_syncs


@recipe("T12", "a disk that is full under the spool, and has room again", 60, 8)
def full_disk(run):
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(source)
    run.service()
    run.writer(source, "a")
    job = run.start(source.url(), destination.url())
    while run.until():
        for place in ("spool.data-write", "spool.index-write"):
            run.points.order(place, "full", keep=True)
        run.harm("no room on the disk")
        job.wait_state("retrying", timeout=30)
        said = job.get()["last_error"]["code"]
        assert said == "spool_full", "%s\n%s" % (said, run.log)
        time.sleep(run.rng.uniform(0.1, 3))
        for place in ("spool.data-write", "spool.index-write"):
            run.points.take_back(place)
        run.marker(source, destination, job)
        job.wait_state("running", timeout=30)
    run.finish(job, source, destination, faults=2)


def _segments(service):
    return sorted(path for path in service.data_dir.rglob("*.seg") if path.parent.name == "stream")


@recipe("T13", "bits that flip in the spool, and an fsync that fails", 120, 10)
def flipped_bits(run):
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(source)
    service = run.service()
    proxy = run.proxy(destination)
    run.writer(source, "a")
    job = run.start(source.url(), destination.url(port=proxy.port))
    copies, flips, rounds = full_syncs(source), 0, 0
    wanted = 200 if run.seconds > 60 else 12
    while run.until() or flips < wanted:
        # What apply has not read is in the spool only. The last segment is looked through by receive
        # when it starts, what lies before it by apply when it comes there.
        proxy.rate = 2_000
        if rounds % 4 == 0:
            for i in range(40):
                source.client(9).set("kfw:heavy", b"%d" % i + b"x" * 1_000_000)
            run.wait(lambda: len(_segments(service)) > 1, "a second segment")
        time.sleep(run.rng.uniform(0.4, 1))
        rounds += 1
        job.pause()
        position = _off(destination)
        ahead = [path for path in _segments(service) if _end_of(path) > position]
        if not ahead:  # apply was faster
            proxy.rate = 0
            job.resume()
            continue
        segment = ahead[0]
        base, end = int(segment.stem), _end_of(segment)
        with open(segment, "r+b") as file:
            for _ in range(min(20, wanted)):
                at = run.rng.randrange(max(position, base), end) - base
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 1 << run.rng.randrange(8)]))
                flips += 1
        run.harm("flipped bits", "flipped bits in %d bytes that were not applied", end - max(position, base))
        proxy.rate = 0
        run.points.order("spool.meta-sync", "error")
        job.resume()
        run.marker(source, destination, job)
    need(flips >= wanted, "only %d bits were flipped" % flips, run.log)
    noticed = sum(text.count("code=spool_corrupt") for text in service.logs().values())
    need(noticed > 0, "no reader met a flipped bit", run.log)
    run.log("%d flipped, noticed %d times", flips, noticed)
    run.finish(job, source, destination)
    need(full_syncs(source) == copies, "it took another full copy", run.log)


def _off(destination):
    (key,) = destination.client().scan_iter(match="{kf}:*", count=10_000)
    return int(destination.client().hget(key, "off"))


def _end_of(segment):
    """Where the last record of the segment's index ends: start and length are its first 12 bytes of 32."""
    index = segment.with_suffix(".idx").read_bytes()
    last = index[(len(index) // 32 - 1) * 32:]
    return int.from_bytes(last[:8], "little") + int.from_bytes(last[8:12], "little")


@recipe("T18", "a worker whose clock is an hour off", 30, 8)
def clock(run):
    skew = run.rng.choice((-3_600_000, 3_600_000))
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(source)
    run.service(KEYFERRY_TEST_CLOCK_SKEW_MS=str(skew))
    run.writer(source, "a")
    run.harm("clock", "the worker's clock is %d ms off", skew)
    job = run.start(source.url(), destination.url())
    while run.until():
        time.sleep(0.5)
    run.finish(job, source, destination)
