"""The command line as a person or a script meets it: exit codes, screens, secrets."""

import json
import os
import signal
import subprocess
import time

import pytest
from support.compare import HELD_MS, compare
from support.service import program


def keyferry(*arguments, cwd, timeout=120, **env):
    """A command where no service is."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KEYFERRY_")}
    return subprocess.run([program("keyferry"), *map(str, arguments)], cwd=cwd, text=True,
                          env=dict(environment, **env), capture_output=True, timeout=timeout)


@pytest.mark.parametrize("arguments", [
    (), ("nonsense",), ("migrate", "redis://127.0.0.1"), ("job", "list", "--nonsense"),
    ("migrate", "redis://127.0.0.1", "redis://127.0.0.1", "--until", "tomorrow"),
    ("up", "--workers", "0"), ("up", "--workers", "65"), ("job", "show", "../keys"), ("job",), ("job", "nonsense")])
def test_wrong_usage_is_exit_2(tmp_path, arguments):
    done = keyferry(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr and not done.stdout


@pytest.mark.parametrize("arguments", [
    ("job", "list"), ("migrate", "redis://127.0.0.1:1", "redis://127.0.0.1:2")])
def test_without_a_service_it_says_how_to_start_one(tmp_path, arguments):
    done = keyferry(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and "keyferry up" in done.stderr


def test_a_group_of_words_has_help_and_what_is_no_word_is_named(tmp_path):
    for group in ("job", "master-key", "rdb"):
        done = keyferry(group, "--help", cwd=tmp_path)
        lines = [line for line in done.stdout.splitlines() if line.startswith("  ")]
        assert done.returncode == 0 and lines and all(line.startswith("  " + group) for line in lines), done
    assert "there is no command job frob" in keyferry("job", "frob", cwd=tmp_path).stderr
    assert "there is no command frob" in keyferry("frob", cwd=tmp_path).stderr
    assert keyferry("--version", cwd=tmp_path).stdout == keyferry("version", cwd=tmp_path).stdout != ""
    # Help on the destination speaks of the destination: `settle` has no source.
    assert "source" not in keyferry("settle", "--help", cwd=tmp_path).stdout


def test_a_snapshot_that_is_not_there_has_no_size(tmp_path):
    done = keyferry("rdb", "inspect", "gone.rdb", cwd=tmp_path)
    assert done.returncode == 1 and "gone.rdb" in done.stderr and not done.stdout


def test_every_word_has_help(tmp_path):
    listed = keyferry("--help", cwd=tmp_path)
    assert listed.returncode == 0
    words = [line[2:19].strip() for line in listed.stdout.splitlines() if line.startswith("  ")]
    assert {"up", "migrate", "precheck", "job list", "settle", "rdb inspect"} <= set(words)
    for word in words:
        done = keyferry(*word.split(), "--help", cwd=tmp_path)
        assert done.returncode == 0 and done.stdout.startswith("keyferry " + word), word
        assert "\nExamples\n  " in done.stdout and "keyferry " + word in done.stdout.split("\nExamples\n")[1], word


@pytest.mark.parametrize("option", ("--source-password-file", "--destination-ca", "--source-key", "--api-key-file"))
def test_a_file_that_is_not_there_is_wrong_usage(service, source, destination, option):
    done = service.run("precheck", source.url(), destination.url(), option, "/nowhere/at/all")
    assert done.returncode == 2 and "/nowhere/at/all" in done.stderr and not done.stdout


def test_a_job_that_is_not_there_has_not_failed(service):
    for name in ("nothing", "job_00000000000000000000000000"):
        done = service.run("job", "show", name)
        assert done.returncode == 2 and "no such job" in done.stderr and not done.stdout


def test_migrate_on_a_pipe_until_caught_up_then_stop(service, source, destination):
    source.client(3).set("a", 1, px=10**7)
    done = service.run("migrate", source.url(), destination.url(), "--until", "caught-up")
    assert done.returncode == 0, done
    assert "CAUGHT UP" in done.stdout and "\x1b" not in done.stdout
    job = done.stdout.split()[0]
    assert job.startswith("job_")
    shown = service.run("job", "show", job)
    assert "held, unsettled" in shown.stdout and source.url()[8:] in shown.stdout
    stopped = service.run("job", "stop", job)
    assert stopped.returncode == 0 and compare(source.url(), destination.url()).equal
    again = service.run("job", "stop", job)
    assert again.returncode == 1 and "keyferry: " in again.stderr


def test_json_is_one_object_a_line(service, source, destination):
    done = service.run("migrate", source.url(), destination.url(), "--full-only", "--json")
    assert done.returncode == 0, done
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[-1]["state"] == "completed"


def test_a_precheck_that_fails_is_exit_3_and_leaves_nothing(service, source, destination):
    destination.client().set("mine", 1)
    for word in ("precheck", "migrate"):
        done = service.run(word, source.url(), destination.url())
        assert done.returncode == 3, done
        assert "dst.empty" in done.stdout and "fix" in done.stdout
    rows = service.run("job", "list", "--json").stdout.splitlines()
    assert not [row for row in rows if json.loads(row)["state"] == "precheck_failed"]
    assert destination.client().keys() == [b"mine"]


def test_what_can_only_be_checked_is_refused_before_anything_is_written(service, source, destination):
    def configured():
        rows = [json.loads(row) for row in service.run("job", "list", "--json").stdout.splitlines()]
        return [row["id"] for row in rows if row["state"] == "configured"]

    cluster, before = source.url().replace("redis://", "redis+cluster://"), configured()
    done = service.run("migrate", cluster, destination.url())
    assert done.returncode == 2 and "not built yet" in done.stderr and "keyferry precheck" in done.stderr, done
    assert not done.stdout, "no precheck was run: it would have written probe keys"
    assert configured() == before


def test_a_plan_starts_nothing(service, source, destination):
    def jobs():
        return [json.loads(row)["id"] for row in service.run("job", "list", "--json").stdout.splitlines()]

    before = jobs()
    done = service.run("migrate", "--plan", source.url(), destination.url())
    assert done.returncode == 0 and "Plan" in done.stdout
    assert jobs() == before


def test_a_password_is_not_in_the_list_of_processes(service, redis_server):
    source, destination = redis_server(), redis_server("--requirepass", "hunter2")
    destination.password = "hunter2"
    runs = (({"KEYFERRY_DESTINATION_PASSWORD": "hunter2"}, "redis://127.0.0.1:%d" % destination.port),
            ({}, destination.url()))
    for env, url in runs:
        command = subprocess.Popen(
            [program("keyferry"), "migrate", source.url(), url], cwd=service.home, text=True,
            env=dict(service.environment(), KEYFERRY_URL=service.url,
                     KEYFERRY_API_KEY=service.key_file.read_text().strip(), **env),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = [command.stdout.readline()]  # it has created the job, so it has read everything
        with open("/proc/%d/cmdline" % command.pid, "rb") as file:
            assert b"hunter2" not in file.read()
        while "caught_up" not in lines[-1]:
            lines.append(command.stdout.readline())
            assert lines[-1], command.communicate()
        command.send_signal(signal.SIGINT)
        out, problems = command.communicate(timeout=60)
        assert command.returncode == 130 and "Detached" in problems
        assert ("password in a URL" in problems) == (not env)
        assert "hunter2" not in "".join(lines) + out + problems
        job = lines[0].split()[0]
        assert json.loads(service.run("job", "show", job, "--json").stdout)["state"] == "running"
        assert service.run("job", "stop", job).returncode == 0
        destination.client().flushall()
    for name, text in service.logs().items():
        assert "hunter2" not in text, name


def test_a_password_file_may_be_standard_input(service, redis_server):
    source, destination = redis_server(), redis_server("--requirepass", "hunter2")
    done = service.run("precheck", source.url(), "redis://127.0.0.1:%d" % destination.port,
                       "--destination-password-file", "-", input="hunter2\n")
    assert done.returncode == 0, done


def test_pause_resume_and_throttle(service, source, destination):
    done = service.run("migrate", source.url(), destination.url(), "--until", "caught-up")
    job = done.stdout.split()[0]
    assert service.run("job", "pause", job).returncode == 0
    assert json.loads(service.run("job", "show", job, "--json").stdout)["state"] == "paused"
    assert service.run("job", "resume", job).returncode == 0
    service.run("job", "throttle", job, "--commands-per-second", 5)
    limited = service.run("job", "throttle", job, "--keys-per-second", 1000)
    assert "1,000 keys/s" in limited.stdout and "5 commands/s" in limited.stdout
    assert "5 " not in service.run("job", "throttle", job, "--commands-per-second", 0).stdout
    assert "The full copy is complete" in service.run("job", "logs", job).stdout
    assert service.run("job", "stop", job).returncode == 0


def test_settle_refuses_a_living_job_and_closes_an_abandoned_one(service, source, destination):
    at = int(time.time() * 1000) + 10**7
    source.client(2).set("session", 1, pxat=at)
    done = service.run("migrate", source.url(), destination.url(), "--until", "caught-up")
    job = done.stdout.split()[0]
    held = destination.client(2)
    assert held.execute_command("PEXPIRETIME", "session") == at + HELD_MS
    refused = service.run("settle", destination.url())
    assert refused.returncode == 2 and "has not ended" in refused.stderr
    assert held.execute_command("PEXPIRETIME", "session") == at + HELD_MS
    settled = service.run("settle", "--abandoned", destination.url())
    assert settled.returncode == 0 and "1 expiries put right" in settled.stdout
    assert held.execute_command("PEXPIRETIME", "session") == at
    # What still lived of the job must not go on: the destination refuses it.
    source.client(2).set("late", 1)
    deadline = time.monotonic() + 60
    while service.request("GET", "/v1/jobs/" + job)["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not held.exists("late")
    service.run("job", "stop", job, "--no-drain")
