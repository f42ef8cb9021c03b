"""What the rows share: the receiver, the ledger, and the oracle that compares the two.

The receiver is a process of its own (tools/track_server) with an append-only log; the ledger is kept
by the app that is killed (torture_host). Neither knows of the other."""

import collections
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

BUILD = os.environ.get("OUTBOX_BUILD", "build/release")
HOST = f"{BUILD}/tests/torture_host"
CLI = f"{BUILD}/tools/outbox/outbox"
TRACK_SERVER = f"{BUILD}/tools/track_server/track_server"
SKIPPED = 77
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a row that is ended takes its folders away
BATCH = 10  # events a request, in torture_host


def skip(reason):
    print(f"torture: skipped {reason}")
    sys.exit(SKIPPED)


def finish(count, failures, seed, note=""):
    """The last line of every row: tools/torture.sh makes the table of it."""
    for failure in failures[:20]:
        print("FAILURE", failure)
    print(f"torture: count={count} failures={len(failures)} seed={seed} {note}".rstrip())
    sys.exit(1 if failures or count == 0 else 0)


class Folder:
    """A folder of the row's own, in memory where that is possible: no row here needs a disk."""

    def __init__(self):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.path = tempfile.mkdtemp(prefix="outbox-torture-", dir=base)

    def file(self, name):
        return os.path.join(self.path, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Receiver:
    def __init__(self, log, *options):
        self.log = log
        self.process = subprocess.Popen([TRACK_SERVER, "--port", "0", "--log", log, *options], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        self.url = next(word for word in line.split() if word.startswith("http"))
        self.read_to = 0

    def received(self):
        """The lines since the last call: each user's list of bodies."""
        bodies = collections.defaultdict(list)
        if os.path.exists(self.log):
            with open(self.log, "rb") as file:
                file.seek(self.read_to)
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self.read_to += len(whole)
            for line in whole.splitlines():
                bodies[json.loads(line)["user_id"]].append(line)
        return bodies

    def close(self):
        self.process.terminate()
        self.process.wait()


class Settler:
    """Recovers and drains one file after the other, in a process that is never killed."""

    def __init__(self, url, *patience):
        self.process = subprocess.Popen([HOST, "settle", url, *patience], text=True, errors="replace",
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def settle(self, path):
        self.process.stdin.write(path + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return line.strip() if line else None  # None: the process has ended

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def read_ledger(path):
    words = collections.defaultdict(set)
    if os.path.exists(path):
        with open(path) as file:
            for line in file:
                word, user = line.split()
                words[word].add(user)
    return words


def judge(database, ledger, bodies, settled, duplicates_max, erased=()):
    """What is wrong after a recovery and a drain; empty: nothing."""
    wrong = []
    if settled != "pending=0 dead=0 integrity=ok problems=0":
        wrong.append(f"after the drain: {settled}")
        return wrong
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    notes = {row[0] for row in db.execute("select user from notes")}
    db.close()
    received = set(bodies)
    may_be_gone = set(erased)
    for name, users in {
        "committed and gone": ledger["ok"] - notes,
        "lost": (notes - may_be_gone) - received,
        "phantom": received - notes,
        "rolled back and there": ledger["rolled"] & (notes | received),
        "unknown to the ledger": notes - ledger["try"] - ledger["ok"],
    }.items():
        if users:
            wrong.append(f"{name}: {sorted(users)[:5]}")
    changed = [user for user, lines in bodies.items() if len(set(lines)) != 1]
    if changed:
        wrong.append(f"other bytes: {changed[:5]}")
    duplicates = sum(len(lines) - 1 for lines in bodies.values())
    if duplicates > duplicates_max:
        wrong.append(f"{duplicates} duplicates, at most {duplicates_max} allowed")
    return wrong


def seed_and_random(arguments):
    seed = arguments.seed if arguments.seed is not None else int.from_bytes(os.urandom(4), "big")
    return seed, random.Random(seed)
