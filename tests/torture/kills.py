"""T-01, T-01r and T-03: SIGKILL at the N-th system call, and an I/O error while the next one recovers.

    kills.py kill --count 10000      first every N in turn until each scenario gets through, then at random
    kills.py recover --count 2000    a kill, then one system call of the recovery fails
    kills.py kill --seed 7 …         the same kills again
    kills.py kill --to nats …        the delivery is a relay to JetStream, and the only scenario

strace counts the calls of each thread and kills before the N-th is made. One worker process a core."""

import argparse
import concurrent.futures
import contextlib
import itertools
import os
import shutil
import subprocess
import time

import common
import nats

# What touches a file or the endpoint. `write` is the ledger's.
CALLS = ["pwrite64", "fdatasync", "fsync", "ftruncate", "fcntl", "pread64", "openat", "unlink", "mmap",
         "sendto", "recvfrom", "connect", "write", "close"]
ERRORS = [("pread64", "EIO"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("fdatasync", "EIO"),
          ("ftruncate", "EIO"), ("openat", "EIO"), ("openat", "EMFILE"), ("fcntl", "ENOLCK"), ("mmap", "ENOMEM"),
          ("sendto", "ECONNRESET"), ("recvfrom", "ECONNRESET"), ("connect", "ECONNREFUSED")]
SCENARIOS = ["enqueue", "deliver", "migrate", "prune", "erase"]
RELAY_CALLS = CALLS + ["poll", "writev", "futex", "clone3"]  # libnats has threads of its own


class Worker:
    """Its own receiver, settler and folder; the templates are what a scenario begins with."""

    def __init__(self, number, to="track"):
        self.folder = common.Folder()
        # A stream keeps no message twice, not even of another trial: there each has events of its own.
        self.relays = to == "nats"
        self.receiver = (nats.Receiver(self.folder.file("nats")) if self.relays else
                         common.Receiver(self.folder.file("received")))
        self.settler = common.Settler(self.receiver.url)
        self.trial = 0
        self.name = f"w{number}"
        self.before_main = {call: self.calls_of_the_loader(call)
                            for call in {*RELAY_CALLS, *(one for one, _ in ERRORS)}}
        self.scenarios = ["deliver"] if self.relays else SCENARIOS
        self.calls = RELAY_CALLS if self.relays else CALLS
        for scenario in self.scenarios:
            self.make_template(scenario)

    def host(self, *words):
        subprocess.run([common.HOST, *words], check=True, stdout=subprocess.DEVNULL)

    def calls_of_the_loader(self, call):
        """How many are made before main: those are not ours to test."""
        log = self.folder.file("loader")
        subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", f"trace={call}", "-e", "signal=none", common.HOST],
                       capture_output=True, check=False)
        if call == "write":
            return 0  # these are the complaint that no command was given
        with open(log) as file:
            return sum(f"{call}(" in line for line in file)

    def make_template(self, scenario):
        path = self.folder.file(f"{scenario}-template")
        if scenario == "migrate":
            return
        self.host("migrate", path)
        if scenario == "enqueue" or self.relays:
            return
        self.host("enqueue", path, f"{path}.ledger", f"{self.name}-{scenario}", "8")
        if scenario == "prune":
            self.host("deliver", path, self.receiver.url)

    def command(self, scenario, database, ledger):
        prefix = f"{self.name}-{self.trial}"
        return {
            "enqueue": ["enqueue", database, ledger, prefix, "6"],
            "deliver": ["deliver", database, self.receiver.url],
            "migrate": ["migrate", database],
            "prune": ["prune", database],
            "erase": ["erase", database, f"{self.name}-erase-1"],
        }[scenario]

    def run_with(self, call, fault, nth, words):
        injection = f"{call}:{fault}:when={self.before_main[call] + nth}"
        done = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                               f"inject={injection}", common.HOST, *words], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=60, check=False)
        return done.returncode

    def begin(self, scenario):
        self.trial += 1
        database = self.folder.file(f"{self.trial}.db")
        ledger = f"{database}.ledger"
        template = self.folder.file(f"{scenario}-template")
        for suffix in ["", "-wal", "-shm", ".ledger"]:
            if os.path.exists(template + suffix):
                shutil.copy(template + suffix, database + suffix)
        if self.relays:
            self.host("enqueue", database, ledger, f"{self.name}-{self.trial}", "8")
        return database, ledger

    def attack(self, scenario, call, nth, recovery=None):
        """True when it was killed, and what is wrong then."""
        database, ledger = self.begin(scenario)
        self.receiver.received()  # a late line of an earlier trial, whose users are not of this one
        code = self.run_with(call, "signal=SIGKILL", nth, self.command(scenario, database, ledger))
        was_killed = code in (-9, 137)
        wrong = [] if was_killed or code == 0 else [f"exit code {code}"]
        if recovery is not None:
            error, at = recovery
            code = self.run_with(error[0], f"error={error[1]}", at, ["deliver", database, self.receiver.url])
            if code not in (0, 1):
                wrong.append(f"the recovery ended with {code}")
        if scenario == "erase" and was_killed:
            self.host("erase", database, f"{self.name}-erase-1")
        settled = self.settler.settle(database)
        bodies = self.mine(scenario, self.receiver.received())
        if scenario == "prune":  # all of it arrived when the template was made
            notes = common.read_ledger(ledger)["ok"]
            bodies.update({user: [b""] for user in notes if user not in bodies})
        erased = [f"{self.name}-erase-1"] if scenario == "erase" else []
        wrong += common.judge(database, common.read_ledger(ledger), bodies, settled,
                              0 if self.relays else common.BATCH * 2, erased)
        if scenario == "erase" and not wrong:
            wrong += self.traces(database, erased[0])
        if not wrong:
            for suffix in ["", "-wal", "-shm", ".ledger", "-outbox-track.lock"]:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(database + suffix)
        return was_killed, [f"{scenario} {call} {nth} {recovery or ''}: {text}" for text in wrong]

    def mine(self, scenario, bodies):
        prefixes = (f"{self.name}-{self.trial}-", f"{self.name}-{scenario}-")
        return {user: lines for user, lines in bodies.items() if user.startswith(prefixes)}

    def traces(self, database, user):
        """The app's own note of the user stays: it is not in the event's form."""
        needle = f'"user_id":"{user}"'.encode()
        for suffix in ["", "-wal"]:
            with contextlib.suppress(FileNotFoundError):
                with open(database + suffix, "rb") as file:
                    if needle in file.read():
                        return [f"{user} is still in the file{suffix}"]
        return []

    def close(self):
        self.settler.close()
        self.receiver.close()
        self.folder.__exit__()


