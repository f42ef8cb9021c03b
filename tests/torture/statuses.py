"""T-12: each status from 100 to 599, with each kind of Retry-After, as the answer to a batch; then the endpoint
works. Nothing may be lost or die, and the request log must have the verdict of docs/guarantees.md.

    statuses.py --count 7500     500 statuses x 5 kinds of Retry-After x batches of 1, 2 and 100 events
    statuses.py --count 500      each status once, with the others in turns
"""

import argparse
import contextlib
import datetime
import os
import random
import shutil
import sqlite3
import subprocess

import common
import cuts
from scripted import Scripted, read_request


STATUSES = range(100, 600)
BATCHES = [100, 1, 2]


def retry_afters():
    later = datetime.datetime.utcnow() + datetime.timedelta(seconds=90)
    return [None, "7", later.strftime("%a, %d %b %Y %H:%M:%S GMT"), "soon; -5", str(10 * 365 * 86400)]


def verdict_of(status, patience):
    """The table `What an answer means` of docs/guarantees.md. An interim answer alone is none."""
    if status < 200:
        return "failed"
    if status < 300:
        return "delivered"
    if status in (401, 403, 407):
        return "unauthorized"
    if status < 400 or status in (404, 405, 410, 415, 501, 505):
        return "misconfigured"
    if status in (408, 409, 421, 425, 429) or (status == 503 and patience):
        return "unavailable"
    return "failed" if status >= 500 else "refused"


class Answer:
    """Answers the first request that it is given. On a busy machine that may be one of the case before, which gave
    up its connection: then the case is to be repeated."""

    def __init__(self, server, user, status, retry_after):
        self.server, self.user, self.status, self.retry_after = server, user, status, retry_after
        self.was_given = False

    def __call__(self, connection):
        body = read_request(connection, self.server.heads)
        if body is None or f'"{self.user}"'.encode() not in body:
            return
        self.was_given = True
        extra = f"Retry-After: {self.retry_after}\r\n" if self.retry_after else ""
        head = f"HTTP/1.1 {self.status} Said\r\n{extra}Content-Length: 0\r\n\r\n"
        connection.sendall(head.encode())


def first_verdict(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    row = db.execute("select outcome from outbox_requests order by id limit 1").fetchone()
    db.close()
    return row[0] if row else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=500)
    arguments = parser.parse_args()
    server = Scripted()
    failures, done = [], 0
    with common.Folder() as folder:
        template = folder.file("template")
        subprocess.run([common.HOST, "migrate", template], check=True)
        settlers = {batch: common.Settler(server.url, "80", "200", str(batch)) for batch in BATCHES}
        for number in range(min(arguments.count, len(STATUSES) * 5 * len(BATCHES))):
            turn, place = divmod(number, len(STATUSES))
            status = STATUSES[place]
            kind, batch = (turn + place) % 5, BATCHES[(turn // 5 + place) % len(BATCHES)]
            later = retry_afters()[kind]
            for _ in range(5):
                path = folder.file("app.db")
                for suffix in ["", "-wal", "-shm"]:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(path + suffix)
                shutil.copy(template, path)
                user = cuts.enqueue(path, f"{done}-{random.random()}", batch)[0]
                script = server.script = Answer(server, user, status, later)
                settled = settlers[batch].settle(path)
                if script.was_given:
                    break
            wanted = verdict_of(status, later is not None)
            found = first_verdict(path)
            if settled != "pending=0 dead=0 integrity=ok problems=0":
                failures.append(f"{status} {later}, {batch} events: {settled}")
            elif found != wanted:
                failures.append(f"{status} {later}, {batch} events: {found}, not {wanted}")
            done += 1
        for settler in settlers.values():
            settler.close()
    common.finish(done, failures, "-")


if __name__ == "__main__":
    main()
