#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile HTTP clients. Usage: attack.py HOST:PORT PID

Prints "ok WHAT" or "not ok WHAT" lines, which attack.t numbers. Every loop is
bounded; every socket is ours and closed at the end.
"""
import os
import random
import resource
import socket
import sys
import threading
import time

SERVER = sys.argv[1].rsplit(":", 1)
ADDRESS = (SERVER[0], int(SERVER[1]))
PID = int(sys.argv[2])
# AddressSanitizer keeps what was freed: memory is judged of the plain build only.
JUDGE_MEMORY = os.environ.get("VARIANT", "plain") == "plain"
HOST = f"Host: {ADDRESS[0]}:{ADDRESS[1]}\r\n"


def result(good, what, detail=""):
    print(("ok " if good else "not ok ") + what + (f"\t{detail}" if not good else ""), flush=True)


def receive(sock, deadline):
    """Everything until the server closes, or one whole response with a length."""
    data = b""
    while time.monotonic() < deadline:
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            piece = sock.recv(65536)
        except (socket.timeout, ConnectionError):
            break
        if not piece:
            break
        data += piece
        head, separator, body = data.partition(b"\r\n\r\n")
        if separator:
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length" and len(body) >= int(value):
                    return data
    return data


def talk(data, seconds=10):
    """Sends raw bytes, returns (status, answer)."""
    with socket.create_connection(ADDRESS, timeout=seconds) as sock:
        try:
            sock.sendall(data)
        except ConnectionError:
            pass
        answer = receive(sock, time.monotonic() + seconds)
    parts = answer.split(b" ", 2)
    return (int(parts[1]) if len(parts) > 2 and parts[1].isdigit() else 0), answer


def get(path, extra="", method="GET"):
    return talk(f"{method} {path} HTTP/1.1\r\n{HOST}{extra}Connection: close\r\n\r\n".encode())


def post(path, body, extra="Content-Type: application/json\r\n", method="POST"):
    head = f"{method} {path} HTTP/1.1\r\n{HOST}{extra}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return talk(head.encode() + body)


def malformed():
    json = "Content-Type: application/json\r\n"
    many = "".join(f"X-{i}: 1\r\n" for i in range(70))
    deep = b"[" * 40 + b"]" * 40
    close = "Connection: close\r\n\r\n"
    cases = [
        ("Content-Length with Transfer-Encoding", 400,
         f"POST /vms HTTP/1.1\r\n{HOST}{json}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n{close}0\r\n\r\n"),
        ("two Content-Lengths", 400,
         f"POST /vms HTTP/1.1\r\n{HOST}{json}Content-Length: 4\r\nContent-Length: 5\r\n{close}null\n"),
        ("the same Content-Length twice", 400,
         f"POST /vms HTTP/1.1\r\n{HOST}{json}Content-Length: 4\r\nContent-Length: 4\r\n{close}null"),
        ("a list of Content-Lengths", 400,
         f"POST /vms HTTP/1.1\r\n{HOST}{json}Content-Length: 4, 4\r\n{close}null"),
        ("a negative Content-Length", 400, f"POST /vms HTTP/1.1\r\n{HOST}{json}Content-Length: -1\r\n{close}"),
        ("a huge Content-Length", None,
         f"POST /vms HTTP/1.1\r\n{HOST}{json}Content-Length: 99999999999999999999\r\n{close}"),
        ("70 headers", 400, f"GET /vms HTTP/1.1\r\n{HOST}{many}{close}"),
        ("no Host", 400, f"GET /vms HTTP/1.1\r\n{close}"),
        ("two Hosts", 400, f"GET /vms HTTP/1.1\r\n{HOST}{HOST}{close}"),
        ("%2f in the path", 400, f"GET /vms/..%2f..%2ftmp%2fx HTTP/1.1\r\n{HOST}{close}"),
        ("%2F in the path of a change", 400, f"PUT /vms/..%2F..%2Ftmp%2Fx/register HTTP/1.1\r\n{HOST}{close}"),
        ("%00 in the path", 400, f"GET /vms/a%00b HTTP/1.1\r\n{HOST}{close}"),
        ("a bad escape", 400, f"GET /vms/%zz HTTP/1.1\r\n{HOST}{close}"),
        ("white space before the colon", 400, f"GET /vms HTTP/1.1\r\n{HOST}X : 1\r\n{close}"),
        ("a folded header", 400, f"GET /vms HTTP/1.1\r\n{HOST}X: 1\r\n  2\r\n{close}"),
        ("no request line", 400, f"\x01\x02\x03\r\n{close}"),
        ("a body over the limit, announced", 413,
         f"POST /vms HTTP/1.1\r\n{HOST}{json}Content-Length: 1048576\r\n{close}"),
        ("a trailing slash", 404, f"GET /vms/ HTTP/1.1\r\n{HOST}{close}"),
        ("an unknown path", 404, f"GET /nothing HTTP/1.1\r\n{HOST}{close}"),
        ("a known path, wrong method", 405, f"PATCH /vms HTTP/1.1\r\n{HOST}{close}"),
        ("a foreign Host", 403, f"GET /vms HTTP/1.1\r\nHost: evil.example\r\n{close}"),
        ("a foreign Origin", 403, f"GET /vms HTTP/1.1\r\n{HOST}Origin: http://evil.example\r\n{close}"),
        ("Origin null on a change", 403, f"DELETE /vms/x HTTP/1.1\r\n{HOST}Origin: null\r\n{close}"),
        ("Host: :port, as old clients send", 200, f"GET /vms HTTP/1.1\r\nHost: :{ADDRESS[1]}\r\n{close}"),
        ("Host: localhost", 200, f"GET /vms HTTP/1.1\r\nHost: localhost\r\n{close}"),
    ]
    for what, wanted, data in cases:
        status, answer = talk(data.encode("latin-1"))
        good = status == wanted if wanted else status in (400, 413)
        if good and status >= 400:
            good = b"application/problem+json" in answer
        result(good, f"{what}: {wanted or '400 or 413'}", f"{status} {answer[:300]!r}")

    status, answer = post("/vms", b"{}", "Content-Type: text/plain\r\n")
    result(status == 415, "a change that is not JSON: 415", f"{status} {answer[:200]!r}")
    status, answer = post("/vms", deep)
    result(status == 400, "JSON 40 deep: 400", f"{status} {answer[:200]!r}")
    status, answer = post("/vms", b'{"vmdef":')
    result(status == 400, "half a JSON text: 400", f"{status} {answer[:200]!r}")
    status, answer = post("/vms", b"x" * (1024 * 1024 + 10))
    result(status == 413, "a body over the limit, sent: 413", f"{status} {answer[:200]!r}")
    chunks = b"".join(b"10000\r\n" + b"a" * 0x10000 + b"\r\n" for _ in range(17)) + b"0\r\n\r\n"
    status, answer = talk(
        f"POST /vms HTTP/1.1\r\n{HOST}{json}Transfer-Encoding: chunked\r\n{close}".encode() + chunks)
    result(status == 413, "a chunked body over the limit: 413", f"{status} {answer[:200]!r}")
    status, answer = get("/vms", "Origin: http://evil.example\r\nAccess-Control-Request-Method: DELETE\r\n", "OPTIONS")
    result(b"access-control" not in answer.lower(), "no CORS permission, ever", repr(answer[:300]))
    status, answer = get("/vms", method="HEAD")
    result(status == 200 and answer.endswith(b"\r\n\r\n"), "HEAD has no body", repr(answer[:300]))
    two = f"GET /healthz HTTP/1.1\r\n{HOST}\r\nGET /version HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n".encode()
    with socket.create_connection(ADDRESS, timeout=5) as sock:
        sock.sendall(two)
        data = b""
        while piece := sock.recv(65536):
            data += piece
    result(data.count(b"HTTP/1.1 200") == 2, "pipelined requests are answered in order", repr(data[:300]))


def garbage(rounds):
    """Random bytes and mutations; the server must answer the next honest request."""
    random.seed(7)
    seed = f"POST /vms?x=1 HTTP/1.1\r\n{HOST}Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{{\"vmdef\":null}}".encode()
    for _ in range(rounds):
        data = bytearray(seed if random.random() < 0.8 else random.randbytes(200))
        for _ in range(random.randint(1, 6)):
            data[random.randrange(len(data))] = random.randrange(256)
        with socket.create_connection(ADDRESS, timeout=5) as sock:
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                receive(sock, time.monotonic() + 2)
            except OSError:
                pass
    status, _ = get("/healthz")
    result(status == 200, f"alive after {rounds} mutated requests")


def open_slow(kind, sources):
    """One connection that takes its time; the source address varies."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.bind((f"127.0.0.{random.randint(2, sources + 1)}", 0))
    sock.connect_ex(ADDRESS)
    return [sock, kind, 0]


