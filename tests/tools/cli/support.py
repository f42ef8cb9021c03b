"""A database that the CLI made, and an endpoint: what the tests of the CLI as a program share."""

import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

CLI = os.environ["OUTBOX_CLI"]
TRACK_SERVER = os.environ["OUTBOX_TRACK_SERVER"]
SCHEMAS = pathlib.Path(__file__).parent / "schemas"

try:
    import jsonschema
except ImportError:  # Debian: python3-jsonschema
    jsonschema = None


def event(user, **more):
    return json.dumps({"event_name": "signed_up", "user_id": user,
                       "timestamp": "2026-11-23T10:00:00Z", **more})


def eventually(condition, what, patience_s=30):
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("not in time: " + what)
        time.sleep(0.01)


class Endpoint:
    """The stand-in of the Track API, in a process of its own."""

    def __init__(self, *misbehaviour):
        self.process = subprocess.Popen([TRACK_SERVER, "--port", "0", *misbehaviour],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[-1]

    def end(self):
        """Returns how many requests it got."""
        self.process.terminate()
        _, log = self.process.communicate()
        return len(log.splitlines())


class Finished:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


class CliTest(unittest.TestCase):
    # Every flag that was given to a command, by all tests of a run.
    used = {}

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="outbox-cli-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.db = str(self.folder / "app.db")
        self.endpoints = []

    # A database as `begin_with` first made it, by how: its bytes and its mode.
    made = {}

    def begin_with(self, make):
        """Makes the database by `make`, once: the other tests get a copy. Not for one that a dispatcher has
        served, which notices that it is a copy."""
        file = pathlib.Path(self.db)
        if make.__qualname__ in CliTest.made:
            bytes_, mode = CliTest.made[make.__qualname__]
            file.write_bytes(bytes_)
            file.chmod(mode)
            return
        make()
        self.assertEqual([path.name for path in self.folder.iterdir()], [file.name])  # and all of it is in there
        CliTest.made[make.__qualname__] = file.read_bytes(), file.stat().st_mode

    def migrate(self):
        self.cli("migrate")

    def endpoint(self, *misbehaviour):
        endpoint = Endpoint(*misbehaviour)
        self.addCleanup(endpoint.end)
        return endpoint

    def environment(self, **more):
        return {"PATH": os.environ["PATH"], "TZ": "UTC", "OUTBOX_TOKEN": "t0ken",
                "OUTBOX_URL": "http://127.0.0.1:1/", **more}

    def note_use(self, arguments):
        words = [argument for argument in arguments if not argument.startswith("-")]
        command = words[0] if words else ""
        flags = {argument.split("=")[0] for argument in arguments if argument.startswith("--")}
        CliTest.used.setdefault(command, set()).update(flags)

    def run_cli(self, *arguments, text=None, environment=None, db=True):
        arguments = [str(argument) for argument in arguments]
        self.note_use(arguments)
        command = [CLI, *arguments] + (["--db", self.db] if db else [])
        done = subprocess.run(command, input=text or "", capture_output=True, text=True, timeout=120,
                              env=environment or self.environment())
        return Finished(done.returncode, done.stdout, done.stderr)

    def cli(self, *arguments, code=0, **more):
        """Runs a command, and expects its exit code."""
        finished = self.run_cli(*arguments, **more)
        self.assertEqual(finished.code, code,
                         f"{arguments}: exit {finished.code}\n{finished.out}\n{finished.err}")
        return finished

    def json(self, schema, *arguments, **more):
        """The lines that `--json` prints, each as the schema says."""
        lines = self.cli(*arguments, "--json", **more).lines()
        for line in lines:
            self.validate(schema, line)
        return lines

    def validate(self, schema, value):
        if jsonschema is None:
            raise unittest.SkipTest("python3-jsonschema is not installed")
        rules = json.loads((SCHEMAS / (schema + ".json")).read_text())
        errors = list(jsonschema.Draft202012Validator(rules).iter_errors(value))
        self.assertEqual([], [f"{error.json_path}: {error.message}" for error in errors], value)

    def sql(self, text, *values):
        connection = sqlite3.connect(self.db, timeout=10, isolation_level=None)
        try:
            return connection.execute(text, values).fetchall()
        finally:
            connection.close()

    def start(self, *arguments, environment=None, pipe=subprocess.PIPE, ready=b"outbox "):
        """A command that goes on; it has printed its first line."""
        arguments = [str(argument) for argument in arguments]
        self.note_use(arguments)
        process = subprocess.Popen([CLI, *arguments, "--db", self.db], stdout=subprocess.PIPE,
                                   stderr=pipe, env=environment or self.environment())

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()

        self.addCleanup(end)
        first = process.stdout.readline()
        self.assertTrue(first.startswith(ready), first)
        return process


def stop(process, number=signal.SIGTERM):
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return Finished(process.returncode, out.decode(), (err or b"").decode())
