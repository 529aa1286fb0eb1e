"""What keeps a migration from starting: each is an item with a cause and a remedy, and
nothing is written before it is put right."""

import pytest
import redis
from support.ports import free_port
from support.service import ApiError, worth_reading
from support.workload import fill


def snapshot(server):
    """What is in a server, by name."""
    return {db: sorted(server.client(db).scan_iter(count=1000)) for db in server.counts()}


def items(found, result):
    return {item["id"]: item for item in found["items"] if item["result"] == result}


def test_two_stock_servers_pass_without_a_warning(service, source, destination):
    fill(source.url(), 3000)
    before = snapshot(source)
    found = service.precheck(source.url(), destination.url())
    assert found["state"] == "passed", worth_reading(found)
    assert worth_reading(found) == []
    assert found["counts"]["pass"] >= 9
    assert found["counts"]["fail"] == found["counts"]["warn"] == found["counts"]["error"] == 0
    assert snapshot(source) == before and snapshot(destination) == {}


# ---- one thing wrong each: (how to make it, the item's id, its result)


def wrong_source_password(source, destination):
    source.client().config_set("requirepass", "right")
    source.password = "right"
    return source.url(user=":wrong"), destination.url()


def no_source_password(source, destination):
    source.client().config_set("requirepass", "right")
    source.password = "right"
    return "redis://127.0.0.1:%d" % source.port, destination.url()


def wrong_destination_password(source, destination):
    destination.client().config_set("requirepass", "right")
    destination.password = "right"
    return source.url(), destination.url(user=":wrong")


def unreachable_source(source, destination):
    return "redis://127.0.0.1:%d" % free_port(), destination.url()


def unreachable_destination(source, destination):
    return source.url(), "redis://127.0.0.1:%d" % free_port()


def unknown_host(source, destination):
    return "redis://no-such-host.invalid:6379", destination.url()


def unknown_hosts(source, destination):
    return "redis://no-such-host.invalid:6379", "redis://nor-such-a-host.invalid:6379"


def non_empty_destination(source, destination):
    destination.client(3).set("somebody's", 1)
    return source.url(), destination.url()


def evicting_destination(source, destination):
    destination.client().config_set("maxmemory-policy", "allkeys-lru")
    return source.url(), destination.url()


def source_user_without_psync(source, destination):
    source.client().execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~*", "&*", "+@all",
                                    "-psync", "-sync")
    return source.url(user="reader:pw"), destination.url()


def destination_user_without_writing(source, destination):
    destination.client().execute_command("ACL", "SETUSER", "looker", "on", ">pw", "~*", "&*", "+@all",
                                         "-@write")
    return source.url(), destination.url(user="looker:pw")


def destination_is_a_replica(source, destination):
    destination.client().execute_command("REPLICAOF", "127.0.0.1", free_port())
    return source.url(), destination.url()


def the_same_server_twice(source, destination):
    return source.url(), source.url()


def destination_too_small(source, destination):
    destination.client().config_set("maxmemory", "1mb")
    return source.url(), destination.url()


WRONG = [
    (wrong_source_password, ("src.auth",), "fail"),
    (no_source_password, ("src.auth",), "fail"),
    (wrong_destination_password, ("dst.auth", "dst.connect"), "fail"),
    (unreachable_source, ("src.connect",), "fail"),
    (unreachable_destination, ("dst.connect",), "fail"),
    (unknown_host, ("src.dns", "src.connect"), "fail"),
    (unknown_hosts, ("dst.dns", "dst.connect"), "fail"),
    (non_empty_destination, ("dst.empty",), "fail"),
    (evicting_destination, ("dst.eviction",), "warn"),
    (source_user_without_psync, ("src.psync_permission",), "fail"),
    (destination_user_without_writing, ("dst.permission", "dst.writable"), "fail"),
    (destination_is_a_replica, ("dst.writable", "dst.role"), "fail"),
    (the_same_server_twice, ("dst.same_instance",), "fail"),
    (destination_too_small, ("dst.memory",), "fail"),
]


@pytest.mark.parametrize("make, ids, result", WRONG, ids=[row[0].__name__ for row in WRONG])
def test_what_is_wrong_is_named_with_a_remedy(service, source, destination, make, ids, result):
    fill(source.url(), 600)
    source_url, destination_url = make(source, destination)
    before = snapshot(source), snapshot(destination)
    job = service.job(source_url, destination_url)
    found = job.precheck()
    assert found["state"] == "failed", found
    found_items = items(found, result)
    named = [found_items[i] for i in ids if i in found_items]
    assert named, "no %s among %s" % (" or ".join(ids), worth_reading(found))
    for item in named:
        assert item["message"] and item["remedy"], item
        assert "pw" not in item["message"] and "right" not in item["message"].split(), item
    others = set(items(found, "fail")) | set(items(found, "error"))
    if result == "warn":
        assert not others, worth_reading(found)
    # Nothing that depends on the wrong thing may be reported as another thing that is wrong.
    assert len(others) <= 2, worth_reading(found)
    assert job.state == "precheck_failed"
    with pytest.raises(ApiError) as refused:
        job.act("start")
    assert refused.value.status == 409
    assert (snapshot(source), snapshot(destination)) == before, "something was written"
    job.release()


def test_a_warning_can_be_accepted_and_a_failure_cannot(service, source, destination):
    source.client().set("k", 1)
    evicting_destination(source, destination)
    job = service.job(source.url(), destination.url())
    assert job.precheck()["state"] == "failed"
    found = job.precheck(ignore_warnings=True)
    assert found["state"] == "passed", worth_reading(found)
    job.act("start")
    job.wait_caught_up()
    job.stop()
    assert destination.client().get("k") == b"1"
    # Now the destination is not empty.
    again = service.job(source.url(), destination.url())
    assert again.precheck(ignore_warnings=True)["state"] == "failed"