def walk(worker, share, count, largest, until):
    """Every N of each scenario and call, until it gets through. `largest` learns where that was."""
    kills, failures = 0, []
    for scenario, call in share:
        for nth in itertools.count(1):
            if kills >= count or time.monotonic() > until:
                return kills, failures, False
            was_killed, wrong = worker.attack(scenario, call, nth)
            failures += wrong
            kills += was_killed
            if not was_killed:
                largest[scenario, call] = nth - 1
                break
    return kills, failures, True


def work(number, workers, mode, count, seed, seconds, to):
    until = time.monotonic() + seconds
    worker = Worker(number, to)
    try:
        random = common.random.Random(seed * 1000 + number)
        share = [pair for i, pair in enumerate(itertools.product(worker.scenarios, worker.calls))
                 if i % workers == number]
        largest, kills, failures, is_whole = {}, 0, [], False
        if mode == "kill":
            kills, failures, is_whole = walk(worker, share, count, largest, until)
        points = [pair for pair, last in largest.items() if last] if largest else share
        tries = 0
        while kills < count and tries < count * 4 and len(failures) < 20 and time.monotonic() < until:
            tries += 1
            scenario, call = random.choice(points)
            nth = random.randint(1, largest.get((scenario, call), 12))
            recovery = (random.choice(ERRORS), random.randint(1, 25)) if mode == "recover" else None
            was_killed, wrong = worker.attack(scenario, call, nth, recovery)
            kills += was_killed
            failures += wrong
        return kills, failures, sum(largest.values()) if is_whole else 0
    finally:
        worker.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["kill", "recover"])
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seconds", type=int, default=3600, help="then the count is what it is by then")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--to", choices=["track", "nats"], default="track")
    arguments = parser.parse_args()
    if shutil.which("strace") is None:
        common.skip("strace is not installed")
    seed, _ = common.seed_and_random(arguments)
    each = -(-arguments.count // arguments.workers)
    with concurrent.futures.ProcessPoolExecutor(arguments.workers) as pool:
        results = list(pool.map(work, range(arguments.workers), itertools.repeat(arguments.workers),
                                itertools.repeat(arguments.mode), itertools.repeat(each),
                                itertools.repeat(seed), itertools.repeat(arguments.seconds),
                                itertools.repeat(arguments.to)))
    kills = sum(result[0] for result in results)
    walked = [result[2] for result in results]
    failures = [text for result in results for text in result[1]]
    note = f"note=every_N_of_{sum(walked)}_points_then_random" if all(walked) else ""
    common.finish(kills, failures, seed, note)


if __name__ == "__main__":
    main()
