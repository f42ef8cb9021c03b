"""T-10: the clock jumps, by a second or by ten years, forwards and backwards, while `outbox run` delivers and an app
enqueues. Both live under Debian's faketime and read the same clock; the endpoint answers 503 now and then, so that
the clock jumps during a wait too.

    clocks.py --count 10000 [--seed 7]

Everything arrives soon after each jump: no wait may last longer because the clock says another year."""

import argparse
import contextlib
import os
import signal
import subprocess
import time

import common

FAKETIME = next((path for path in (f"/usr/lib/{machine}-linux-gnu/faketime/libfaketimeMT.so.1"
                                   for machine in (os.uname().machine, "i386")) if os.path.exists(path)), None)
SECONDS_MAX = 60  # an endpoint that fails four times in a row is asked again after 15 s; the machine may be busy
YEAR = 365 * 86400
JUMPS = [1, 30, 3600, 86400, 30 * 86400, YEAR, 10 * YEAR]
END_OF_32_BITS = 2**31


class Clock:
    """What faketime reads at each call: seconds to add to the machine's clock. Only the calendar's clock jumps; the
    one that counts from the start of the machine cannot."""

    def __init__(self, path, random):
        self.path, self.random = path, random
        self.offset = 0
        self.jumps = 0
        self.farthest = 0
        self.write()
        self.environment = {**os.environ, "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": path,
                            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
                            "OUTBOX_TOKEN": "canary-t0ken"}

    def write(self):
        with open(f"{self.path}.new", "w") as file:
            file.write(f"{self.offset:+d}\n")
        os.rename(f"{self.path}.new", self.path)

    def jump(self):
        before = self.offset
        if self.random.random() < 0.05:
            self.offset = END_OF_32_BITS - int(time.time()) - self.random.randint(0, 2)
        else:
            self.offset += self.random.choice(JUMPS) * self.random.choice([-1, 1])
        self.offset = max(-10 * YEAR, min(self.offset, 12 * YEAR))
        self.jumps += 1
        self.farthest = max(self.farthest, abs(self.offset - before))
        self.write()


class Dispatcher:
    def __init__(self, folder, database, url, clock):
        self.words = [common.CLI, "run", "--db", database, "--url", url]
        self.clock = clock
        self.log = folder.file("run.log")
        self.start()

    def start(self):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.words, env=self.clock.environment, stdout=log, stderr=log)

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait()
        for left in (f"faketime_shm_{self.process.pid}", f"sem.faketime_sem_{self.process.pid}"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"/dev/shm/{left}")  # a killed process leaves faketime's


def wait_for(condition, clock):
    """The clock jumps on during a wait, for a second."""
    begin = time.monotonic()
    next_jump = begin + 0.1
    while not condition():
        now = time.monotonic()
        if now - begin > SECONDS_MAX:
            return None
        if next_jump < now < begin + 1:
            clock.jump()
            next_jump = now + clock.random.uniform(0.05, 0.4)
        time.sleep(0.002)
    return time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    if FAKETIME is None:
        common.skip("faketime is not installed")
    seed, random = common.seed_and_random(arguments)
    failures, longest, bodies, restarts = [], 0.0, {}, 0
    with common.Folder() as folder:
        database, ledger = folder.file("app.db"), folder.file("ledger")
        receiver = common.Receiver(folder.file("received"), "--status", "503", "--rate", "0.05")
        subprocess.run([common.HOST, "migrate", database], check=True)
        clock = Clock(folder.file("clock"), random)
        dispatcher = Dispatcher(folder, database, receiver.url, clock)

        def all_arrived():
            for user, lines in receiver.received().items():
                bodies.setdefault(user, []).extend(lines)
            return common.read_ledger(ledger)["ok"] <= set(bodies)

        while clock.jumps < arguments.count and not failures:
            clock.jump()
            subprocess.run([common.HOST, "enqueue", database, ledger, f"c{clock.jumps}", "2"], check=True,
                           env=clock.environment)
            if random.random() < 0.5:
                clock.jump()  # while it delivers
            if random.random() < 0.02:  # a start in another year
                dispatcher.end(random.choice([signal.SIGKILL, signal.SIGTERM]))
                clock.jump()
                dispatcher.start()
                restarts += 1
            took = wait_for(all_arrived, clock)
            if dispatcher.process.poll() is not None:
                failures.append(f"jump {clock.jumps}: outbox run ended with {dispatcher.process.returncode}")
            if took is None:
                failures.append(f"jump {clock.jumps} to {clock.offset:+d} s: not delivered after {SECONDS_MAX} s")
            longest = max(longest, took or SECONDS_MAX)
        dispatcher.end(signal.SIGTERM)
        if failures:
            with open(dispatcher.log, errors="replace") as log:
                print(log.read()[-2000:])
        settler = common.Settler(receiver.url)
        settled = settler.settle(database)
        settler.close()
        all_arrived()
        failures += common.judge(database, common.read_ledger(ledger), bodies, settled,
                                 restarts * common.BATCH * 10)
        receiver.close()
    common.finish(clock.jumps, failures, seed, f"note=of_up_to_{clock.farthest // YEAR}_years,_longest_wait_"
                  f"{longest:.1f}_s,_{len(bodies)}_events")


if __name__ == "__main__":
    main()
