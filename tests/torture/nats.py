"""A NATS server of the row's own, and a receiver that reads back what its stream has stored.

The text protocol is docs.nats.io's (CONNECT, SUB, PUB, MSG), and so are the requests below $JS.API."""

import base64
import collections
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import time

import common

STREAM = "EVENTS"
NO_MESSAGE = 10037  # JetStream's error code


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.socket.makefile("rb")
        self.file.readline()  # INFO
        self.socket.sendall(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB answers 1\r\n')

    def ask(self, subject, question):
        body = json.dumps(question).encode()
        self.socket.sendall(b"PUB %s answers %d\r\n%s\r\n" % (subject.encode(), len(body), body))
        while True:
            words = self.file.readline().split()
            if not words:
                raise OSError("the server has gone")
            if words[0] == b"PING":
                self.socket.sendall(b"PONG\r\n")
            elif words[0] in (b"MSG", b"HMSG"):
                text = self.file.read(int(words[-1]))
                self.file.readline()
                return json.loads(text) if words[0] == b"MSG" else None
            elif words[0] == b"-ERR":
                raise OSError(b" ".join(words).decode())

    def close(self):
        self.file.close()
        self.socket.close()


class Receiver:
    """As common.Receiver. What the stream holds is read: a message that it knew already is not there twice."""

    def __init__(self, folder):
        if shutil.which("nats-server") is None:
            common.skip("nats-server is not installed")
        os.makedirs(folder)
        self.folder = folder
        self.log = open(os.path.join(folder, "server.log"), "wb")
        self.process = subprocess.Popen(
            ["nats-server", "--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir", folder,
             "--ports_file_dir", folder], stdout=self.log, stderr=self.log)
        self.port = self.find_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.next = 1
        self.client = Client(self.port)
        made = self.client.ask(f"$JS.API.STREAM.CREATE.{STREAM}", {
            "name": STREAM, "subjects": ["outbox.>"], "storage": "file", "num_replicas": 1,
            "retention": "limits", "discard": "old", "duplicate_window": 3600 * 10**9})
        if made is None or "error" in made:
            raise OSError(f"no stream: {made}")

    def find_port(self):
        for _ in range(600):
            for path in glob.glob(os.path.join(self.folder, "*.ports")):
                with open(path) as file:
                    found = re.search(r"nats://127\.0\.0\.1:(\d+)", file.read())
                if found:
                    return int(found[1])
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise OSError("nats-server did not start")

    def received(self):
        """The messages since the last call: each user's list of bodies."""
        bodies = collections.defaultdict(list)
        self.client.close()  # the server leaves a client that was silent for some minutes
        self.client = Client(self.port)
        while True:
            answer = self.client.ask(f"$JS.API.STREAM.MSG.GET.{STREAM}", {"seq": self.next})
            if answer is not None and answer.get("error", {}).get("err_code") == NO_MESSAGE:
                return bodies
            body = base64.b64decode(answer["message"]["data"])
            bodies[json.loads(body)["user_id"]].append(body)
            self.next += 1

    def close(self):
        self.client.close()
        self.process.terminate()
        self.process.wait()
        self.log.close()