SLOW = {
    "header": f"GET /vms HTTP/1.1\r\n{HOST}X-Slow: ".encode() + b"a" * 4000,
    "body": f"POST /vms HTTP/1.1\r\n{HOST}Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n".encode() + b" " * 900000,
    "reader": (f"GET /openapi.yaml HTTP/1.1\r\n{HOST}\r\n" * 200).encode(),
}


class Slow(threading.Thread):
    """Keeps n slow connections: a few bytes each second, opened again when closed (bounded)."""

    def __init__(self, n, sources=40):
        super().__init__(daemon=True)
        self.n, self.sources, self.stopping = n, sources, threading.Event()
        self.clients = []
        self.reopened = 0
        self.opened = threading.Event()

    def step(self, client):
        sock, kind, sent = client
        data = SLOW[kind]
        # Headers are completed early, their rest comes drop by drop.
        piece = data[sent:sent + (400 if sent == 0 or kind == "reader" else 3)]
        if not piece:
            return True
        try:
            client[2] += sock.send(piece)
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def run(self):
        kinds = list(SLOW)
        for i in range(self.n):
            if self.stopping.is_set():
                break
            self.clients.append(open_slow(kinds[i % 3], self.sources))
        self.opened.set()
        end = time.monotonic() + 90
        while not self.stopping.is_set() and time.monotonic() < end:
            for i, client in enumerate(self.clients):
                if not self.step(client) and self.reopened < 3 * self.n:
                    client[0].close()
                    self.clients[i] = open_slow(client[1], self.sources)
                    self.reopened += 1
            self.stopping.wait(1)
        for client in self.clients:
            client[0].close()


