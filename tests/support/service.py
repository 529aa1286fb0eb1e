"""`keyferry up` in a temporary directory, its processes, and a client of its API.

    service = Service(workers=2, env={"KEYFERRY_LEASE_SECONDS": "3"})
    service.start()
    job = service.job(source.url(), destination.url())
    job.check_and_start()
    job.wait_caught_up()
    service.pids("apply")            # [4711]
    job.stop()
    service.close()                  # fails when a process survived or a sanitizer spoke

KF_BUILD names the build folder (default build/asan), whose bin/ holds the programs.
"""

import copy
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import requests

from support import processes
from support.contract import Contract
from support.ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
SANITIZER_WORDS = re.compile(
    r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:")


# Findings about how fast this machine answers, which is busy: no test is about them but those of the checks.
OF_THE_MACHINE = {"net.latency", "env.worker_clock"}


def build_folder():
    path = pathlib.Path(os.environ.get("KF_BUILD", "build/asan"))
    return path if path.is_absolute() else ROOT / path


def program(name):
    path = build_folder() / "bin" / name
    if not path.exists():
        raise RuntimeError("%s is not built; KF_BUILD names the build folder" % path)
    return str(path)


def has_faults():
    """Was the build folder configured with the switches of the negative controls?"""
    cache = build_folder() / "CMakeCache.txt"
    return cache.exists() and re.search(r"^KF_FAULTS:BOOL=(ON|1|TRUE)$", cache.read_text(), re.M)


class ApiError(AssertionError):
    """An answer that was not expected; `problem` is the problem document."""

    def __init__(self, response):
        self.status = response.status_code
        try:
            self.problem = response.json()
        except ValueError:
            self.problem = {"detail": response.text[:300]}
        super().__init__("%s %s: %s %s" % (response.request.method, response.request.path_url,
                                           self.status, self.problem))


class Blocked(AssertionError):
    """The job gave up while somebody waited for something else; `code` says why."""

    def __init__(self, job, what):
        self.code = (job.get("attention") or job.get("last_error") or {}).get("code")
        super().__init__("waiting for %s, the job is %s: %s %s" % (
            what, job["state"], job.get("attention"), job.get("last_error")))


class Service:
    shared = []  # those that more than one test uses

    def __init__(self, workers=1, env=None):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="kf-up-"))
        self.home.chmod(0o711)  # PostgreSQL's user has to pass through
        self.data_dir = self.home / "data"
        self.output = self.home / "output"
        self.workers = workers
        self.port = free_port()
        self.env = {"KEYFERRY_METRICS_LISTEN": "off"}
        self.env.update(env or {})
        self.process = None
        self.starts = 0
        self.used, self.jobs = False, []  # since jobs were put to rest
        self.http = requests.Session()
        self.http.trust_env = False

    # ---- the process

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    @property
    def key_file(self):
        return self.data_dir / "admin.key"

    def environment(self):
        keep = {k: v for k, v in os.environ.items() if not k.startswith("KEYFERRY_")}
        return dict(keep, **self.env)

    def start(self, timeout=120):
        """Start, or start again; returns when it says that it is ready."""
        seen = self.output.stat().st_size if self.output.exists() else 0
        with open(self.output, "ab") as output:
            self.process = processes.register(subprocess.Popen(
                [program("keyferry"), "up", "--data-dir", str(self.data_dir),
                 "--listen", "127.0.0.1:%d" % self.port, "--workers", str(self.workers)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                cwd=self.home, env=self.environment()))
        self.starts += 1
        deadline = time.monotonic() + timeout
        while True:
            text = self.output.read_text(errors="replace")[seen:]
            if "ready at " in text:
                break
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("keyferry up did not become ready: %s" % self.report())
            time.sleep(0.05)
        self.http.headers["Authorization"] = "Bearer " + self.key_file.read_text().strip()
        return self

    def kill(self):
        """kill -9 of `up` alone; what it started is left to find its own end."""
        self.process.kill()
        self.process.wait(10)

    def stop(self, timeout=90):
        """SIGTERM; returns (exit code, [what was still running afterwards])."""
        if self.process is None or self.process.poll() is not None:
            return None, []
        family = processes.descendants(self.process.pid)
        for pid in [self.process.pid] + family:
            processes.send(pid, signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            return "did not stop within %d s" % timeout, family
        return self.process.returncode, processes.wait_gone(family, 15)

    def share(self):
        """More than one test is going to use it: what each leaves is put to rest at its end."""
        Service.shared.append(self)
        return self.start()

    def close(self):
        if self in Service.shared:
            Service.shared.remove(self)
        code, left = self.stop()
        names = [" ".join(processes.arguments(pid)) for pid in left]
        processes.end(left)
        problems = self.sanitizer_reports()
        report = self.report() if problems or left or code not in (0, None) else ""
        shutil.rmtree(self.home, ignore_errors=True)
        assert not problems, "a sanitizer spoke: %s" % problems
        assert code in (0, None) and not left, "keyferry up ended with %s, left %s\n%s" % (
            code, names, report)

    def logs(self):
        """{name: text} of everything the processes wrote."""
        files = [self.output] + sorted((self.data_dir / "log").glob("*"))
        return {f.name: f.read_text(errors="replace") for f in files if f.is_file()}

    def sanitizer_reports(self):
        return ["%s: %s" % (name, text[m.start():m.start() + 1500])
                for name, text in self.logs().items() for m in [SANITIZER_WORDS.search(text)] if m]

    def report(self, size=3000):
        """The end of every log, for a failure's message."""
        return "".join("\n--- %s\n%s" % (name, text[-size:]) for name, text in self.logs().items())

    # ---- its processes

    def pids(self, role, job=None):
        """Processes of one role: up, postgres (the postmaster), api, worker (the supervisors),
        check, receive, apply. Tests share services, so of children ask by Job.pids()."""
        return self.roles(job).get(role, [])

    def roles(self, job=None):
        """{role: pids}; with the id of a job only the children that work for it."""
        found = {"up": [self.process.pid]} if not job and self.process.poll() is None else {}
        for pid in processes.descendants(self.process.pid):
            words = processes.arguments(pid)
            if job and words[3:4] != [job]:  # keyferry-worker --child DUTY JOB
                continue
            name = os.path.basename(words[0]) if words else ""
            if name.startswith("keyferry-worker"):
                role = words[words.index("--child") + 1] if "--child" in words else "worker"
            elif name.startswith("keyferry-alerter"):
                role = "alerter"
            elif name.startswith("keyferry-api"):
                role = "api"
            elif name == "postgres" and "-D" in words:
                role = "postgres"
            else:
                continue
            if processes.alive(pid):
                found.setdefault(role, []).append(pid)
        return found

    def wait_role(self, role, timeout=60, other_than=(), job=None):
        """The pids of a role as soon as there is one that is not in `other_than`."""
        deadline = time.monotonic() + timeout
        while True:
            new = [pid for pid in self.pids(role, job) if pid not in other_than]
            if new:
                return new
            if time.monotonic() > deadline:
                raise AssertionError("no %s process within %d s; there are %s" % (
                    role, timeout, self.roles(job)))
            time.sleep(0.02)

    # ---- the API

    def with_key(self, key):
        """The same service, asked with another key."""
        other = copy.copy(self)
        other.http = requests.Session()
        other.http.trust_env = False
        other.http.headers["Authorization"] = "Bearer " + key
        return other

    def request(self, method, path, body=None, expect=(200, 201, 202, 204), timeout=90, **options):
        self.used = True
        response = self.http.request(method, self.url + path, json=body, timeout=timeout, **options)
        if response.status_code not in expect:
            self.check_code(method, path, response)
            raise ApiError(response)
        return response.json() if response.content else None

    def check_code(self, method, path, response):
        """A problem that the contract does not name for this call is a deviation, whoever expected it."""
        try:
            contract = Contract(self.http.get(self.url + "/openapi.json", timeout=10).json())
        except (requests.RequestException, ValueError):
            return  # the service is down, on purpose
        operation = contract.find(method, path)
        if operation:
            contract.check_code(operation, response, "%s %s" % (method, path))

    def patient(self, method, path, body=None, seconds=180):
        """As request(), trying again while the service, killed on purpose, does not answer.
        POSTs carry one idempotency key, so that an answer that got lost does no harm."""
        headers = {"Idempotency-Key": os.urandom(12).hex()} if method == "POST" else {}
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.request(method, path, body, headers=headers)
            except requests.RequestException as why:
                problem = why
            except ApiError as why:
                if why.status != 503 and not why.problem.get("retryable"):
                    raise
                problem = why
            if time.monotonic() > deadline:
                raise problem
            time.sleep(0.1)

    def job(self, source_url, destination_url, **spec):
        """Create a job; `spec` holds further members of the body."""
        body = {"kind": "migration", "source": {"url": source_url},
                "destination": {"url": destination_url}}
        body.update(spec)
        return Job(self, self.patient("POST", "/v1/jobs", body)["id"])

    def precheck(self, source_url, destination_url, timeout=180, **spec):
        """The stand-alone precheck of a job that is not saved."""
        body = {"kind": "migration", "source": {"url": source_url},
                "destination": {"url": destination_url}}
        body.update(spec)
        for _ in range(5):
            answer = self.request("POST", "/v1/prechecks", body)
            found = self._finished("/v1/prechecks/%s" % answer["id"], timeout)
            if not of_the_machine(found):
                break
        return found

    def ask(self, path, body, expect=(202,), method="POST", timeout=60):
        """What is answered when it has been found out (tests of connections, discoveries), however long it takes."""
        answer = self.request(method, path, body, expect=expect, headers={"Prefer": "wait=20"})
        if answer.get("state") != "running":
            return answer
        where = "discover" if answer["id"].startswith("dsc_") else "connectivity-tests"
        return self._finished("/v1/%s/%s" % (where, answer["id"]), timeout)

    def _finished(self, path, timeout):
        deadline = time.monotonic() + timeout
        while True:
            answer = self.patient("GET", path)
            if answer["state"] != "running":
                return answer
            assert time.monotonic() < deadline, "the precheck is still running: %s" % answer
            time.sleep(0.05)

    def put_jobs_to_rest(self):
        """Pause what still runs, without waiting for it: its servers are about to go, and children that look
        for them would be started again and again beside the tests that follow. Of a service that is not
        there, or of a job that will not, nothing is asked."""
        if not (self.used or self.jobs) or self.process is None or self.process.poll() is not None:
            return
        try:
            page = self.request("GET", "/v1/jobs?limit=200&state=queued,starting,running,retrying", timeout=10)
            running = {row["id"] for row in page["items"]}
            for job in self.jobs:  # those of accounts whose keys tests have made
                if job.id in running or job.service.http is not self.http:
                    job.service.request("POST", job.path + "/pause", {}, (202, 404, 409), timeout=10)
                    running.discard(job.id)
            for job in running:
                self.request("POST", "/v1/jobs/%s/pause" % job, {}, (202, 404, 409), timeout=10)
        except (requests.RequestException, ApiError) as why:
            print("jobs were left running: %s" % why)
        self.used = False
        self.jobs.clear()

    def run(self, *arguments, timeout=120, env=None, input=None):
        """A command of the command line against this service; a CompletedProcess with text."""
        self.used = True
        environment = self.environment()
        environment.update(KEYFERRY_URL=self.url, KEYFERRY_API_KEY=self.key_file.read_text().strip())
        environment.update(env or {})
        return subprocess.run([program("keyferry"), *map(str, arguments)], cwd=self.home,
                              env=environment, input=input, timeout=timeout,
                              capture_output=True, text=True)


class Job:
    def __init__(self, service, job_id):
        self.service, self.id = service, job_id
        self.path = "/v1/jobs/" + job_id
        service.jobs.append(self)

    def get(self):
        return self.service.patient("GET", self.path)

    @property
    def state(self):
        return self.get()["state"]

    def precheck(self, timeout=180, ignore_warnings=False):
        path = self.path + "/prechecks"
        answer = self.service.patient(
            "POST", path + ("?ignore_warnings=true" if ignore_warnings else ""), {})
        path += "/" + answer["id"]
        found = self.service._finished(path, timeout)
        for check in of_the_machine(found):
            found = self.service.patient("POST", "%s/items/%s/ignore" % (path, check), {"reason": "it is busy"})
        return found

    def pids(self, role):
        """The children of this job alone: receive or apply."""
        return self.service.pids(role, self.id)

    def wait_child(self, role, timeout=180, other_than=()):
        """The pid of its child of a role, as soon as it is one that is not in `other_than`."""
        return self.service.wait_role(role, timeout, other_than, self.id)[-1]

    def hold_back(self, source, timeout=180, **limits):
        """Limit the tail, and write until somebody has waited for the limit: it holds from then on."""
        def waited():
            return self.service.request("GET", self.path + "/throttle")["measured"]["waited_ms"]["incremental"]

        before, client, deadline = waited(), source.client(), time.monotonic() + timeout
        self.service.request("PUT", self.path + "/throttle", {"incremental": limits})
        while waited() <= before:
            assert time.monotonic() < deadline, "the limit is not felt"
            pipe = client.pipeline(transaction=False)
            for number in range(100):
                pipe.set("kfw:held", number)
            pipe.execute()
            time.sleep(0.1)

    def act(self, action, body=None):
        return self.service.patient("POST", "%s/%s" % (self.path, action), body or {})

    def check_and_start(self, ignore_warnings=False):
        found = self.precheck(ignore_warnings=ignore_warnings)
        assert found["state"] == "passed", worth_reading(found)
        self.act("start")
        return self

    def wait(self, condition, what, timeout=180):
        """Poll until condition(job) is true. A job that is blocked or failed, unless that is
        what is waited for, ends the wait at once."""
        deadline = time.monotonic() + timeout
        while True:
            job = self.get()
            if condition(job):
                return job
            if job["state"] in ("blocked", "failed"):
                raise Blocked(job, what)
            if time.monotonic() > deadline:
                story = {k: job.get(k) for k in (
                    "state", "phase", "sync_state", "last_error", "progress", "latency")}
                raise AssertionError("%s not reached within %d s: %s" % (what, timeout, story))
            time.sleep(0.05)

    def wait_state(self, *states, timeout=180):
        return self.wait(lambda job: job["state"] in states, " or ".join(states), timeout)

    def wait_phase(self, phase, timeout=180):
        return self.wait(lambda job: job["state"] == "running" and job["phase"] == phase, phase, timeout)

    def wait_caught_up(self, timeout=180):
        return self.wait(lambda job: job["state"] == "running" and job["sync_state"] == "caught_up",
                         "caught up", timeout)

    def stop(self, timeout=180, **body):
        self.act("stop", body)
        return self.wait_state("stopped", timeout=timeout)

    def pause(self, timeout=180):
        self.act("pause")
        return self.wait_state("paused", timeout=timeout)

    def resume(self, timeout=180, **body):
        self.act("resume", body)
        return self.wait_state("running", timeout=timeout)

    def release(self):
        return self.service.patient("DELETE", self.path)


def of_the_machine(precheck):
    """The checks that warn because this machine is busy."""
    return [item["id"] for item in precheck.get("items", [])
            if item["id"] in OF_THE_MACHINE and item["result"] == "warn" and item["ignorable"]]


def worth_reading(precheck):
    """The items of a precheck that did not pass, for a failure's message."""
    return [item for item in precheck.get("items", []) if item["result"] not in ("pass", "skipped")
            and not (item["id"] in OF_THE_MACHINE and item["result"] == "ignored")]


def wait_marker(source, destination, db=0, destination_db=None, timeout=180, job=None):
    """Write one key on the source and wait until it is on the destination. The stream has one
    order, so everything written before it is there too; what is missing then is *wrong*, and
    running into the timeout means *behind*. With `job` a blocked one ends the wait at once."""
    key = "kfw:marker"
    value = os.urandom(8).hex().encode()
    source.client(db).set(key, value)
    there = destination.client(db if destination_db is None else destination_db)
    began = asked = time.monotonic()
    while there.get(key) != value:
        now = time.monotonic()
        if job and now - asked > 0.5:
            asked, answer = now, job.get()
            if answer["state"] in ("blocked", "failed"):
                raise Blocked(answer, "the marker")
        assert now - began < timeout, \
            "the destination is behind: the marker did not arrive within %d s" % timeout
        time.sleep(0.005)
