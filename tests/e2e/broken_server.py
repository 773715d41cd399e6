#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A server on a free port, which it prints: what it answers depends on the VM that is asked for."""
import socketserver

ANSWERS = {
    b"garbage": b"what?\r\n\r\n",
    b"closed": b"",
    b"cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    b"page": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    b"error": b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    b"boot": b"HTTP/1.1 204 No Content\r\n\r\n",
    b"console": b"HTTP/1.1 200 OK\r\nX-VirtX-Offset: 9\r\nContent-Length: 33\r\n\r\n"
    b"\x1b]0;owned\x07 \x1b[32mgreen\x1b[0m \xff\x00\xc2\x9b6n\n",
    b"hosts": b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"items\": \"\"}",
}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        target = self.rfile.readline().split(b" ")[1]
        length = 0
        while (line := self.rfile.readline().strip()):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.rfile.read(length)
        answer = ANSWERS.get(target.split(b"/")[-1].split(b"?")[0])
        if b"offset=9" in target:
            answer = b"HTTP/1.1 200 OK\r\nX-VirtX-Offset: 9\r\nContent-Length: 0\r\n\r\n"
        if answer is None:
            self.rfile.read(1)  # until the client goes away
        else:
            self.wfile.write(answer)


socketserver.ThreadingTCPServer.daemon_threads = True
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
