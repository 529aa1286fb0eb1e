"""Requests made from the contract: what it allows, and what lies a step beside it.

    maker = Maker(document, random.Random(seed), known={"job": ["job_…"]})
    method, path, headers, body = maker.request()

A small reader of the JSON Schema that openapi.yaml uses; it shares nothing with the server.
"""

import json
import string

JUNK = [None, True, False, 0, -1, 1 << 40, 1.5, "", " ", "x", "0", "null", "\u00fc\U0001F600", "a" * 300, "\x7f",
        "' OR 1=1 --", "../../etc/passwd", "%00", "\u202e", [], {}, [[]], [{}], {"a": {"b": {"c": []}}}, [None], -0.0]
ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Maker:
    def __init__(self, document, random, known):
        self.document, self.random, self.known = document, random, known
        self.operations = [(method.upper(), path, item, item[method])
                           for path, item in sorted(document["paths"].items())
                           for method in sorted(item) if method != "parameters"]

    def resolve(self, value):
        while isinstance(value, dict) and "$ref" in value:
            target = self.document
            for name in value["$ref"].lstrip("#/").split("/"):
                target = target[name]
            value = target
        return value

    # ---- values

    def value(self, schema, depth=0):
        """Something the schema allows."""
        r = self.random
        schema = self.resolve(schema)
        if "enum" in schema:
            return r.choice(schema["enum"])
        kinds = schema.get("type", "object" if "properties" in schema else None)
        kind = r.choice(kinds) if isinstance(kinds, list) else kinds
        if kind == "object" or kind is None:
            return self.object(schema, depth)
        if kind == "array":
            least, most = schema.get("minItems", 0), min(schema.get("maxItems", 3), schema.get("minItems", 0) + 3)
            return [self.value(schema.get("items", {}), depth + 1) for _ in range(r.randint(least, max(least, most)))]
        if kind == "string":
            return self.text(schema)
        if kind in ("integer", "number"):
            low, high = schema.get("minimum", 0), schema.get("maximum", schema.get("minimum", 0) + 1000)
            return r.choice([low, high, r.randint(int(low), int(high))])
        if kind == "boolean":
            return r.random() < 0.5
        return None

    def object(self, schema, depth):
        made = {}
        for name, member in schema.get("properties", {}).items():
            if name in schema.get("required", []) or self.random.random() < (0.4 if depth < 4 else 0.1):
                made[name] = self.value(member, depth + 1)
        return made

    def text(self, schema):
        r = self.random
        pattern = schema.get("pattern", "")
        if pattern.startswith("^[0-9]{4}-"):
            return "20%02d-%02d-%02dT00:00:00.000Z" % (r.randint(20, 40), r.randint(1, 12), r.randint(1, 28))
        if pattern.startswith("^") and "_" in pattern and "26}" in pattern:
            return pattern[1:pattern.index("_") + 1] + "".join(r.choice(ULID[:8] if i == 0 else ULID) for i in range(26))
        letters = string.ascii_letters + string.digits + "-_"
        least = schema.get("minLength", 0)
        return "".join(r.choice(letters) for _ in range(r.randint(max(least, 1), max(least, min(schema.get("maxLength", 12), 12)))))

    def spoil(self, value):
        """A copy with one place of it changed to something else."""
        r = self.random
        if isinstance(value, dict) and value and r.random() < 0.8:
            value = dict(value)
            name = r.choice(sorted(value))
            what = r.random()
            if what < 0.2:
                del value[name]
            elif what < 0.3:
                value[r.choice(["unknown", "", "\u00fc", name + "x"])] = value[name]
            else:
                value[name] = self.spoil(value[name])
            return value
        if isinstance(value, list) and value and r.random() < 0.7:
            value = list(value)
            value[r.randrange(len(value))] = self.spoil(r.choice(value))
            return value
        return r.choice(JUNK)

    # ---- requests

    def segment(self, parameter):
        r = self.random
        name = parameter["name"]
        if self.known.get(name) and r.random() < 0.7:
            return r.choice(self.known[name])
        if r.random() < 0.6:
            return self.text(self.resolve(parameter["schema"]))
        return r.choice(["x", "%20", "%2e%2e", "%00", "%ff", "a" * 200, "job_", "0", "-1", "%C3%BC", "*"])

    def request(self):
        """(method, template, path, query, headers, body); body None = none is sent."""
        r = self.random
        method, template, item, operation = r.choice(self.operations)
        parameters = [self.resolve(p) for p in item.get("parameters", []) + operation.get("parameters", [])]
        path, query, headers = template, {}, {"Accept": "application/json"}
        for p in parameters:
            if p["in"] == "path":
                path = path.replace("{%s}" % p["name"], self.segment(p))
            elif p["in"] == "query" and r.random() < 0.4:
                good = self.value(p["schema"]) if r.random() < 0.7 else r.choice(JUNK)
                query[p["name"]] = good if isinstance(good, str) else json.dumps(good)
            elif p["in"] == "header" and r.random() < 0.2 and p["name"] not in ("Prefer", "Last-Event-ID"):
                headers[p["name"]] = r.choice(["x", '"1.abc"', "*", self.text({"maxLength": 40})])
        if r.random() < 0.05:
            query[r.choice(["nonsense", "limit", "cursor"])] = r.choice(["", "0", "-1", "x" * 50])
        body = None
        if method != "GET" and r.random() < 0.95:
            content = self.resolve(operation.get("requestBody", {})).get("content", {})
            schema = content.get("application/json", {}).get("schema", {})
            body = self.value(schema)
            if r.random() < 0.4:
                body = self.spoil(body)
        return method, template, path, query, headers, body
