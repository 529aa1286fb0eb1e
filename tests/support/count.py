#!/usr/bin/python3
"""Sum up JUnit files of ctest and pytest: prints "PASSED FAILED SKIPPED".

    count.py FILE...

A CTest entry is one program. A CUnit program tells how many tests it ran, which is
what counts; one that died without telling is one failure. A file that is missing or
holds no test is one failure, too: a part that ran nothing must not look green.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

CUNIT = re.compile(r"^\s*tests\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+\d+\s*$", re.M)


def of_case(case):
    """(passed, failed, skipped) of one <testcase>."""
    output = case.findtext("system-out") or ""
    bad = case.find("failure") is not None or case.find("error") is not None \
        or case.get("status") == "fail"
    skipped = case.find("skipped") is not None or case.get("status") in ("notrun", "disabled")
    told = CUNIT.findall(output)
    if told and not skipped:
        total, ran, passed, failed = map(int, told[-1])
        failed += total - ran
        return passed, failed or int(bad), 0
    return int(not bad and not skipped), int(bad), int(skipped and not bad)


def of_file(path):
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as why:
        print("count: %s: %s" % (path, why), file=sys.stderr)
        cases = []
    rows = [of_case(case) for case in cases]
    sums = [sum(column) for column in zip(*rows)] or [0, 0, 0]
    if not rows:
        print("count: %s: no test ran" % path, file=sys.stderr)
        sums[1] += 1
    return sums


def main():
    totals = [0, 0, 0]
    for path in sys.argv[1:]:
        totals = [a + b for a, b in zip(totals, of_file(path))]
    print(*totals)


if __name__ == "__main__":
    main()
