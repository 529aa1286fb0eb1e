"""Answers held against /openapi.json: a small reader of the JSON Schema it uses."""

import os
import re


class Contract:
    def __init__(self, document):
        self.document = document

    def resolve(self, value):
        while isinstance(value, dict) and "$ref" in value:
            target = self.document
            for name in value["$ref"].lstrip("#/").split("/"):
                target = target[name]
            value = target
        return value

    def operation(self, method, path):
        """(operation, template) for a real path; a literal segment wins over a {…}."""
        segments = path.split("?")[0].split("/")
        best = None
        for template, item in self.document["paths"].items():
            names = template.split("/")
            if len(names) != len(segments) or method.lower() not in item:
                continue
            if all(n == s or n.startswith("{") for n, s in zip(names, segments)):
                literal = sum(n == s for n, s in zip(names, segments))
                if best is None or literal > best[0]:
                    best = (literal, item[method.lower()], template)
        assert best, "%s %s is not in the contract" % (method, path)
        return best[1], best[2]

    def find(self, method, path):
        """The operation, or None for a call that this version does not do."""
        try:
            return self.operation(method, path)[0]
        except AssertionError:
            return None

    def check(self, method, path, response):
        """Raise AssertionError with every deviation of an answer."""
        operation, template = self.operation(method, path)
        answers = operation["responses"]
        answer = self.resolve(answers.get(str(response.status_code), answers.get("default")))
        where = "%s %s -> %d" % (method, template, response.status_code)
        assert answer, where + " is not in the contract"
        if response.status_code >= 300 and str(response.status_code) not in answers:
            assert response.status_code >= 400, where + ": not in the contract"
        self.check_code(operation, response, where)
        if "content" not in answer:
            assert not response.content, where + ": the contract has no body"
            return
        kind = response.headers.get("Content-Type", "").split(";")[0]
        assert kind in answer["content"], "%s: %s is not in the contract" % (where, kind)
        if kind.endswith("json"):
            wrong = list(self.errors(answer["content"][kind]["schema"], response.json(), "$"))
            assert not wrong, "%s:\n%s\n%s" % (where, "\n".join(wrong), response.text[:2000])

    @staticmethod
    def check_code(operation, response, where):
        """A problem that this operation does not name."""
        kind = response.headers.get("Content-Type", "").split(";")[0]
        if response.status_code < 400 or kind != "application/problem+json" or not response.content:
            return
        code = response.json()["code"]
        log = os.environ.get("KF_PROBLEM_LOG")  # for whoever writes the lists
        if log:
            with open(log, "a") as out:
                out.write("%s %s\n" % (operation["operationId"], code))
        assert log or code in operation["x-problem-codes"], "%s: the code %s is not in the contract" % (where, code)

    TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}

    def _is(self, name, value):
        if name in ("integer", "number"):
            return isinstance(value, int if name == "integer" else (int, float)) and not isinstance(value, bool)
        return isinstance(value, self.TYPES[name])

    def errors(self, schema, value, at):
        schema = self.resolve(schema)
        for part in schema.get("allOf", []):
            yield from self.errors(part, value, at)
        kinds = schema.get("type")
        if kinds is not None:
            kinds = kinds if isinstance(kinds, list) else [kinds]
            if not any(self._is(kind, value) for kind in kinds):
                yield "%s: %r is no %s" % (at, value, " or ".join(kinds))
                return
        if "enum" in schema and value not in schema["enum"]:
            yield "%s: %r is none of %s" % (at, value, schema["enum"])
        if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
            yield "%s: %r does not match %s" % (at, value, schema["pattern"])
        if self._is("number", value):
            if value < schema.get("minimum", value) or value > schema.get("maximum", value):
                yield "%s: %r is out of range" % (at, value)
        if isinstance(value, dict):
            known = schema.get("properties", {})
            for name in schema.get("required", []):
                if name not in value:
                    yield "%s.%s is missing" % (at, name)
            for name, member in value.items():
                if name in known:
                    yield from self.errors(known[name], member, "%s.%s" % (at, name))
                elif schema.get("additionalProperties") is False:
                    yield "%s.%s is not in the contract" % (at, name)
                elif isinstance(schema.get("additionalProperties"), dict):
                    yield from self.errors(schema["additionalProperties"], member, "%s.%s" % (at, name))
        if isinstance(value, list) and "items" in schema:
            for i, member in enumerate(value):
                yield from self.errors(schema["items"], member, "%s[%d]" % (at, i))
