"""`keyferry rdb inspect` reads every snapshot of a corpus, and agrees with its manifest.

KEYFERRY_TEST_CORPUS names a folder of snapshots below which MANIFEST.tsv says, per
file, what other programs found in it (columns file, rdb, keys, expires, functions,
types, modules, redis_ver). Without it the corpus tests are skipped; the snapshots
in tests/fuzz/corpus/rdb are always read.
"""

import csv
import json
import os
import pathlib
import subprocess

import pytest

from support.service import program

HERE = pathlib.Path(__file__).resolve().parent
OURS = sorted((HERE.parent / "fuzz/corpus/rdb").glob("*.rdb"))
CORPUS = os.environ.get("KEYFERRY_TEST_CORPUS")

needs_corpus = pytest.mark.skipif(
    not CORPUS, reason="SKIPPED: KEYFERRY_TEST_CORPUS does not name a corpus of snapshots"
)


def inspect(path):
    done = subprocess.run(
        [program("keyferry"), "rdb", "inspect", str(path), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode in (0, 1), "%s ended with %d: %s" % (path, done.returncode, done.stderr)
    report = json.loads(done.stdout)
    assert (report["error"] is None) == (done.returncode == 0), path
    return report


def test_our_own_snapshots_are_readable():
    assert OURS
    for path in OURS:
        report = inspect(path)
        assert report["error"] is None, report
        assert report["checksum"] in ("ok", "absent"), report


def test_a_file_that_is_cut_or_no_snapshot_ends_in_a_typed_error(tmp_path):
    whole = OURS[0].read_bytes()
    for name, content in (
        ("empty", b""),
        ("cut", whole[: len(whole) // 2]),
        ("text", b"not a snapshot at all"),
        ("changed", whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert inspect(path)["error"]["code"] in ("rdb_corrupt", "rdb_unsupported_type"), name
    assert inspect(tmp_path / "absent")["error"]["code"] == "io_error"


@needs_corpus
def test_every_file_of_the_corpus_is_read_or_ends_in_a_typed_error():
    files = [p for p in sorted(pathlib.Path(CORPUS).rglob("*")) if p.suffix in (".rdb", ".aof")]
    assert files
    for path in files:
        error = inspect(path)["error"]
        assert error is None or error["code"] in ("rdb_corrupt", "rdb_unsupported_type"), path


# The manifest names types it does not know by number.
NUMBERED = {"T22": "hash2"}


@needs_corpus
def test_the_reports_agree_with_the_manifest():
    manifest = pathlib.Path(CORPUS) / "MANIFEST.tsv"
    compared = 0
    with manifest.open(newline="") as rows:
        for row in csv.DictReader(rows, delimiter="\t"):
            report = inspect(pathlib.Path(CORPUS) / row["file"])
            types = json.loads(row["types"])
            if "T150" in types:  # no server knows it either
                assert report["error"]["code"] == "rdb_unsupported_type", row["file"]
                assert "150" in report["error"]["detail"], row["file"]
                continue
            vendor = "V" if report["vendor"] == "valkey" else "R"
            assert "%s%d" % (vendor, report["version"]) == row["rdb"], row["file"]
            assert (report["server_version"] or "") == row["redis_ver"], row["file"]
            assert report["keys_total"] == int(row["keys"]), row["file"]
            assert report["expires_total"] == int(row["expires"]), row["file"]
            assert report["functions"] == int(row["functions"]), row["file"]
            assert report["types"] == {NUMBERED.get(k, k): n for k, n in types.items()}, row["file"]
            if int(row["keys"]):
                assert len(report["databases"]) == int(row["dbs"]), row["file"]
            assert modules(report) == row["modules"], row["file"]
            compared += 1
    assert compared > 0


def modules(report):
    """As the manifest writes them: names, with aux: before what is beside the keys."""
    names = []
    for module in report["modules"]:
        names += [module["name"]] if module["keys"] else []
        names += ["aux:" + module["name"]] if module["aux_records"] else []
    return ",".join(names)
