#!/usr/bin/python3
"""Which test shows which requirement: requirements.tsv into requirements.md.

    tests/requirements_page.py            # writes tests/requirements.md
    tests/requirements_page.py --check    # exit 1 when the page is not what it would write

A row of requirements.tsv is a requirement in our own words, the tests that show it, and, where none
does, why it stands open. A test that is named must exist; one that is called test_r_012_… counts for
R-012 without a word about it. A row with neither is an error.
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent


def tests_of_the_tree():
    """{name: file} of everything that is a test."""
    found = {}
    for path in sorted(HERE.rglob("test_*.py")):
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.M):
            found[name] = path.relative_to(HERE)
    for path in sorted(HERE.rglob("test_*.c")):
        for name in re.findall(r"CUNIT_TEST\((\w+)\)", path.read_text()):
            found[name] = path.relative_to(HERE)
    return found


def by_name(tests):
    """{"R-012": [names]} of tests whose names say it."""
    found = {}
    for name in tests:
        for number in re.findall(r"(?<=_)r_(\d{3})(?=_)", name):
            found.setdefault("R-" + number, []).append(name)
    return found


def page():
    tests, named, problems = tests_of_the_tree(), {}, []
    named = by_name(tests)
    lines, shown, still_open = [], 0, 0
    rows = [line.split("\t") for line in (HERE / "requirements.tsv").read_text().splitlines()[1:]]
    for number, sentence, wanted, reason in rows:
        names = [n.strip() for n in wanted.split(",") if n.strip()]
        names += [n for n in named.get(number, []) if n not in names]
        problems += ["%s: there is no test %s" % (number, n) for n in names if n not in tests]
        if names and reason:
            problems.append("%s: has tests and a reason to be open" % number)
        if not names and not reason:
            problems.append("%s: has neither a test nor a reason" % number)
        shown += bool(names)
        still_open += not names
        where = "<br>".join("`%s`" % n for n in names) or "**open**: " + reason
        lines.append("| %s | %s | %s |" % (number, sentence, where))
    known = {row[0] for row in rows}
    problems += ["%s is named by a test and no row" % n for n in sorted(set(named) - known)]
    head = ("# Requirements and the tests that show them\n\nMade by `tests/requirements_page.py` from `requirements.tsv` "
            "and the names of tests. Of %d rows %d have a test, %d are open.\n\n| id | requirement | shown by |\n|---|---|---|\n"
            % (len(rows), shown, still_open))
    return head + "\n".join(lines) + "\n", problems


def main():
    text, problems = page()
    if problems:
        sys.exit("\n".join(problems))
    target = HERE / "requirements.md"
    if "--check" in sys.argv:
        if not target.exists() or target.read_text() != text:
            sys.exit("tests/requirements.md is not what tests/requirements_page.py writes: run it")
    else:
        target.write_text(text)


if __name__ == "__main__":
    main()