def anonymous_kib():
    with open(f"/proc/{PID}/status", encoding="ascii") as status:
        fields = dict(line.split(":", 1) for line in status if ":" in line)
    return int(fields["RssAnon"].split()[0]), int(fields["Threads"])


def timed_get(path):
    start = time.monotonic()
    status, _ = get(path)
    return status, time.monotonic() - start


def under_slow(n, limit):
    """limit: seconds at p99 (300 clients) or until the first answer (more)."""
    before, threads = anonymous_kib()
    slow = Slow(n)
    slow.start()
    slow.opened.wait(60)
    start = time.monotonic()
    status = 0
    while status != 200 and time.monotonic() - start < 30:
        try:
            status, _ = timed_get("/vms")
        except OSError:
            status = 0
    first = time.monotonic() - start
    times, bad = [], 0
    for i in range(300):
        try:
            status, seconds = timed_get("/healthz" if i % 3 == 0 else "/vms")
        except OSError as error:
            status, seconds = error, 10
        bad += status != 200
        times.append(seconds)
    times.sort()
    p99 = times[int(len(times) * 0.99) - 1]
    after, now = anonymous_kib()
    slow.stopping.set()
    slow.join(60)
    result(first < (limit if n > 300 else 10), f"{n} slow clients: answers within {limit} s", f"{first:.2f} s")
    result(bad == 0, f"{n} slow clients: no request is lost", f"{bad} of {len(times)}")
    if n <= 300:
        result(p99 < 0.2, f"{n} slow clients: p99 below 200 ms", f"{p99 * 1000:.0f} ms")
    result(now == threads, f"{n} slow clients: no further thread", f"{threads} -> {now}")
    if JUDGE_MEMORY:
        result(after - before < 64 * 1024, f"{n} slow clients: memory is bounded", f"{before} -> {after} KiB")
    print(f"# {n} slow clients: first answer {first:.3f} s, p50 {times[len(times) // 2] * 1000:.1f} ms, "
          f"p99 {p99 * 1000:.1f} ms, RssAnon {before} -> {after} KiB, reopened {slow.reopened}")


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    malformed()
    garbage(400)
    base, _ = anonymous_kib()
    for n, limit in ((300, 10), (1000, 10), (5000, 10)):
        under_slow(n, limit)
    deadline = time.monotonic() + 30
    after, _ = anonymous_kib()
    while JUDGE_MEMORY and after - base > 8 * 1024 and time.monotonic() < deadline:
        time.sleep(0.2)
        after, _ = anonymous_kib()
    if JUDGE_MEMORY:
        result(after - base <= 8 * 1024, "memory is given back afterwards", f"{base} -> {after} KiB")
    status, _ = get("/healthz")
    result(status == 200, "alive at the end")


main()
