"""`keyferry up`: one command, a private PostgreSQL, and nothing left when it goes. And the same
programs as separate processes on a PostgreSQL of somebody else."""

import os
import signal
import stat
import subprocess
import time

import psycopg2
import pytest
import requests
from support import processes
from support.ports import free_port
from support.service import program, wait_marker
from support.workload import fill


def test_the_first_start_makes_a_key_that_opens_the_api_and_nobody_else_can_read(start_service):
    service = start_service()
    mode = service.key_file.stat()
    assert stat.S_IMODE(mode.st_mode) == 0o600
    text = service.key_file.read_text()
    assert text.endswith("\n") and text.count("\n") == 1 and text.strip() == text[:-1]
    assert service.request("GET", "/readyz") is not None
    assert service.request("GET", "/v1/jobs")["items"] == []
    for header in ({}, {"Authorization": "Bearer wrong"}):
        answer = requests.get(service.url + "/v1/jobs", headers=header, timeout=10)
        assert answer.status_code == 401, answer.text
    ready = [line for line in service.logs()["output"].splitlines() if "ready at" in line]
    assert len(ready) == 1 and service.url in ready[0] and str(service.key_file) in ready[0]


def test_the_private_postgresql_listens_on_a_unix_socket_only_and_is_not_root(start_service):
    service = start_service()
    (postmaster,) = service.pids("postgres")
    assert processes.status(postmaster)["Uid"].split()[0] != "0"
    inodes = set()
    for name in os.listdir("/proc/%d/fd" % postmaster):
        target = os.readlink("/proc/%d/fd/%s" % (postmaster, name))
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    for table in ("tcp", "tcp6"):
        with open("/proc/net/" + table) as file:
            listening = {line.split()[9] for line in list(file)[1:] if line.split()[3] == "0A"}
        assert not inodes & listening


def test_a_second_service_in_the_same_directory_is_refused(start_service):
    service = start_service()
    second = subprocess.run(
        [program("keyferry"), "up", "--data-dir", str(service.data_dir), "--listen",
         "127.0.0.1:%d" % free_port()], capture_output=True, text=True, timeout=30,
        env=service.environment())
    assert second.returncode not in (0, None)
    assert str(service.process.pid) in second.stderr + second.stdout
    assert service.request("GET", "/readyz") is not None


@pytest.mark.parametrize("role", ["api", "worker", "postgres"])
def test_what_is_killed_comes_back(start_service, role):
    service = start_service()
    (pid,) = service.pids(role)
    processes.send(pid, signal.SIGKILL)
    service.wait_role(role, other_than=[pid])
    assert service.patient("GET", "/v1/jobs")["items"] == []


def test_a_killed_service_takes_its_processes_with_it_and_starts_again(start_service):
    service = start_service()
    key = service.key_file.read_text()
    family = processes.descendants(service.process.pid)
    assert len(family) > 3
    service.kill()
    assert processes.wait_gone(family, 60) == []
    service.start()
    assert service.key_file.read_text() == key
    assert service.request("GET", "/v1/jobs")["items"] == []


def test_sigterm_and_ctrl_c_stop_everything_in_order(start_service):
    service = start_service()
    code, left = service.stop()
    assert (code, left) == (0, [])
    service.start()
    family = processes.descendants(service.process.pid)
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(60) == 0
    assert processes.wait_gone(family, 30) == []


def test_a_wrong_setting_stops_it_with_one_clear_line(tmp_path):
    for name, value, words in (
            ("KEYFERRY_LEASE_SECONDS", "soon", "KEYFERRY_LEASE_SECONDS"),
            ("KEYFERRY_LOG_FORMAT", "xml", "KEYFERRY_LOG_FORMAT"),
            ("KEYFERRY_DATABASE_URL", "postgresql://127.0.0.1:1/none", "control database")):
        done = subprocess.run(
            [program("keyferry"), "up", "--data-dir", str(tmp_path / name), "--listen",
             "127.0.0.1:%d" % free_port()], capture_output=True, text=True, timeout=120,
            env=dict(os.environ, **{name: value}))
        assert done.returncode not in (0, None)
        lines = [line for line in done.stderr.splitlines() if line.startswith("keyferry:")]
        assert len(lines) == 1 and words in lines[0], done.stderr


def test_separate_processes_share_a_postgresql_of_somebody_else(start_service, source, destination):
    """The private PostgreSQL of one service plays the part of the external one."""
    owner = start_service()
    sockets = owner.data_dir / "postgres" / "run"
    connection = psycopg2.connect(host=str(sockets), user="keyferry", dbname="postgres")
    connection.autocommit = True
    connection.cursor().execute("CREATE DATABASE elsewhere")
    connection.close()
    url = "postgresql:///elsewhere?user=keyferry&host=%s" % str(sockets).replace("/", "%2F")
    service = start_service(env={"KEYFERRY_DATABASE_URL": url, "KEYFERRY_LEASE_SECONDS": "3"})
    assert "postgres" not in service.roles()
    fill(source.url(), 1500)
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    service.stop()
    environment = dict(
        service.environment(), KEYFERRY_LISTEN="127.0.0.1:%d" % service.port,
        KEYFERRY_MASTER_KEY_FILE=str(service.data_dir / "master.key"),
        KEYFERRY_SPOOL_DIR=str(service.data_dir / "spool"),
        KEYFERRY_EGRESS_ALLOW="loopback")  # which `up` says for itself
    started = []
    log = open(service.data_dir / "log" / "by-hand", "ab")
    try:
        for name in ("keyferry-api", "keyferry-worker", "keyferry-worker"):
            started.append(processes.register(subprocess.Popen(
                [program(name)], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)))
        job.wait_caught_up()
        wait_marker(source, destination)
        assert source.client().info("stats")["sync_full"] == 1
        # The worker that has the job goes; the other one takes it.
        (apply,) = [pid for one in started for pid in processes.descendants(one.pid)
                    if "apply" in processes.arguments(pid)]
        holder = int(processes.status(apply)["PPid"])
        processes.send(holder, signal.SIGKILL)
        time.sleep(1)
        wait_marker(source, destination)
        job.stop()
    finally:
        processes.end([one.pid for one in started])
        log.close()


def test_settings_may_come_from_a_file_below_the_environment(tmp_path, start_service):
    file = tmp_path / "settings"
    file.write_text("KEYFERRY_LOG_FORMAT=json\nKEYFERRY_METRICS_LISTEN=off\n")
    service = start_service()
    log = lambda: (service.data_dir / "log" / "api.log").read_text()  # noqa: E731
    assert '"event":' not in log()
    service.stop()
    command = [program("keyferry"), "up", "--data-dir", str(service.data_dir), "--config", str(file),
               "--listen", "127.0.0.1:%d" % service.port]
    up = processes.register(subprocess.Popen(command, env=service.environment(), stdout=subprocess.PIPE, text=True))
    assert "ready at" in up.stdout.readline()
    up.terminate()
    assert up.wait(40) == 0
    assert '"event":' in log()
    file.write_text("KEYFERRY_LOG_FORMAT=xml\n")
    refused = subprocess.run(command, env=service.environment(), capture_output=True, text=True, timeout=120)
    assert refused.returncode == 2 and "KEYFERRY_LOG_FORMAT" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
