"""The examples of tools/examples/small, run as their readers would, each against the stand-in of the Track API."""

import configparser
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tools" / "cli"))
from support import CLI, CliTest, Endpoint, eventually, stop  # noqa: E402

EXAMPLES = pathlib.Path(__file__).parents[2] / "tools" / "examples" / "small"
UNIT = pathlib.Path(__file__).parents[2] / "tools" / "outbox" / "outbox@.service"
BUILT = pathlib.Path(os.environ["OUTBOX_EXAMPLES"])


class Example(CliTest):
    def run_example(self, *command, **more):
        done = subprocess.run([str(word) for word in command], text=True, capture_output=True, **more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def delivered(self):
        """The names of the delivered events."""
        events = self.run_cli("list", "--state", "delivered", "--json").lines()  # exit 3: none yet
        return [event["event_name"] for event in events]

    def page(self, url, *wanted):
        """What the app serves, as soon as all that is wanted is in it: database and process are read in turn."""
        end = time.monotonic() + 60
        while True:
            with urllib.request.urlopen(url, timeout=60) as answer:
                kind, page = answer.headers["Content-Type"], answer.read().decode()
            if all(line in page for line in wanted) or time.monotonic() > end:
                return kind, page
            time.sleep(0.05)

    def test_raw_c_api(self):
        self.run_example(BUILT / "example_raw_c_api", self.db, self.endpoint().url)
        self.assertEqual(self.delivered(), ["invite_sent"])

    def test_own_wrapper(self):
        self.run_example(BUILT / "example_own_wrapper", self.db, self.endpoint().url)
        self.assertEqual(self.delivered(), ["signed_up"])

    def test_cron_delivers_what_a_python_producer_left(self):
        self.cli("migrate")
        for user in ("u1", "u2"):
            self.run_example(sys.executable, EXAMPLES / "producer.py", self.db, user)
        out = self.run_example(BUILT / "example_cron", self.db, self.endpoint().url)
        self.assertEqual(out, "2 delivered, 0 left\n")
        self.assertEqual(self.delivered(), ["signed_up", "signed_up"])

    def test_cron_says_what_is_left(self):
        self.cli("migrate")
        self.run_example(sys.executable, EXAMPLES / "producer.py", self.db, "u1")
        server = Endpoint()
        server.end()  # nobody listens there any more
        done = subprocess.run([BUILT / "example_cron", self.db, server.url, "1"], text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"^0 delivered, 1 left: .+\n$")

    def test_the_systemd_unit_is_a_dispatcher_beside_an_app(self):
        unit = configparser.ConfigParser(interpolation=None, strict=False)
        unit.optionxform = str
        unit.read(UNIT)
        service = unit["Service"]
        server = self.endpoint()
        self.cli("migrate")
        # The file of /etc/outbox, with the paths of this test; the program is the one that was built.
        (self.folder / "app.toml").write_text(f'db = "{self.db}"\n[track]\nurl = "{server.url}"\n'
                                             "new = true\n")
        program, *arguments = service["ExecStart"].replace("/etc/outbox/%i", f"{self.folder}/app").split()
        self.assertEqual(program, "/usr/bin/outbox")
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(told.close)
        told.bind(str(self.folder / "notify"))
        told.settimeout(60)
        environment = self.environment(NOTIFY_SOCKET=str(self.folder / "notify"), WATCHDOG_USEC="200000")
        del environment["OUTBOX_URL"]
        process = self.start(*arguments, environment=environment)
        self.assertEqual(service["Type"], "notify")
        self.assertTrue(told.recv(1000).startswith(b"READY=1\n"))
        self.run_example(sys.executable, EXAMPLES / "producer.py", self.db, "u1")
        eventually(lambda: self.delivered() == ["signed_up"], "delivered")
        while b"WATCHDOG=1" not in told.recv(1000):  # the time-out of the socket ends it
            pass
        self.assertEqual(stop(process).code, 0)

        # What ends it for good: a person is needed, and systemd does not try again.
        kept_down = [int(code) for code in service["RestartPreventExitStatus"].split()]
        self.assertEqual(kept_down, [2, 4, 6])
        self.cli("run", "--config", self.folder / "none.toml", code=kept_down[0])

    def test_systemd_accepts_the_unit(self):
        analyze = shutil.which("systemd-analyze")
        if not analyze:
            self.skipTest("no systemd-analyze: Debian's systemd")
        instance = self.folder / "outbox@app.service"
        text = UNIT.read_text().replace("/usr/bin/outbox", CLI)
        instance.write_text(text.replace("Documentation=man:outbox(1)\n", ""))  # it is not installed here
        done = subprocess.run([analyze, "verify", instance], text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_spdlog_tells_what_the_dispatcher_did(self):
        if not (BUILT / "example_spdlog_observer").exists():
            self.skipTest("no spdlog: Debian's libspdlog-dev")
        self.cli("migrate")
        self.run_example(sys.executable, EXAMPLES / "producer.py", self.db, "u1")
        out = self.run_example(BUILT / "example_spdlog_observer", self.db, self.endpoint().url)
        self.assertRegex(out, r"\[app\] \[debug\] outbox track request: delivered\n")

        self.run_example(sys.executable, EXAMPLES / "producer.py", self.db, "u2")
        server = Endpoint()
        server.end()  # nobody listens there any more
        done = subprocess.run([BUILT / "example_spdlog_observer", self.db, server.url], text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"\[app\] \[warning\] outbox track request: could not connect")
        self.assertRegex(done.stdout, r"\[app\] \[warning\] outbox track hold: ")

    def test_a_metrics_page_of_the_app_has_the_outbox_too(self):
        self.cli("migrate")
        self.run_example(sys.executable, EXAMPLES / "producer.py", self.db, "u1")
        app = subprocess.Popen([BUILT / "example_metrics_endpoint", self.db, self.endpoint().url],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            url = app.stdout.readline().strip()
            lag = '\noutbox_delivery_lag_seconds_count{destination="track"} 1\n'
            delivered = '\noutbox_events_delivered_total{destination="track"} 1\n'
            kind, page = self.page(url, lag, delivered)
            app.communicate("", timeout=60)
        finally:
            app.kill()
            app.wait()
        self.assertEqual(app.returncode, 0)
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        self.assertRegex(page, r"\napp_requests_total \d+\n")
        self.assertIn(delivered, page)
        self.assertIn(lag, page)
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=page, text=True, capture_output=True)
            self.assertNotIn("error", done.stderr)  # it wants help for app_requests_total

    def test_a_trigger_enqueues_for_whoever_inserts(self):
        self.cli("migrate")
        script = (EXAMPLES / "trigger.sql").read_text() + "insert into signups values ('u1', 'pro');"
        self.run_example("sqlite3", self.db, input=script)
        self.cli("drain", "--url", self.endpoint().url)
        self.assertEqual(self.delivered(), ["signed_up"])

    def test_a_producer_in_node(self):
        modules = os.environ.get("OUTBOX_NODE_MODULES", "")
        if not (shutil.which("node") and pathlib.Path(modules, "better-sqlite3").is_dir()):
            self.skipTest("no node, or no better-sqlite3 in OUTBOX_NODE_MODULES")
        self.cli("migrate")
        (self.folder / "node_modules").symlink_to(modules)
        producer = shutil.copy(EXAMPLES / "producer.mjs", self.folder)
        self.run_example("node", producer, self.db, "u1")
        self.cli("drain", "--url", self.endpoint().url)
        self.assertEqual(self.delivered(), ["signed_up"])


if __name__ == "__main__":
    unittest.main()
