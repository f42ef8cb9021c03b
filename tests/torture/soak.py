"""T-27: an hour of ordinary work. A host enqueues for three destinations (the Track API, which fails one request of
twenty; a webhook; JetStream), `outbox run` delivers, a page is open, and what is older than a minute is pruned. Memory,
descriptors, threads, the files and their sizes must be as high in the last third as in the second one, and in the end
each destination has each event once, in the order of its key.

    soak.py --minutes 60 [--per-second 30]
"""

import argparse
import collections
import http.client
import http.server
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import threading
import time

import common
import nats

KEYS = 50  # of torture_host
MEGABYTE = 1 << 20


class Hooks:
    """A webhook's receiver: an array of events a request."""

    def __init__(self):
        self.bodies = bodies = collections.defaultdict(list)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                for event in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
                    bodies[event["user_id"]].append(event)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Page:
    """`outbox serve`, and a browser that has it open: a stream, and a look at each word of it."""

    def __init__(self, database):
        self.process = subprocess.Popen([common.CLI, "serve", "--db", database], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        link = next(word for line in self.process.stdout for word in line.split() if "#t=" in word)
        self.place, token = link.removeprefix("http://").split("/#t=")
        self.headers = {"Authorization": f"Bearer {token}"}
        self.looks = 0
        self.is_open = True
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def get(self, path):
        connection = http.client.HTTPConnection(self.place, timeout=60)
        connection.request("GET", path, headers=self.headers)
        return connection, connection.getresponse()

    def look(self):
        stream, words = self.get("/api/v1/stream")
        while self.is_open and (line := words.readline()):
            if line.startswith(b"data"):
                connection, answer = self.get("/api/v1/status")
                json.loads(answer.read())
                connection.close()
                self.looks += 1
        stream.close()

    def close(self):
        self.is_open = False
        self.thread.join()
        self.process.send_signal(signal.SIGINT)
        return self.process.wait()


def use_of(process):
    """Of a process: memory in bytes, descriptors, threads."""
    with open(f"/proc/{process.pid}/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return {"memory": int(lines["VmRSS"].split()[0]) * 1024, "threads": int(lines["Threads"]),
            "descriptors": len(os.listdir(f"/proc/{process.pid}/fd"))}


def sample(database, processes):
    values = {f"{name}: {what}": value for name, process in processes.items()
              for what, value in use_of(process).items()}
    folder, name = os.path.split(database)
    files = [file for file in os.listdir(folder) if file.startswith(name)]
    values["files beside the database"] = len(files)
    values["database: bytes"] = os.path.getsize(database)
    values["wal: bytes"] = os.path.getsize(f"{database}-wal")
    return values


# What may differ between two thirds of an hour: the allocator's pages, and one look at /proc beside another.
SLACK = {"memory": (1.05, MEGABYTE), "bytes": (1.1, MEGABYTE), "descriptors": (1.0, 2)}


def growth(samples):
    """What is higher in the last third than in the second one."""
    third = len(samples) // 3
    for name in samples[0]:
        before = [values[name] for values in samples[third:2 * third]]
        after = [values[name] for values in samples[2 * third:]]
        factor, more = SLACK.get(name.split()[-1], (1.0, 0))
        if statistics.median(after) > statistics.median(before) * factor + more or (
                max(after) > max(before) * factor + more and "memory" not in name):
            yield (f"{name}: {statistics.median(before)} (at most {max(before)}), "
                   f"then {statistics.median(after)} (at most {max(after)})")


def judge(name, users, bodies):
    wrong = []
    if missing := users - set(bodies):
        wrong.append(f"{name}: {len(missing)} lost: {sorted(missing)[:5]}")
    if more := set(bodies) - users:
        wrong.append(f"{name}: {len(more)} phantoms: {sorted(more)[:5]}")
    if twice := [user for user, copies in bodies.items() if len(copies) > 1]:
        wrong.append(f"{name}: {len(twice)} duplicates: {twice[:5]}")
    last = collections.defaultdict(lambda: -1)
    for user in bodies:  # in the order of their first arrival
        number = int(user.rsplit("-", 1)[1])
        if number < last[number % KEYS]:
            wrong.append(f"{name}: {user} after {last[number % KEYS]} of its key")
            break
        last[number % KEYS] = number
    return wrong


def config_of(folder, database, track, hooks, stream):
    with open(folder.file("token"), "w") as file:
        file.write("canary-t0ken\n")
    path = folder.file("outbox.toml")
    with open(path, "w") as file:
        file.write(f'''db = "{database}"
[track]
new = true
url = "{track.url}"
token-file = "{folder.file("token")}"
[hooks]
new = true
to = "{hooks.url}"
array = true
auth = "none"
[bus]
new = true
to = "{stream.url}"
stream = "{nats.STREAM}"
''')
    return path


def work(database, processes, seconds):
    """Prunes, and looks, until the host has ended."""
    samples, failures, turns = [], [], 0
    begin = time.monotonic()
    while processes["host"].poll() is None and time.monotonic() < begin + seconds + 60:
        time.sleep(max(seconds / 120, 0.25))  # the time of a sample, not a wait for something
        turns += 1
        if any(process.poll() is not None for process in processes.values()):
            break
        samples.append(sample(database, processes))
        if turns % 4 == 0:
            done = subprocess.run([common.CLI, "prune", "--db", database, "--older-than", "1m", "--yes"],
                                  capture_output=True, text=True, check=False)
            if done.returncode not in (0, 3):
                failures.append(f"prune ended with {done.returncode}: {done.stderr}")
    if processes["host"].poll() != 0:
        failures.append(f"the host ended with {processes['host'].poll()}")
    for name in ("outbox run", "page"):
        if processes[name].poll() is not None:
            failures.append(f"{name} has ended")
    return samples, failures


def wait_until_empty(database):
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    for _ in range(600):
        if db.execute("select count(*) from outbox_queue").fetchone()[0] == 0:
            break
        time.sleep(0.1)
    left = db.execute("select count(*) from outbox_queue").fetchone()[0]
    db.close()
    return [f"{left} are not delivered after a minute"] if left else []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--per-second", type=int, default=30)
    arguments = parser.parse_args()
    seconds = int(arguments.minutes * 60)
    with common.Folder() as folder:
        database = folder.file("app.db")
        ledger = folder.file("ledger")
        track = common.Receiver(folder.file("received"), "--status", "503", "--rate", "0.05")
        hooks = Hooks()
        stream = nats.Receiver(folder.file("nats"))
        subprocess.run([common.HOST, "migrate", database], check=True)
        processes = {"host": subprocess.Popen([common.HOST, "busy", database, ledger, "h", str(seconds),
                                               str(arguments.per_second)])}
        processes["outbox run"] = subprocess.Popen(
            [common.CLI, "run", "--config", config_of(folder, database, track, hooks, stream)],
            stdout=subprocess.DEVNULL, stderr=open(folder.file("run.log"), "wb"))
        page = Page(database)
        processes["page"] = page.process
        samples, failures = work(database, processes, seconds)
        processes["host"].kill()
        failures += wait_until_empty(database)
        if code := page.close():
            failures.append(f"the page ended with {code}")
        processes["outbox run"].terminate()
        if code := processes["outbox run"].wait():
            with open(folder.file("run.log")) as file:
                failures.append(f"outbox run ended with {code}: {file.read()[-500:]}")
        for name in samples[0] if samples else ():
            print(f"{name}: " + " ".join(str(values[name]) for values in samples[:: max(len(samples) // 12, 1)]))
        failures += growth(samples) if len(samples) >= 9 else [f"{len(samples)} samples are too few"]
        users = common.read_ledger(ledger)["ok"]
        for name, receiver in (("track", track), ("bus", stream)):
            failures += judge(name, users, receiver.received())
        failures += judge("hooks", users, hooks.bodies)
        stream.close()
        track.close()
    memory = ",_".join(f"{name.replace(' ', '_')}_{samples[-1][name + ': memory'] / MEGABYTE:.1f}_MB" for name in processes if samples)
    common.finish(len(users) * 3, failures, "-",
                  f"note=events_in_{arguments.minutes:g}_min,_{page.looks}_looks_of_the_page,_{memory}")


if __name__ == "__main__":
    main()
