"""T-02: every system call on a file or a socket fails, once and for ever from there, in each scenario of T-01.

    io_errors.py --count all     every N of each call and error
    io_errors.py --count 400     so many of them, drawn with --seed

Nothing may crash or hang; afterwards the next start finds a whole database, and the ledger, the app's own rows and
what arrived agree. An enqueue that said yes is there, one that said no is not."""

import argparse
import concurrent.futures
import itertools
import os
import re
import shutil
import subprocess

import common
from kills import SCENARIOS, Worker

# What SQLite, the lock and libcurl call, and an error that each may give (man 2).
FAULTS = [("openat", "EIO"), ("openat", "EMFILE"), ("openat", "ENOSPC"), ("pread64", "EIO"), ("pwrite64", "EIO"),
          ("pwrite64", "ENOSPC"), ("fdatasync", "EIO"), ("fdatasync", "ENOSPC"), ("ftruncate", "EIO"),
          ("fcntl", "EIO"), ("fcntl", "ENOLCK"), ("fcntl", "EAGAIN"), ("flock", "EINTR"), ("mmap", "ENOMEM"),
          ("newfstatat", "EIO"), ("fstat", "EIO"), ("unlink", "EIO"), ("fchown", "EPERM"), ("socket", "EMFILE"),
          ("connect", "ECONNREFUSED"), ("sendto", "ECONNRESET"), ("recvfrom", "ECONNRESET"), ("poll", "EINTR"),
          ("inotify_init1", "EMFILE")]
SECONDS_MAX = 100  # the app's own busy_timeout is 30 s, and closing may wait for it once more
CLEAN_ENDS = (0, 1)  # done, or a typed error that torture_host caught


class Attack:
    """One worker of T-01 with its receiver and settler, which breaks calls where that one kills."""

    def __init__(self, number):
        self.worker = Worker(number)
        self.trace = self.worker.folder.file("trace")
        self.before_main = {call: self.worker.calls_of_the_loader(call) for call, _ in FAULTS}

    def calls(self, scenario):
        """How often each call is made after main began, by the thread that makes most."""
        database, ledger = self.worker.begin(scenario)
        calls = ",".join(sorted({call for call, _ in FAULTS}))
        self.strace(["-e", f"trace={calls}"], self.worker.command(scenario, database, ledger))
        self.worker.settler.settle(database)
        counts = {}
        with open(self.trace) as file:
            for line in file:
                if found := re.match(r"(\d+) +(\w+)\(", line):
                    counts[found.groups()] = counts.get(found.groups(), 0) + 1
        most = {}
        for (_, call), count in counts.items():
            most[call] = max(most.get(call, 0), count)
        return {call: count - self.before_main[call] for call, count in most.items()}

    def strace(self, options, words):
        done = subprocess.run(["strace", "-f", "-qq", "-o", self.trace, *options, common.HOST, *words],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=SECONDS_MAX, check=False)
        return done.returncode

    def strike(self, scenario, call, error, nth, lasts):
        worker = self.worker
        database, ledger = worker.begin(scenario)
        worker.receiver.received()
        injection = f"inject={call}:error={error}:when={self.before_main[call] + nth}{lasts}"
        try:
            code = self.strace(["-e", f"trace={call}", "-e", injection],
                               worker.command(scenario, database, ledger))
            wrong = [] if code in CLEAN_ENDS else [f"ended with {code}"]
        except subprocess.TimeoutExpired:
            wrong = [f"had not ended after {SECONDS_MAX} s"]
        gone = []
        if scenario == "erase":
            gone = [f"{worker.name}-erase-1"]
            worker.host("erase", database, gone[0])
        settled = worker.settler.settle(database)
        bodies = worker.mine(scenario, worker.receiver.received())
        said = common.read_ledger(ledger)
        if scenario == "prune":  # all of it arrived when the template was made
            bodies.update({user: [b""] for user in said["ok"] if user not in bodies})
        # Who never hears an answer sends again at each end of its hold, which is 20 ms at most in torture_host.
        is_deaf = call == "recvfrom" and lasts
        duplicates_max = 2000 // 20 * common.BATCH if is_deaf else common.BATCH * 2
        wrong += common.judge(database, said, bodies, settled, duplicates_max, gone)
        if scenario == "erase" and not wrong:
            wrong += worker.traces(database, gone[0])
        if not wrong:
            for suffix in ["", "-wal", "-shm", ".ledger", "-outbox-track.lock"]:
                subprocess.run(["rm", "-f", database + suffix], check=True)
        return [f"{scenario} {call} {error} at {nth}{lasts}: {text}" for text in wrong]


def work(number, workers, wanted, seed):
    attack = Attack(number)
    try:
        points = []
        for scenario in SCENARIOS:
            calls = attack.calls(scenario)
            points += [(scenario, call, error, nth, lasts) for call, error in FAULTS
                       for nth in range(1, calls.get(call, 0) + 1) for lasts in ("", "+")]
        if wanted is None:
            share = points[number::workers]
        else:
            drawn = common.random.Random(seed).sample(points, min(wanted, len(points)))
            share = drawn[number::workers]
        failures = []
        for point in share:
            failures += attack.strike(*point)
            if len(failures) >= 20:
                break
        return len(share), failures, len(points)
    finally:
        attack.worker.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", default="400")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, help="16 a processor, when there is work: most of them wait for a lock")
    arguments = parser.parse_args()
    if shutil.which("strace") is None:
        common.skip("strace is not installed")
    seed, _ = common.seed_and_random(arguments)
    wanted = None if arguments.count == "all" else int(arguments.count)
    most = 16 * (os.cpu_count() or 1)
    workers = arguments.workers or (most if wanted is None else max(2, min(most, wanted // 20)))
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        results = list(pool.map(work, range(workers), itertools.repeat(workers),
                                itertools.repeat(wanted), itertools.repeat(seed)))
    failures = [text for result in results for text in result[1]]
    common.finish(sum(result[0] for result in results), failures, seed,
                  f"note=of_{results[0][2]}_places,_once_and_for_ever")


if __name__ == "__main__":
    main()
