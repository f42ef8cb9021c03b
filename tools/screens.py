#!/usr/bin/env python3
"""Writes the screens of docs/operations.md: stages incidents against the stand-in of the Track API, runs the CLI
as an operator would, and puts what it printed between the marks of the page.

    tools/screens.py build/release            prints them
    tools/screens.py build/release --write    writes them into docs/operations.md
"""

import json
import os
import pathlib
import pty
import re
import select
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import fcntl
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "operations.md"


def event(user, name="invite_sent"):
    return json.dumps({"event_name": name, "user_id": user, "timestamp": "2026-11-23T10:00:00Z"})


class Stage:
    """A folder with an app's database, and an endpoint that can misbehave."""

    def __init__(self, build):
        self.folder = tempfile.mkdtemp(prefix="outbox-screens-")
        self.bin = str(build / "tools" / "outbox")
        self.server = str(build / "tools" / "track_server" / "track_server")
        self.processes = []
        self.text = ""
        self.run("migrate")

    def close(self):
        for process in self.processes:
            process.kill()
            process.communicate()
        shutil.rmtree(self.folder)

    def endpoint(self, *misbehaviour):
        process = subprocess.Popen([self.server, "--port", "0", *misbehaviour], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.processes.append(process)
        return process, process.stdout.readline().split()[-1]

    def environment(self):
        return {"PATH": f"{self.bin}:{os.environ['PATH']}", "OUTBOX_DB": "app.db", "TZ": "UTC",
                "OUTBOX_TOKEN": "demo-token", "TERM": "xterm"}

    def run(self, *arguments, text=""):
        """Not shown."""
        return subprocess.run(["outbox", *arguments], cwd=self.folder, env=self.environment(),
                              executable=f"{self.bin}/outbox", input=text, capture_output=True,
                              text=True)

    def dispatch(self, url, *arguments):
        process = subprocess.Popen(["outbox", "run", "--url", url, *arguments], cwd=self.folder,
                                   executable=f"{self.bin}/outbox", env=self.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.processes.append(process)
        process.stdout.readline()
        return process

    def sql(self, text):
        connection = sqlite3.connect(f"{self.folder}/app.db", timeout=10, isolation_level=None)
        try:
            return connection.execute(text).fetchall()
        finally:
            connection.close()

    def wait_for(self, sql):
        for _ in range(600):
            if self.sql(sql)[0][0]:
                return
            time.sleep(0.05)
        raise RuntimeError("not in time: " + sql)

    def show(self, *arguments):
        """A command as it is typed, with what it prints."""
        done = self.run(*arguments)
        words = [f"'{word}'" if re.search(r"[^\w./:=-]", word) else word for word in arguments]
        output = (done.out if hasattr(done, "out") else done.stdout) + done.stderr
        self.text += f"$ outbox {' '.join(words)}\n{output}"
        if done.returncode != 0:
            self.text += f"(exit {done.returncode})\n"

    def say(self, text):
        self.text += f"# {text}\n"

    def show_watch(self):
        master, slave = pty.openpty()
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 22, 118, 0, 0))
        process = subprocess.Popen(["outbox", "watch", "--interval", "250ms", "--count", "16"],
                                   executable=f"{self.bin}/outbox", stdin=slave, stdout=slave,
                                   cwd=self.folder, env=self.environment())
        seen = b""
        while process.poll() is None or select.select([master], [], [], 0.1)[0]:
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 65536)
        frame = seen.decode().split("\x1b[H")[-1].split("\x1b[J")[0]
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frame).replace("\r", "")
        self.text += "$ outbox watch\n" + "\n".join(line.rstrip() for line in plain.split("\n"))
        self.text = self.text.rstrip() + "\n"


def screen_help(stage):
    stage.show("--help")


def screen_status(stage):
    _, url = stage.endpoint("--status", "422", "--only-with", "no-such-user")
    stage.run("enqueue", text="".join(event(f"user-{i}") for i in range(40)) + event("no-such-user"))
    stage.run("drain", "--url", url)
    _, failing = stage.endpoint("--status", "503")
    stage.run("enqueue", text="".join(event(f"user-{i}") for i in range(12)))
    stage.dispatch(failing)
    stage.wait_for("select hold_tries > 1 from outbox_destinations")
    stage.show("status", "--utc")


def screen_explain(stage):
    screen_status(stage)
    stage.text = ""
    stage.show("explain", "45")
    stage.show("explain", "41")
    stage.show("explain", "1")


