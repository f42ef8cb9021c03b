"""T-11r: the exchange with a NATS server is cut at every byte, of what is sent and of what is answered, by FIN and
by RST. Afterwards the stream holds each event once: it knows them by their ids.

    nats_cuts.py --count all      every offset
    nats_cuts.py --count 400      so many, evenly spread
"""

import argparse
import contextlib
import shutil
import socket
import subprocess
import threading

import common
import nats
from cuts import enqueue
from scripted import end

EVENTS = 5


class Proxy:
    """Between the relay and the server. `cut` is (where, offset, resets) of the next connection, or None."""

    def __init__(self, port):
        self.port = port
        self.cut = None
        self.passed = {}  # bytes of the last connection
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"nats://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            relay, _ = self.listener.accept()
            cut, self.cut = self.cut, None
            server = socket.create_connection(("127.0.0.1", self.port))
            self.passed = passed = {"sent": 0, "answered": 0}
            for place, source, sink in (("sent", relay, server), ("answered", server, relay)):
                threading.Thread(target=self.pass_on, args=(place, source, sink, cut, passed), daemon=True).start()

    def pass_on(self, place, source, sink, cut, passed):
        where, offset, resets = cut or (None, 0, False)
        with contextlib.suppress(OSError):
            while place != where or passed[place] < offset:
                part = source.recv(offset - passed[place] if place == where else 65536)
                if not part:
                    break
                passed[place] += len(part)
                sink.sendall(part)
        relay, server = (source, sink) if place == "sent" else (sink, source)
        # The other direction ends with it: its thread wakes. What is not written to any more can still be reset.
        for one, how in ((relay, socket.SHUT_RD if resets else socket.SHUT_RDWR), (server, socket.SHUT_RDWR)):
            with contextlib.suppress(OSError):
                one.shutdown(how)
        with contextlib.suppress(OSError):
            end(relay, resets)


def judge(users, bodies, settled):
    if settled != "pending=0 dead=0 integrity=ok problems=0":
        return [settled]
    wrong = [f"{user} is stored {len(bodies.get(user, []))} times" for user in users
             if len(bodies.get(user, [])) != 1]
    return wrong + [f"{user} is nobody's" for user in bodies if user not in users]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", default="400")
    arguments = parser.parse_args()
    failures, done = [], 0
    with common.Folder() as folder:
        receiver = nats.Receiver(folder.file("nats"))
        proxy = Proxy(receiver.port)
        template = folder.file("template")
        subprocess.run([common.HOST, "migrate", template], check=True)
        settler = common.Settler(proxy.url, "20", "5000")
        path = folder.file("app.db")
        shutil.copy(template, path)
        users = enqueue(path, "whole", EVENTS)
        settled = settler.settle(path)
        failures += judge(users, receiver.received(), settled)
        length = dict(proxy.passed)
        cuts = [(where, at, resets) for where in ("sent", "answered") for at in range(1, length[where] + 1)
                for resets in (False, True)]
        wanted = len(cuts) if arguments.count == "all" else min(int(arguments.count), len(cuts))
        for number in range(wanted):
            cut = cuts[number * len(cuts) // wanted]
            if number % 100 == 0:  # a file that does not grow
                path = folder.file(f"{number}.db")
                shutil.copy(template, path)
            users = enqueue(path, f"{number:05}", EVENTS)  # of one length: an offset is the same place
            proxy.cut = cut
            settled = settler.settle(path)
            wrong = judge(users, receiver.received(), settled)
            failures += [f"{cut[0]} cut at {cut[1]} by {'RST' if cut[2] else 'FIN'}: {text}" for text in wrong]
            done += 1
        settler.close()
        receiver.close()
    common.finish(done, failures, "-",
                  f"note=of_{len(cuts)}_cuts_of_{length['sent']}_bytes_sent_and_{length['answered']}_answered")


if __name__ == "__main__":
    main()
