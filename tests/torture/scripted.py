"""An endpoint that does as it is told with the next request, and behaves after that."""

import json
import socket
import struct
import threading

YES = b'{"success":true}'
ANSWER = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
          % (len(YES), YES))


class Scripted:
    """`script(connection)` serves the next connection, or is None: behave. `bodies` is what was accepted."""

    def __init__(self, wrap=lambda connection: connection):
        self.script = None
        self.wrap = wrap
        self.bodies = []
        self.heads = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/api/track"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            raw, _ = self.listener.accept()
            threading.Thread(target=self.serve_one, args=(raw,), daemon=True).start()

    def serve_one(self, raw):
        try:
            raw.settimeout(10)
            with self.wrap(raw) as connection:
                script, self.script = self.script, None
                if script is not None:
                    script(connection)
                    return
                while self.accept(connection):
                    connection.sendall(ANSWER)
        except OSError:
            pass

    def accept(self, connection):
        body = read_request(connection, self.heads)
        if body is None:
            return False
        self.bodies += json.loads(body)
        return True


def read_request(connection, heads):
    text = b""
    while b"\r\n\r\n" not in text:
        part = connection.recv(65536)
        if not part:
            return None
        text += part
    head, body = text.split(b"\r\n\r\n", 1)
    heads.append(head.decode())
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                   if line.lower().startswith(b"content-length")), 0)
    while len(body) < length:
        part = connection.recv(65536)
        if not part:
            return None
        body += part
    return body


def end(connection, resets):
    if resets:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
