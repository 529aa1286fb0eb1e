"""The proxy of the fault tests does what it says: a fault that does not happen proves nothing."""

import time

import pytest
import redis
from support.proxy import Proxy
from support.workload import fill


def command(client, *words):
    """Send on a connection of its own; returns the connection with the reply unread."""
    connection = client.connection_pool.make_connection()
    connection.connect()
    connection.send_command(*words)
    return connection


@pytest.fixture
def way(redis_server):
    server = redis_server()
    with Proxy(server.port) as proxy:
        yield server, proxy, redis.Redis(port=proxy.port, socket_timeout=10)


def until(condition, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.005)


def test_bytes_in_small_pieces_arrive_whole(way):
    server, proxy, _ = way
    proxy.slices = (1, 900)
    made = fill("redis://127.0.0.1:%d" % proxy.port, 2000)
    assert server.counts() == made["databases"]


def test_a_stalled_request_of_a_dead_client_arrives_late(way):
    server, proxy, client = way
    dead = command(client, "PING")
    dead.read_response()
    proxy.stall(replies=False)
    dead.send_command("INCR", "n")
    until(lambda: proxy.held() > 0)
    dead._sock.close()
    assert client.get("n") is None  # a new connection is served meanwhile
    proxy.release()
    until(lambda: server.client().get("n") == b"1")


def test_a_stalled_reply_leaves_the_effect_behind(way):
    server, proxy, client = way
    waiting = command(client, "PING")
    waiting.read_response()
    proxy.stall(requests=False)
    waiting.send_command("INCR", "n")
    until(lambda: server.client().get("n") == b"1")
    assert not waiting.can_read(0.1)
    assert proxy.cut() == 1
    with pytest.raises(redis.ConnectionError):
        waiting.read_response()


def test_what_follows_a_word_is_held_back(way):
    server, proxy, client = way
    one = command(client, "PING")
    one.read_response()
    proxy.hold_after(b"$4\r\nEXEC\r\n")
    one.send_packed_command(one.pack_commands([("MULTI",), ("INCR", "n"), ("EXEC",), ("INCR", "n")]))
    until(lambda: server.client().get("n") == b"1")
    time.sleep(0.1)
    assert proxy.held() > 0 and server.client().get("n") == b"1"
    proxy.release()
    until(lambda: server.client().get("n") == b"2")


def test_a_rate_is_kept(way):
    _, proxy, client = way
    client.ping()
    proxy.rate = 100_000
    began = time.monotonic()
    client.set("x", b"x" * 50_000)
    assert time.monotonic() - began > 0.4


def test_a_restarted_server_is_reached_again(way):
    server, proxy, client = way
    client.ping()
    server.kill()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    server.start()
    assert client.ping()
    proxy.refuse = True
    proxy.cut()
    with pytest.raises(redis.ConnectionError):
        client.ping()


def test_a_connection_is_reset_after_a_number_of_bytes_that_differs(way):
    _, proxy, client = way
    proxy.reset_after = 5_000
    lives = []
    for _ in range(12):
        connection = client.connection_pool.make_connection()
        before = proxy.moved
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
            connection.connect()
            while True:
                connection.send_command("ECHO", "x" * 100)
                connection.read_response()
        lives.append(proxy.moved - before)
        connection.disconnect()
    assert proxy.resets == 12 and len(set(lives)) > 8, lives
    assert 500 < sum(lives) / 12 < 20_000, lives


def test_a_delay_is_kept_in_both_directions(way):
    _, proxy, client = way
    client.ping()
    proxy.delay = 0.1
    began = time.monotonic()
    client.ping()
    assert time.monotonic() - began > 0.19


def clients_named(server, name):
    return [c for c in server.client().client_list() if c["name"] == name]


def test_a_half_open_connection_has_one_living_end(way):
    server, proxy, client = way
    one, two = command(client, "CLIENT", "SETNAME", "one"), None
    one.read_response()
    assert proxy.half_open("client") == 1
    with pytest.raises(redis.ConnectionError):
        one.send_command("PING")
        one.read_response()
        one.send_command("PING")
        one.read_response()
    assert clients_named(server, "one"), "the server has learnt of it"
    two = command(client, "CLIENT", "SETNAME", "two")
    two.read_response()
    assert proxy.half_open("server") == 1
    until(lambda: not clients_named(server, "two"))
    two.send_command("PING")
    assert not two.can_read(0.3), "the client has learnt of it"
