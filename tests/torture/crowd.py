"""T-07: eight processes on one file, four that enqueue and four that would deliver; some are killed, some stopped
for a while. Afterwards everything that was committed has arrived, and nothing else.

    crowd.py --seconds 60 [--seed 7] [--no-faults]
"""

import argparse
import os
import signal
import subprocess
import time

import common

PRODUCERS = DISPATCHERS = 4


class Crowd:
    def __init__(self, folder, url):
        self.database = folder.file("app.db")
        self.ledger = folder.file("ledger")
        self.url = url
        self.number = 0
        self.processes = {}  # of a role and a place: the process
        self.errors = []

    def start(self, role, place):
        self.number += 1
        if role == "enqueue":
            words = ["enqueue", self.database, self.ledger, f"p{self.number}", "400"]
        else:
            words = ["run", self.database, self.url]
        self.processes[role, place] = subprocess.Popen([common.HOST, *words], stdout=subprocess.DEVNULL,
                                                       stderr=subprocess.PIPE, text=True)

    def replace_ended(self):
        for (role, place), process in list(self.processes.items()):
            code = process.poll()
            if code is None:
                continue
            if code not in (0, -signal.SIGKILL):
                self.errors.append(f"{role} ended with {code}: {process.stderr.read().strip()}")
            process.stderr.close()
            self.start(role, place)

    def end(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
            process.stderr.close()


def torment(crowd, seconds, random, with_faults):
    kills = 0
    stopped = []
    until = time.monotonic() + seconds
    while time.monotonic() < until and len(crowd.errors) < 10:
        time.sleep(random.uniform(0.01, 0.1))
        crowd.replace_ended()
        if not with_faults:
            continue
        process = random.choice(list(crowd.processes.values()))
        if process.poll() is None:
            if random.random() < 0.5:
                process.kill()
                process.wait()
                kills += 1
            else:
                process.send_signal(signal.SIGSTOP)
                stopped.append((time.monotonic() + random.uniform(0.01, 0.6), process))
        for entry in [entry for entry in stopped if entry[0] < time.monotonic()]:
            stopped.remove(entry)
            if entry[1].poll() is None:
                entry[1].send_signal(signal.SIGCONT)
    return kills


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--no-faults", action="store_true")
    arguments = parser.parse_args()
    seed, random = common.seed_and_random(arguments)
    with common.Folder() as folder:
        receiver = common.Receiver(folder.file("received"))
        crowd = Crowd(folder, receiver.url)
        subprocess.run([common.HOST, "migrate", crowd.database], check=True)
        for place in range(PRODUCERS):
            crowd.start("enqueue", place)
        for place in range(DISPATCHERS):
            crowd.start("run", place)
        kills = torment(crowd, arguments.seconds, random, not arguments.no_faults)
        crowd.end()
        kills += DISPATCHERS  # `end` is one more for each
        settler = common.Settler(receiver.url, "400", "1000")
        settled = settler.settle(crowd.database)
        settler.close()
        bodies = receiver.received()
        failures = crowd.errors + common.judge(crowd.database, common.read_ledger(crowd.ledger), bodies, settled,
                                               kills * common.BATCH)
        receiver.close()
    duplicates = sum(len(lines) - 1 for lines in bodies.values())
    common.finish(len(bodies), failures, seed, f"note=events,_{kills}_kills,_{duplicates}_duplicates")


if __name__ == "__main__":
    main()
