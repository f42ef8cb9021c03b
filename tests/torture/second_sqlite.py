"""T-25: other versions of SQLite than the system's: the oldest that outbox supports, a middle one and a new one, as
they are shipped inside of releases of an npm package. Each is built with the defaults of sqlite.org and put before
the system's with LD_LIBRARY_PATH.

    second_sqlite.py            the tests below on each version; then each pair: one writes, one delivers

All schema versions that were ever released are in the tests of storage/sqlite/migrate_test.cpp (there is one)."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile

import common

PACKAGE = "better-sqlite3"
RELEASES = {  # of the package: its SQLite, and what `npm pack` must give
    "7.5.0": ("3.37.2", "c6feb7b1dfa1a985725e6e25fa3a72c55042fb44ded28aa2f7ee7a08ce642d4c"),
    "11.3.0": ("3.46.1", "084d83c773b14073d4825c9daadfc9d241eca065037a01782517e92db24da104"),
    "12.11.1": ("3.53.2", "ebf0ed75a7a59dbcb3b24bbd014ef49d9f15bc328e4adcbf516f2a8fadfa2835"),
}
TESTS = ["storage/*", "guarantees/good_guest_test.cpp", "guarantees/host_state_test.cpp", "guarantees/isolation_test.cpp",
         "guarantees/kinds_test.cpp", "guarantees/times_test.cpp", "guarantees/canary_test.cpp",
         "guarantees/erasure_test.cpp", "dispatch/deliver_once_test.cpp", "dispatch/round_test.cpp",
         "simulation/simulation_test.cpp"]
# Debian's SQLiteCpp asks for column names, outbox for JSON (a default since 3.38), a test for FTS5; the rest is the
# default.
FLAGS = ["-O1", "-shared", "-fPIC", "-DSQLITE_ENABLE_COLUMN_METADATA", "-DSQLITE_ENABLE_JSON1",
         "-DSQLITE_ENABLE_FTS5", "-Wl,-soname,libsqlite3.so.0"]


def build(release):
    """The folder with its libsqlite3.so.0."""
    version, digest = RELEASES[release]
    folder = os.path.abspath(f"build/sqlite/{version}")
    library = f"{folder}/libsqlite3.so.0"
    if os.path.exists(library):
        return folder
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{release}"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)
    archive = f"{folder}/{PACKAGE}-{release}.tgz"
    with open(archive, "rb") as file:
        if hashlib.sha256(file.read()).hexdigest() != digest:
            raise SystemExit(f"{PACKAGE} {release} is not the file that it was")
    with tarfile.open(archive) as tar, open(f"{folder}/sqlite3.c", "wb") as source:
        shutil.copyfileobj(tar.extractfile("package/deps/sqlite3/sqlite3.c"), source)
    os.unlink(archive)
    subprocess.run(["gcc", *FLAGS, f"{folder}/sqlite3.c", "-o", f"{library}.new"], check=True)
    os.rename(f"{library}.new", library)
    return folder


def environment(folder, **more):
    return {**os.environ, **({"LD_LIBRARY_PATH": folder} if folder else {}), **more}


def is_used(folder):
    """Whether the program really gets that library: else the row would prove nothing."""
    listed = subprocess.run(["ldd", f"{common.BUILD}/tests/outbox_tests"], env=environment(folder),
                            capture_output=True, text=True, check=True).stdout
    return f"{folder}/libsqlite3.so.0" in listed


def run_tests(version, folder, scratch):
    files = ",".join(f"*/tests/{name}" for name in TESTS)
    done = subprocess.run([f"{common.BUILD}/tests/outbox_tests", f"--source-file={files}", "--duration=true"],
                          env=environment(folder, TMPDIR=scratch), capture_output=True, text=True, errors="replace",
                          check=False)
    print(f"== SQLite {version}\n{done.stdout[-8000:]}{done.stderr[-2000:]}")
    counts = re.search(r"test cases: *\d+ *\| *(\d+) passed *\| *(\d+) failed", done.stdout)
    if counts is None:
        return 0, [f"SQLite {version}: the tests ended with {done.returncode}"]
    failed = [f"SQLite {version}: {counts[2]} tests fail"] if done.returncode != 0 else []
    return int(counts[1]), failed


def try_pair(folder, receiver, writer, reader, name):
    database, ledger = folder.file(f"{name}.db"), folder.file(f"{name}.ledger")

    def host(sqlite, *words):
        subprocess.run([common.HOST, *words], env=environment(sqlite), check=True, stdout=subprocess.DEVNULL)

    host(writer, "migrate", database)
    host(writer, "enqueue", database, ledger, f"{name}-a", "8")
    host(reader, "migrate", database)
    host(reader, "enqueue", database, ledger, f"{name}-b", "8")
    host(reader, "deliver", database, receiver.url)
    host(writer, "enqueue", database, ledger, f"{name}-c", "8")
    host(writer, "prune", database)
    settler = common.Settler(receiver.url)
    settled = settler.settle(database)
    settler.close()
    return common.judge(database, common.read_ledger(ledger), receiver.received(), settled, 0)


def main():
    if shutil.which("npm") is None:
        common.skip("npm is not installed")
    folders = {version: build(release) for release, (version, _) in RELEASES.items()}
    failures, passed = [], 0
    for version, folder in folders.items():
        if not is_used(folder):
            common.skip("the tests are not linked to a shared SQLite")
        with common.Folder() as scratch:
            os.chmod(scratch.path, 0o711)  # a test asks as another user
            count, failed = run_tests(version, folder, scratch.path)
        passed += count
        failures += failed
    folders["system"] = None
    pairs = 0
    with common.Folder() as folder:
        receiver = common.Receiver(folder.file("received"))
        for writer in folders:
            for reader in folders:
                wrong = try_pair(folder, receiver, folders[writer], folders[reader], f"{writer}-{reader}")
                failures += [f"{writer} writes, {reader} delivers: {text}" for text in wrong]
                pairs += 1
        receiver.close()
    versions = ",_".join(version for version, _ in RELEASES.values())
    common.finish(passed + pairs, failures, "-", f"note=tests_on_{versions},_and_{pairs}_pairs")


if __name__ == "__main__":
    main()
