"""What all pytest suites share: the path to tests/support, the --full flag and
the fixtures that start servers.

Run one suite with Debian's interpreter, for example
    KF_BUILD=build/asan /usr/bin/python3 -m pytest tests/flow
"""

import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from support.processes import adopt_orphans, end_leftovers  # noqa: E402
from support.redis_fixture import RedisServer  # noqa: E402
from support.service import Service  # noqa: E402


def pytest_configure(config):
    """A run that is terminated cleans up as one that is interrupted does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="also run the longer variants")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--full"):
        return
    kept = [item for item in items if "full" not in item.keywords]
    dropped = [item for item in items if "full" in item.keywords]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """Fixtures look at `item.failed` to decide whether logs are worth showing."""
    outcome = yield
    if outcome.get_result().failed:
        item.failed = True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown():
    """Before any server goes: what a test leaves running in a service that others share is put to rest."""
    for found in Service.shared:
        found.put_jobs_to_rest()


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running():
    adopt_orphans()
    yield
    left = end_leftovers()
    assert not left, f"processes were left behind and had to be killed: {left}"


@pytest.fixture
def redis_server():
    """A factory of throw-away servers: redis_server("--maxmemory", "10mb")."""
    servers = []

    def start(*arguments, **options):
        server = RedisServer(*arguments, **options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def source(redis_server):
    return redis_server()


@pytest.fixture
def destination(redis_server):
    return redis_server()


@pytest.fixture
def start_service(request):
    """A factory of services: start_service(workers=2, env={...})."""
    services = []

    def start(**options):
        service = Service(**options)
        services.append(service)
        service.start()
        return service

    yield start
    for service in services:
        if getattr(request.node, "failed", False):
            print(service.report())
        service.close()


@pytest.fixture(scope="session")
def shared_service(nothing_left_running):
    """One `keyferry up` for the tests that only need a service to be there."""
    service = Service().share()
    yield service
    service.close()


@pytest.fixture
def service(request, shared_service):
    yield shared_service
    if getattr(request.node, "failed", False):
        print(shared_service.report())
