"""T-19: a database and its WAL with bytes, pages and lengths changed at random is opened, repaired, delivered from
and looked at. An error is fine; a crash or a hang is not.

    hostile_files.py --count 20000 [--seed 7]
"""

import argparse
import os
import subprocess
import time

import common

SECONDS_MAX = 30
LOOKS = [["status"], ["list", "--json"], ["doctor"], ["export"], ["batches"], ["audit"]]


def mutate(data, random):
    data = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 5, 20])):
        if not data:
            break
        at = random.randrange(len(data))
        kind = random.randrange(6)
        if kind == 0:
            data[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            data[at : at + 4] = random.randbytes(4)
        elif kind == 2:
            del data[at:]
        elif kind == 3:  # one page over another
            page = 4096
            to, source = random.randrange(len(data)) // page * page, random.randrange(len(data)) // page * page
            data[to : to + page] = data[source : source + page]
        elif kind == 4:  # the header of the file, or of a page
            start = random.choice([0, 100, at // 4096 * 4096])
            data[min(start + random.randrange(16), len(data) - 1)] = random.choice([0, 1, 127, 128, 255])
        else:
            data[at : at + 16] = bytes(16)
    return bytes(data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seconds", type=int, default=7000, help="then the count is what it is by then")
    arguments = parser.parse_args()
    seed, random = common.seed_and_random(arguments)
    failures, errors, done = [], 0, 0
    with common.Folder() as folder:
        receiver = common.Receiver(folder.file("received"))
        template, path = folder.file("template"), folder.file("app.db")
        # Killed, so that it leaves a WAL behind.
        subprocess.run([common.HOST, "migrate", template], check=True)
        subprocess.run([common.HOST, "enqueue", template, folder.file("ledger"), "h", "12"], check=True)
        subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fdatasync:signal=SIGKILL:when=9",
                        common.HOST, "enqueue", template, folder.file("ledger"), "i", "12"], check=False)
        originals = {}
        for suffix in ["", "-wal"]:
            if os.path.exists(template + suffix):
                with open(template + suffix, "rb") as file:
                    originals[suffix] = file.read()
        settler = common.Settler(receiver.url, "2", "100")
        until = time.monotonic() + arguments.seconds
        for number in range(arguments.count):
            if time.monotonic() > until:
                break
            for suffix in ["", "-wal", "-shm", "-outbox-track.lock"]:
                if os.path.exists(path + suffix):
                    os.unlink(path + suffix)
            which = random.choice(list(originals))
            for suffix, data in originals.items():
                with open(path + suffix, "wb") as file:
                    file.write(mutate(data, random) if suffix == which else data)
            if number % 4 == 0:
                words = random.choice(LOOKS)
                try:
                    looked = subprocess.run([common.CLI, *words, "--db", path], capture_output=True,
                                            timeout=SECONDS_MAX, check=False)
                    if looked.returncode < 0:
                        failures.append(f"mutation {number}: outbox {words[0]} ended by {-looked.returncode}")
                except subprocess.TimeoutExpired:
                    failures.append(f"mutation {number}: outbox {words[0]} hangs")
            settled = settler.settle(path)
            if settled is None:
                failures.append(f"mutation {number}: settle ended with {settler.process.wait()}")
                settler = common.Settler(receiver.url, "2", "100")
            errors += (settled or "").startswith("error=")
            done += 1
        settler.close()
        receiver.close()
    common.finish(done, failures, seed, f"note={errors}_said_an_error")


if __name__ == "__main__":
    main()