def test_r_175_what_was_accepted_stays_so_when_it_is_checked_again(service, source, destination):
    source.client().set("k", 1)
    evicting_destination(source, destination)
    job = service.job(source.url(), destination.url())
    first = job.precheck()
    warned, = [i for i in first["items"] if i["result"] == "warn" and i["ignorable"]]
    service.request("POST", "%s/prechecks/%s/items/%s/ignore" % (job.path, first["id"], warned["id"]),
                    {"reason": "it is a cache"})
    again = job.precheck()
    item, = [i for i in again["items"] if i["id"] == warned["id"]]
    assert (again["state"], again["success_rate"]) == ("passed", 100), worth_reading(again)
    assert (item["result"], item["reason"]) == ("ignored", "it is a cache") and item["ignored_by"]
    # Another thing is observed: that was not accepted.
    policy = item["observed"]
    destination.client().config_set("maxmemory-policy", "volatile-ttl" if policy != "volatile-ttl" else "allkeys-lru")
    other = job.precheck()
    assert other["state"] == "failed" and [i["result"] for i in other["items"] if i["id"] == warned["id"]] == ["warn"]
    # Nor is it for another specification.
    destination.client().config_set("maxmemory-policy", policy)
    service.request("PATCH", job.path, {"conflict_mode": "overwrite"})
    assert job.precheck()["state"] == "failed"


def test_a_job_that_writes_to_the_destination_is_told_before_the_start_is_refused(service, source, destination):
    source.client().set("k", 1)
    first = service.job(source.url(), destination.url()).check_and_start()
    first.wait_caught_up()
    second = service.job(source.url(), destination.url(), conflict_mode="overwrite")
    found = second.precheck(ignore_warnings=True)
    item, = [i for i in found["items"] if i["id"] == "src.other_jobs"]
    assert item["result"] == "warn" and "start is refused" in item["message"] and first.id in item["message"]
    assert "End the jobs" in item["remedy"]
    answer = service.request("POST", "%s/prechecks/%s/items/src.other_jobs/ignore" % (second.path, found["id"]),
                             {"reason": "I know it"}, expect=(409,))
    assert answer["code"] == "not_ignorable" and "is a remark" in answer["detail"]
    # Nobody can accept a remark, and it holds nothing up.
    if found["state"] == "passed":
        assert found["success_rate"] == 100
        assert service.request("POST", second.path + "/start", {}, expect=(409,))["code"] == "selection_overlaps"
    first.stop()


def test_what_was_never_looked_at_is_not_taken_over(service, source, destination):
    """The repetition of what failed would pass a job that nothing but its login was checked of."""
    source.client().set("k", 1)
    destination.client().set("there", 1)
    destination.client().config_set("requirepass", "s3cret")
    job = service.job(source.url(), destination.url())
    first = job.precheck()
    assert first["state"] == "failed" and {i["id"]: i["result"] for i in first["items"]}["dst.empty"] == "skipped"
    redis.Redis(port=destination.port, password="s3cret").config_set("requirepass", "")
    again = service.request("POST", job.path + "/prechecks", {"only_failed": True}, headers={"Prefer": "wait=30"})
    found = {i["id"]: i["result"] for i in again["items"]}
    assert (found["dst.auth"], found["dst.empty"], again["state"]) == ("pass", "fail", "failed"), worth_reading(again)


def test_the_command_line_prints_the_remedy_and_ends_with_3(service, source, destination):
    non_empty_destination(source, destination)
    before = snapshot(destination)
    for command in ("precheck", "migrate"):
        result = service.run(command, source.url(), destination.url())
        assert result.returncode == 3, result.stdout + result.stderr
        text = result.stdout + result.stderr
        assert "dst.empty" in text and "fix" in text.lower(), text
    assert snapshot(destination) == before


def test_the_command_line_ends_with_0_when_nothing_is_wrong(service, source, destination):
    result = service.run("precheck", source.url(), destination.url())
    assert result.returncode == 0, result.stdout + result.stderr
    assert snapshot(destination) == {}


def test_a_password_is_nowhere_but_in_the_sealed_column(start_service, redis_server):
    """Logs, answers, arguments and environments of all processes, and the spool's names."""
    canary = "canary-%s" % "Zq7vX3"
    source = redis_server("--requirepass", canary)
    source.password = canary
    destination = redis_server("--requirepass", canary)
    destination.password = canary
    source.client().set("k", 1)
    service = start_service()
    job = service.job(source.url(), destination.url()).check_and_start()
    answer = str(job.wait_caught_up()) + str(service.request("GET", job.path + "/prechecks/latest"))
    seen, looked = [], set()
    for role, pids in service.roles().items():
        for pid in pids:
            for part in ("cmdline", "environ"):
                try:
                    with open("/proc/%d/%s" % (pid, part), "rb") as file:
                        text = file.read()
                except OSError:
                    continue  # it has ended meanwhile
                looked.add(role)
                if canary.encode() in text:
                    seen.append("%s %s" % (role, part))
    job.stop()
    assert canary not in answer
    assert seen == [] and looked >= {"up", "api", "worker", "receive", "apply"}
    assert [name for name, text in service.logs().items() if canary in text] == []
    assert [str(p) for p in service.data_dir.rglob("*") if canary in p.name] == []
