"""T-12: each status from 100 to 599, with each kind of Retry-After, as the answer to a batch; then the endpoint
works. Nothing may be lost or die, and the request log must have the verdict of docs/guarantees.md.

    statuses.py --count 2500     500 statuses x 5 kinds of Retry-After; less: the first kinds only
"""

import argparse
import datetime
import shutil
import sqlite3
import subprocess

import common
import cuts
from scripted import Scripted, read_request


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


def answer(server, status, retry_after):
    def script(connection):
        body = read_request(connection, server.heads)
        # On a busy machine a connection that the case before gave up may be served only now.
        if body is None or f'"{status}-0"'.encode() not in body.replace(b" ", b""):
            server.script = script
            return
        extra = f"Retry-After: {retry_after}\r\n" if retry_after else ""
        connection.sendall(f"HTTP/1.1 {status} Said\r\n{extra}Content-Length: 0\r\n\r\n".encode())
    return script


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
        settler = common.Settler(server.url, "400", "25")
        cases = [(status, later) for later in retry_afters() for status in range(100, 600)]
        for status, later in cases[: arguments.count]:
            path = folder.file("app.db")
            for suffix in ["-wal", "-shm"]:
                subprocess.run(["rm", "-f", path + suffix], check=True)
            shutil.copy(template, path)
            cuts.enqueue(path, status)
            server.bodies.clear()
            server.script = answer(server, status, later)
            settled = settler.settle(path)
            wanted = verdict_of(status, later in ("7", retry_afters()[4]) or (later or "").endswith("GMT"))
            found = first_verdict(path)
            if settled != "pending=0 dead=0 integrity=ok problems=0":
                failures.append(f"{status} {later}: {settled}")
            elif found != wanted:
                failures.append(f"{status} {later}: {found}, not {wanted}")
            done += 1
        settler.close()
    common.finish(done, failures, "-")


if __name__ == "__main__":
    main()
