"""The named places of services/common/failpoints.def, and orders for them.

    points = Failpoints()
    service = start_service(env=points.env)
    points.order("tail.unit-filled", "kill")        # at its next pass, once
    points.order("lane.write", "tear", at=3)        # half of the bytes of the third write, then kill
    points.order("spool.data-write", "full", keep=True)     # until take_back()
    points.wait_fired("tail.unit-filled")

What an order says is told in services/common/failpoint.h. A build without KF_FAULTS has no places.
"""

import os
import pathlib
import re
import shutil
import tempfile
import time

TABLE = pathlib.Path(__file__).resolve().parents[2] / "services" / "common" / "failpoints.def"
SENTENCES = dict(re.findall(r'^FAILPOINT\(\w+,\s*"([^"]+)",\s*"([^"]+)"\)$', TABLE.read_text(), re.M))
NAMES = tuple(SENTENCES)


class Failpoints:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kf-fp-"))
        self.ordered = {}  # name: action

    @property
    def env(self):
        return {"KEYFERRY_TEST_FAILPOINTS": str(self.folder)}

    def order(self, name, action="kill", at=1, number=0, keep=False):
        assert name in SENTENCES, "there is no place %s" % name
        fired = self.folder / (name + ".fired")
        fired.unlink(missing_ok=True)
        new = self.folder / (name + ".new")
        new.write_text("%s %d %d%s" % (action, at, number, " keep" if keep else ""))
        os.rename(new, self.folder / name)
        self.ordered[name] = action

    def take_back(self, name):
        """Returns whether it was still in force."""
        try:
            (self.folder / name).unlink()
            return True
        except FileNotFoundError:
            return False

    def _with(self, suffix):
        return {path.name[:-len(suffix)] for path in self.folder.glob("*" + suffix)}

    def passed(self):
        """Places some process has come by."""
        return self._with(".passed")

    def fired(self):
        return self._with(".fired")

    def waiting(self):
        """Ordered and not carried out yet."""
        return {path.name for path in self.folder.iterdir()} & set(NAMES)

    def wait_fired(self, *names, timeout=60):
        deadline = time.monotonic() + timeout
        while not set(names) <= self.fired():
            assert time.monotonic() < deadline, "nobody came by %s within %d s" % (
                sorted(set(names) - self.fired()), timeout)
            time.sleep(0.02)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
