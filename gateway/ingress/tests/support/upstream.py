"""An HTTP upstream for tests, on the server of Python's own library. Prints its port."""

import base64
import hashlib
import json
import os
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

NAME = os.environ.get("NAME", "upstream")
SEEN = []
LOCK = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_):
        pass

    def handle_expect_100(self):
        if "refuse" in self.path:
            self.note()
            self.send_response(403)
            self.send_header("Content-Length", "8")
            self.end_headers()
            self.wfile.write(b"refused\n")
            self.close_connection = True
            return False
        return super().handle_expect_100()

    def note(self):
        with LOCK:
            SEEN.append(f"{self.command} {self.path}")

    def body(self):
        """The octets of the request's body, piece by piece."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                if size == 0:
                    while self.rfile.readline().strip():
                        pass
                    return
                yield self.rfile.read(size)
                self.rfile.readline()
        else:
            left = int(self.headers.get("Content-Length", 0))
            while left:
                piece = self.rfile.read1(min(left, 65536))
                if not piece:
                    self.close_connection = True
                    return
                left -= len(piece)
                yield piece

    def answer(self, octets, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(octets)

    def chunk(self, octets):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(octets), octets))
        self.wfile.flush()

    def serve(self):
        split = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        what = split.path.rsplit("/", 1)[-1]
        if what == "seen":
            with LOCK:
                return self.answer(json.dumps(SEEN).encode())
        self.note()
        if what == "websocket":
            return self.websocket()
        if what == "hangup":
            self.close_connection = True
            return None
        if what == "break":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"0123456789")
            self.close_connection = True
            return None
        if what == "hops":
            return self.answer(
                b"x", headers=[("Connection", "X-Secret"), ("X-Secret", "1"), ("Keep-Alive", "timeout=9"), ("X-Kept", "1")]
            )
        if what == "dribble":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for number in range(int(query["pieces"])):
                self.chunk(b"%d\n" % number)
                time.sleep(float(query["pause"]))
            self.wfile.write(b"0\r\n\r\n")
            return None
        if what == "echo":
            # An answer while the request is still on its way, as RPC over HTTP has it.
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in self.body():
                self.chunk(piece)
            self.wfile.write(b"0\r\n\r\n")
            return None
        if what == "slow":
            time.sleep(float(query["seconds"]))
        if what == "large":
            size = int(query["size"])
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            piece = b"x" * 65536
            while size:
                self.wfile.write(piece[: min(size, 65536)])
                size -= min(size, 65536)
            return None
        digest, length = hashlib.sha256(), 0
        for piece in self.body():
            digest.update(piece)
            length += len(piece)
        said = {
            "name": NAME,
            "method": self.command,
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "length": length,
            "sha256": digest.hexdigest(),
        }
        return self.answer(json.dumps(said).encode(), headers=[("Content-Type", "application/json")])

    def websocket(self):
        """RFC 6455: greets, then echoes until the client closes."""
        key = self.headers["Sec-WebSocket-Key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "websocket")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key).digest()).decode())
        self.end_headers()
        self.frame(1, b"hello")
        while True:
            head = self.rfile.read(2)
            if len(head) < 2:
                break
            opcode, size = head[0] & 15, head[1] & 127
            if size == 126:
                size = struct.unpack(">H", self.rfile.read(2))[0]
            mask = self.rfile.read(4)
            payload = bytes(octet ^ mask[at % 4] for at, octet in enumerate(self.rfile.read(size)))
            self.frame(opcode, payload)
            if opcode == 8:
                break
        self.close_connection = True

    def frame(self, opcode, payload):
        size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack(">H", len(payload))
        self.wfile.write(bytes([0x80 | opcode]) + size + payload)
        self.wfile.flush()

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
print(server.server_address[1], flush=True)
# Ends with the test that started it.
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
server.serve_forever()
