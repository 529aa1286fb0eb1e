"""Prometheus' text format 0.0.4, read by its description: an independent look at /metrics.

    families = parse(text)    # {name: Family(kind, help, samples=[(labels, value)])}

Raises ValueError with the line for whatever the format does not allow.
"""

import collections
import re

Family = collections.namedtuple("Family", "kind help samples")
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\\n]|\\["\\n])*)"\s*')
KINDS = ("counter", "gauge", "histogram", "summary", "untyped")


def labels_of(text, line):
    found, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match:
            raise ValueError("labels: %s" % line)
        if match[1] in found:
            raise ValueError("twice the same label: %s" % line)
        found[match[1]] = re.sub(r'\\(.)', lambda m: "\n" if m[1] == "n" else m[1], match[2])
        at = match.end()
        if at < len(text):
            if text[at] != ",":
                raise ValueError("labels: %s" % line)
            at += 1
    return found


def parse(text):
    if not text.endswith("\n"):
        raise ValueError("the last line does not end")
    families, kinds, helps, seen, closed, current = {}, {}, {}, set(), set(), None
    for line in text.split("\n")[:-1]:
        if not line:
            continue
        if line.startswith("# "):
            word, name, rest = (line[2:].split(" ", 2) + [""])[:3]
            if word in ("HELP", "TYPE"):
                if not NAME.match(name) or name in (helps if word == "HELP" else kinds):
                    raise ValueError(line)
                if name in families:
                    raise ValueError("after its samples: %s" % line)
                (helps if word == "HELP" else kinds)[name] = rest
                if word == "TYPE" and rest not in KINDS:
                    raise ValueError(line)
            continue
        match = re.match(r"([^\s{]+)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\Z", line)
        if not match or not NAME.match(match[1]):
            raise ValueError(line)
        name, labels = match[1], labels_of(match[2] or "", line)
        value = float(match[3].replace("Inf", "inf"))
        if name != current:
            if name in closed:
                raise ValueError("samples of one name stand apart: %s" % line)
            closed.add(current)
            current = name
        key = (name, tuple(sorted(labels.items())))
        if key in seen:
            raise ValueError("twice the same sample: %s" % line)
        seen.add(key)
        if kinds.get(name) == "counter" and not value >= 0:
            raise ValueError("a counter below 0: %s" % line)
        families.setdefault(name, Family(kinds.get(name, "untyped"), helps.get(name), [])).samples.append((labels, value))
    for name in kinds:
        families.setdefault(name, Family(kinds[name], helps.get(name), []))
    return families
