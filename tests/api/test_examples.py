"""Every operation of the contract has examples that are right, and names the problems it answers with."""

import re

import pytest

from support.contract import Contract


@pytest.fixture(scope="module")
def contract(api):
    return Contract(api.get("/openapi.json"))


def operations(contract):
    for path, item in contract.document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield method.upper(), path, operation


def json_bodies(contract, owner):
    for kind, body in contract.resolve(owner or {}).get("content", {}).items():
        if "json" in kind:
            yield body


def examples_of(body):
    return [body["example"]] if "example" in body else [e["value"] for e in body.get("examples", {}).values()]


def wrong_with(contract, owner, where):
    for body in json_bodies(contract, owner):
        found = examples_of(body)
        if not found:
            yield where + ": no example"
        for example in found:
            for error in contract.errors(body["schema"], example, "$"):
                yield "%s: %s" % (where, error)


def deviations(contract):
    for method, path, operation in operations(contract):
        name = operation["operationId"]
        if "requestBody" in operation:
            yield from wrong_with(contract, operation["requestBody"], name + " request")
        for status, answer in operation["responses"].items():
            if status != "default":
                yield from wrong_with(contract, answer, "%s %s" % (name, status))
        call = operation.get("x-example-call", "")
        asked = re.sub(r"\{[^}]*\}", "[^/?]+", path)
        if not re.fullmatch("%s %s([?].*)?" % (method, asked), call):
            yield "%s: the example of the call is %r" % (name, call)


def test_every_operation_has_examples_that_fit_their_schemas(contract):
    wrong = list(deviations(contract))
    assert not wrong, "\n".join(wrong[:30])
    assert len(list(operations(contract))) > 100


def test_a_wrong_example_would_be_noticed(api):
    """The control."""
    contract = Contract(api.get("/openapi.json"))
    job = contract.document["paths"]["/v1/jobs/{job}"]["get"]["responses"]["200"]
    job["content"]["application/json"]["example"]["state"] = "dreaming"
    del contract.document["paths"]["/v1/me"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    wrong = "\n".join(deviations(contract))
    assert "dreaming" in wrong and "me 200: no example" in wrong


def test_every_operation_names_problems_that_exist(contract):
    """That they are all there is held by every other test: an answer with a code that its operation does not name
    is a deviation from the contract."""
    known = {row["code"]: row["status"] for row in contract.document["x-problem-codes"]}
    for method, path, operation in operations(contract):
        codes = operation["x-problem-codes"]
        assert codes == sorted(set(codes)) and set(codes) <= set(known), (operation["operationId"], codes)
        if operation.get("security") != []:
            assert {"unauthorized", "forbidden", "rate_limited"} <= set(codes), operation["operationId"]
        if "{" in path:
            assert "not_found" in codes, operation["operationId"]


def test_examples_hold_nothing_of_the_machine_they_were_made_on(contract):
    text = str([[operation.get("x-example-call"), operation.get("requestBody"), operation["responses"]]
                for _, _, operation in operations(contract)])
    for word in ("/tmp/", "/root/", "/home/", "kf-up-"):
        assert word not in text, text[max(0, text.index(word) - 200):text.index(word) + 100]
    assert set(re.findall(r"kf_[0-9A-Za-z_]{20,}", text)) == set()
