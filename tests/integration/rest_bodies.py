#!/usr/bin/env python3
"""Bodies of requests that come slowly, or are large, or both, from callers who may send them: nobody else waits for them,
and all together they take so much memory and no more."""
# timeout: 300
import os
import select
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import SANITIZED, Server, at_most, check, contains, equal, eventually, main, memory_kib, test  # noqa: E402

V1 = "/iceberg/v1"
METRICS = V1 + "/tarn/namespaces/main/tables/t/metrics"
SCHEMA = {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "a", "type": "long", "required": False}]}
MIB = 1 << 20


def open_body(server, key, size, first=b"", path=METRICS, more=""):
    host, _, port = server.address.rpartition(":")
    one = socket.create_connection((host, int(port)), at_most(60))
    length = "Transfer-Encoding: chunked" if size is None else f"Content-Length: {size}"
    one.sendall(f"POST {path} HTTP/1.1\r\nHost: {server.address}\r\nAuthorization: Bearer {key}\r\n{more}"
                f"Content-Type: application/json\r\n{length}\r\n\r\n".encode() + first)
    return one


def answer_of(one):
    got = b""
    while True:
        try:
            part = one.recv(65536)
        except ConnectionResetError:
            part = b""
        if not part:
            return got.decode()
        got += part


def make_table(server, name="t"):
    server.request("POST", V1 + "/tarn/namespaces/main/tables", {"name": name, "schema": SCHEMA}).ok()


@test
def slow_bodies_of_those_who_may_send_them_hold_nobody_up():
    """Above http.body_rate, from the address of all others, and more of them than there are threads."""
    with Server() as server:
        make_table(server)
        rita = server.make_principal("rita", "reader")
        slow = [open_body(server, rita, 62914560, b" " * 5000) for _ in range(200)]
        slow += [open_body(server, rita, None, b"3c00000\r\n" + b" " * 5000) for _ in range(100)]
        stop = threading.Event()

        def drip():
            while not stop.wait(0.5):
                for one in slow:
                    try:
                        one.sendall(b" " * 3000)
                    except OSError:
                        pass  # it was told to give way
        threading.Thread(target=drip, daemon=True).start()
        try:
            for number in range(5):
                client = server.client(timeout=at_most(30))
                equal(client.request("GET", V1 + "/tarn/namespaces").status, 200)
                equal(client.request("POST", V1 + "/tarn/namespaces/main/tables/t", {"requirements": [], "updates": [
                    {"action": "set-properties", "updates": {"i": str(number)}}]}).status, 200)
                equal(client.request("POST", "/api/v1/query", {"sql": "SELECT 1"}).status, 200)
        finally:
            stop.set()
        for one in slow:
            one.close()


@test
def who_may_not_is_told_before_the_body_comes():
    with Server() as server:
        make_table(server)
        rita = server.make_principal("rita", "reader")
        for key, path, expected in (("wrong", METRICS, 401), (rita, V1 + "/tarn/namespaces", 403),
                                    (rita, "/api/v1/namespaces", 403)):
            with open_body(server, key, 50 * MIB, b"{", path) as one:
                contains(one.recv(65536).decode(), f"HTTP/1.1 {expected} ")
        with open_body(server, rita, 65 * MIB, b"{") as one:
            contains(one.recv(65536).decode(), "HTTP/1.1 413 ")


@test
def a_body_that_comes_in_parts_is_the_same_body():
    with Server() as server:
        make_table(server)
        body = ('{"namespace": ["late"], "properties": {"a": "' + "x" * 300000 + '"}}').encode()
        for number, size in enumerate((len(body), None)):
            name = f"late{number}"
            text = body.replace(b"late", name.encode())
            size = size and len(text)
            one = open_body(server, server.key, size, b"", V1 + "/tarn/namespaces", "Connection: close\r\n")
            for at in range(0, len(text), 100000):
                part = text[at:at + 100000]
                one.sendall(part if size else b"%x\r\n%s\r\n" % (len(part), part))
                threading.Event().wait(0.05)
            if not size:
                one.sendall(b"0\r\n\r\n")
            contains(answer_of(one), "HTTP/1.1 200 ")
            equal(len(server.request("GET", V1 + f"/tarn/namespaces/{name}").ok().json["properties"]["a"]), 300000)
        one = open_body(server, server.key, 20000, b"{" * 10000, V1 + "/tarn/namespaces", "Connection: close\r\n")
        threading.Event().wait(0.05)
        one.sendall(b"{" * 10000)
        answer = answer_of(one)
        contains(answer, "HTTP/1.1 400 ")
        contains(answer, "malformed request body")


@test
def all_bodies_together_take_so_much_memory_and_no_more():
    """Unfinished ones of 50 MB: whoever comes too late is told to come again, and what is small is not in their way."""
    with Server() as server:
        make_table(server)
        before = memory_kib(server.pid)
        part = b'{"a": "' + b"x" * (MIB - 7)
        senders = []

        def fill():
            one = open_body(server, server.key, 50 * 1000 * 1000)
            senders.append(one)
            try:
                for _ in range(46):
                    one.sendall(part)
            except OSError:
                pass  # it was refused, and did not listen
        threads = [threading.Thread(target=fill) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(SANITIZED or memory_kib(server.pid) - before < 700 * 1024, "they take too much memory")
        eventually(lambda: select.select(senders, [], [], 0)[0], "somebody is refused")
        answers = [a for a in (answer_of(one) for one in select.select(senders, [], [], 0)[0]) if a]
        check(answers, "nobody was told why")
        for answer in answers:
            contains(answer, "HTTP/1.1 503 ")
            contains(answer, "Retry-After: ")
            contains(answer, '"ServiceUnavailableException"')
        make_table(server, "small")
        for one in senders:
            one.close()
        eventually(lambda: SANITIZED or memory_kib(server.pid) - before < 350 * 1024, "the memory is given back")
        body = '{"namespace": ["after"], "properties": {"a": "' + "x" * (2 * MIB) + '"}}'
        equal(server.request("POST", V1 + "/tarn/namespaces", body).status, 200)


main()
