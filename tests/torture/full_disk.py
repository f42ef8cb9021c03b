"""T-05: a disk of 2 MB is filled and freed again, while an app enqueues and a dispatcher delivers. When there is
space again, what was committed arrives within seconds, without a storm of duplicates.

    full_disk.py --count 500
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import time

import common

BEGIN_SECONDS_MAX = 60
RECOVERY_SECONDS_MAX = 10  # on a busy machine; the table has the longest that was seen


def in_own_mounts():
    """Again, with mounts of its own, which end with the process."""
    if os.environ.get("OUTBOX_OWN_MOUNTS"):
        return
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        common.skip("needs the right to mount (root)")
    os.environ["OUTBOX_OWN_MOUNTS"] = "1"
    os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])


def fill(path):
    with open(path, "ab", buffering=0) as ballast:
        try:
            while ballast.write(b"x" * 512) == 512:
                pass
        except OSError:
            pass


def truncate_wal(database):
    db = sqlite3.connect(database, timeout=30)
    db.execute("pragma wal_checkpoint(truncate)").fetchall()
    db.close()


def wait_for(condition, seconds):
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > seconds:
            return None
        time.sleep(0.005)
    return time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10)
    arguments = parser.parse_args()
    in_own_mounts()
    failures, longest, refused = [], 0.0, 0
    with common.Folder() as folder:
        disk = folder.file("disk")
        os.mkdir(disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", disk], check=True)
        database, ledger = os.path.join(disk, "app.db"), folder.file("ledger")
        subprocess.run([common.HOST, "migrate", database], check=True)
        receiver = common.Receiver(folder.file("received"))
        dispatcher = subprocess.Popen([common.HOST, "run", database, receiver.url])
        bodies = {}

        def all_arrived():
            for user, lines in receiver.received().items():
                bodies.setdefault(user, []).extend(lines)
            return common.read_ledger(ledger)["ok"] <= set(bodies)

        # It has begun when something arrives: who begins on a full disk gets an error, which is no fault.
        subprocess.run([common.HOST, "enqueue", database, ledger, "first", "1"], check=True)
        if wait_for(all_arrived, BEGIN_SECONDS_MAX) is None:
            failures.append(f"nothing delivered in the first {BEGIN_SECONDS_MAX} s")
        for cycle in range(arguments.count):
            words = [common.HOST, "enqueue", database, ledger, f"c{cycle}", "4"]
            subprocess.run(words, check=True)
            truncate_wal(database)  # else what follows finds room in it
            fill(os.path.join(disk, "ballast"))
            words[4] = f"full{cycle}"
            done = subprocess.run(words, check=False, stderr=subprocess.DEVNULL)
            refused += done.returncode == 1
            if done.returncode not in (0, 1):
                failures.append(f"cycle {cycle}: enqueue ended with {done.returncode}")
            os.unlink(os.path.join(disk, "ballast"))
            took = wait_for(all_arrived, RECOVERY_SECONDS_MAX)
            if took is None:
                failures.append(f"cycle {cycle}: not delivered {RECOVERY_SECONDS_MAX} s after there was space")
                break
            longest = max(longest, took)
            if cycle % 20 == 19:
                subprocess.run([common.HOST, "prune", database], check=True)
        dispatcher.kill()
        dispatcher.wait()
        settler = common.Settler(receiver.url)
        settled = settler.settle(database)
        settler.close()
        all_arrived()
        failures += common.judge(database, common.read_ledger(ledger), bodies, settled,
                                 arguments.count * common.BATCH)
        receiver.close()
        subprocess.run(["umount", "--lazy", disk], check=True)
    duplicates = sum(len(lines) - 1 for lines in bodies.values())
    common.finish(arguments.count, failures, "-", f"note=longest_{longest:.2f}_s_after_there_was_space,"
                  f"_{refused}_enqueues_refused,_{duplicates}_duplicates")


if __name__ == "__main__":
    main()