def screen_watch(stage):
    _, url = stage.endpoint("--latency-ms", "20")
    stage.dispatch(url)
    feeder = subprocess.Popen(
        ["sh", "-c", f"while :; do printf '%s' '{event('user-1') * 40}' | outbox enqueue >/dev/null;"
         " sleep 0.1; done"], cwd=stage.folder, env=stage.environment(), stderr=subprocess.DEVNULL)
    stage.processes.append(feeder)
    stage.show_watch()


def screen_doctor(stage):
    screen_status(stage)
    stage.text = ""
    stage.sql("delete from outbox_queue where event = 50")
    stage.show("doctor")
    stage.show("doctor", "--fix", "--yes")


def incident_down(stage):
    _, failing = stage.endpoint("--status", "503")
    stage.run("enqueue", text=event("user-1") + event("user-2"))
    stage.dispatch(failing)
    stage.wait_for("select hold_tries > 1 from outbox_destinations")
    # As after an hour.
    stage.sql("update outbox_destinations set hold_since_ms = hold_since_ms - 3600000,"
              " hold_tries = 14, hold_until_ms = hold_until_ms + 400000")
    stage.sql("update outbox_queue set enqueued_at_ms = enqueued_at_ms - 3600000")
    stage.show("status", "--utc")
    stage.show("explain", "1")
    stage.say("They say that it works again; the next try is minutes away:")
    stage.show("nudge")


def incident_token(stage):
    token = pathlib.Path(stage.folder) / "thrivestack.token"
    token.write_text("e30.eyJleHAiOjE3MDAwMDAwMDB9.x\n")
    accepted = pathlib.Path(stage.folder) / "accepted"
    accepted.write_text("new-token\n")
    _, url = stage.endpoint("--token-file", str(accepted))
    stage.run("enqueue", text=event("user-1") + event("user-2"))
    stage.dispatch(url, "--token-file", "thrivestack.token")
    stage.wait_for("select hold_kind = 'unauthorized' from outbox_destinations")
    stage.show("explain", "1")
    stage.show("status", "--utc")
    stage.show("doctor", "--token-file", "thrivestack.token")
    stage.say("A new token goes into the file; nothing is restarted:")
    token.write_text("new-token\n")
    stage.wait_for("select not exists (select 1 from outbox_queue)")
    stage.show("explain", "1")


def incident_bad_event(stage):
    _, url = stage.endpoint("--status", "422", "--only-with", "no-such-user")
    stage.run("enqueue", text="".join(event(f"user-{i}") for i in range(30)) + event("no-such-user")
              + "".join(event(f"user-{i}") for i in range(30)))
    stage.dispatch(url)
    stage.wait_for("select count(*) = 1 from outbox_queue where state = 4")
    stage.wait_for("select count(*) = 1 from outbox_queue")
    stage.show("status", "--utc")
    stage.show("list", "--state", "dead", "--utc")
    stage.show("show", "31", "--utc")
    stage.say("The endpoint knows that user by now, or the event is given up:")
    stage.show("discard", "31", "--reason", "no such user", "--yes")


def incident_paused(stage):
    _, url = stage.endpoint()
    stage.dispatch(url)
    stage.run("pause", "--reason", "their maintenance", "--yes")
    stage.run("enqueue", text=event("user-1"))
    stage.show("explain", "1")
    stage.show("audit", "--utc")
    stage.show("resume", "--yes")
    stage.wait_for("select not exists (select 1 from outbox_queue)")
    stage.show("explain", "1")


def incident_typo(stage):
    _, url = stage.endpoint()
    stage.run("enqueue", text=event("user-0"))
    stage.dispatch(url)
    stage.run("enqueue", "--destination", "trak", text=event("user-1"))
    stage.wait_for("select count(*) = 1 from outbox_queue")
    stage.show("explain", "2")
    stage.show("destinations")
    stage.show("move", "--destination", "trak", "--to", "track", "--reason", "typo", "--yes")
    stage.wait_for("select not exists (select 1 from outbox_queue)")
    stage.show("explain", "2")


SCREENS = {name: value for name, value in globals().items()
           if name.startswith(("screen_", "incident_"))}


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    page = PAGE.read_text()
    for name, play in SCREENS.items():
        stage = Stage(build)
        try:
            play(stage)
        finally:
            stage.close()
        text = stage.text.replace(stage.folder + "/", "")
        mark = f"<!-- {name} -->"
        block = f"{mark}\n```\n{text}```\n"
        pattern = re.escape(mark) + r"\n(```\n.*?```\n)?"
        if not re.search(pattern, page, re.S):
            raise SystemExit(f"{PAGE.name} has no mark {mark}")
        page = re.sub(pattern, lambda _: block, page, count=1, flags=re.S)
        if "--write" not in sys.argv:
            print(block)
    if "--write" in sys.argv:
        PAGE.write_text(page)


if __name__ == "__main__":
    main()
