"""Master keys that change while requests come in, and who may look at them."""

import os
import secrets
import threading
import time

import requests
from conftest import unique_spec
from support.tenant import Tenant


def rows(api):
    return {row["id"]: row for row in api.get("/v1/master-keys")["items"]}


def test_keys_change_under_requests_and_none_fails(fresh_api):
    api = fresh_api
    api.start()
    file = api.home / "master.key"
    wrong, made, stop = [], [], threading.Event()

    def client():
        session = requests.Session()
        session.trust_env = False
        session.headers["Authorization"] = "Bearer " + api.key
        while not stop.is_set():
            body = dict(unique_spec(api), source={"url": "redis://:a-word@src.example"})
            answer = session.post(api.url + "/v1/jobs", json=body, timeout=60,
                                  headers={"Idempotency-Key": secrets.token_hex(8)})
            copy = session.post("%s/v1/jobs/%s/clone" % (api.url, answer.json().get("id")), json={},
                                timeout=60)  # opens and seals
            made.append(copy.json().get("id"))
            if (answer.status_code, copy.status_code) != (201, 201):
                wrong.append((answer.text, copy.text))
            stop.wait(0.05)  # what is to be sealed anew is not to grow faster than that is done

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in (2, 3, 4):
        fresh = file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(file.read_text() + "%d %s\n" % (number, secrets.token_hex(32)))
        os.replace(fresh, file)
        deadline = time.monotonic() + 180
        while not rows(api).get(number, {}).get("seals"):
            assert time.monotonic() < deadline, rows(api)
            time.sleep(0.05)
    deadline = time.monotonic() + 60
    while len(made) <= 20 and time.monotonic() < deadline:  # a busy machine needs longer
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:2]
    assert len(made) > 20
    deadline = time.monotonic() + 180
    while [id for id, row in rows(api).items() if row["secrets"]] != [4]:
        assert time.monotonic() < deadline, rows(api)
        time.sleep(0.1)
    (counted,) = api.sql("SELECT count(*), count(*) FILTER (WHERE get_byte(sealed, 4) = 4) FROM job")
    assert counted[0] == counted[1] == rows(api)[4]["secrets"] >= len(made)
    # A file that others may read is not taken, and what was known goes on.
    file.chmod(0o644)
    deadline = time.monotonic() + 60
    while "api.master-keys-unchanged" not in api.log():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert rows(api)[4]["seals"]
    file.chmod(0o600)


def test_only_the_operator_sees_the_master_keys(api):
    tenant = Tenant(api.url, api.key, name="curious")
    assert tenant.call("GET", "/v1/master-keys").status_code == 403
    assert rows(api)[1]["seals"] and rows(api)[1]["in_file"] and not rows(api)[1]["removable"]
    operate = api.add_key(api.account, "operate")
    assert tenant.call("GET", "/v1/master-keys", key=operate).status_code == 403
