"""The examples of tools/examples/small, run as their readers would, each against the stand-in of the Track API."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tools" / "cli"))
from support import CliTest, Endpoint  # noqa: E402

EXAMPLES = pathlib.Path(__file__).parents[2] / "tools" / "examples" / "small"
BUILT = pathlib.Path(os.environ["OUTBOX_EXAMPLES"])


class Example(CliTest):
    def run_example(self, *command, **more):
        done = subprocess.run([str(word) for word in command], text=True, capture_output=True, **more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def delivered(self):
        """The names of the delivered events."""
        events = self.cli("list", "--state", "delivered", "--json").lines()
        return [event["event_name"] for event in events]

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
