"""What the CLI does on a terminal: questions, progress, watch, Ctrl-C. In a pseudo-terminal."""

import fcntl
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import CLI, CliTest, event, eventually  # noqa: E402

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Screen:
    """A command with a terminal of its own."""

    def __init__(self, arguments, environment, rows=30, columns=120):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen([CLI, *arguments], stdin=slave, stdout=slave, stderr=slave,
                                        env={"TERM": "xterm", **environment}, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.slave = slave
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, wait_s=0.05):
        while select.select([self.master], [], [], wait_s)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            self.seen += data
            wait_s = 0.01

    def expect(self, text, patience_s=30):
        deadline = time.monotonic() + patience_s
        while text.encode() not in self.seen:
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} is not in {self.seen!r}")
            self.read()

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self, patience_s=30):
        """The exit code."""
        deadline = time.monotonic() + patience_s
        while self.process.poll() is None:
            self.read()
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"does not end: {self.seen!r}")
        self.read()
        return self.process.returncode

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class OnTerminal(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)
        self.cli("enqueue", text=event("u1") + event("u2"))

    def screen(self, *arguments, **size):
        screen = Screen([*map(str, arguments), "--db", self.db], self.environment(), **size)
        self.addCleanup(screen.close)
        return screen

    def test_a_change_asks_and_yes_does_it(self):
        screen = self.screen("discard", "--all", "--reason", "x")
        screen.expect("discard 2 events? [y/N]")
        screen.type("n\n")
        self.assertEqual(screen.end(), 1)
        self.assertIn(b"nothing was changed", screen.seen)
        self.assertEqual(self.sql("select count(*) from outbox_queue where state = 5"), [(0,)])

        screen = self.screen("discard", "--all", "--reason", "x")
        screen.expect("[y/N]")
        screen.type("y\n")
        self.assertEqual(screen.end(), 0)
        self.assertEqual(self.sql("select count(*) from outbox_queue where state = 5"), [(2,)])

    def test_a_long_change_shows_how_far_it_is_and_ctrl_c_says_how_far_it_got(self):
        many = 60_000
        self.cli("enqueue", text=event("u") * many)
        self.sql("update outbox_queue set state = 4, settled_at_ms = 1, last_error = 'x'")
        screen = self.screen("retry", "--state", "dead", "--yes")
        screen.expect(" left")
        self.assertIn(b"[#", screen.seen.replace(b"[.", b"[#"))
        screen.type("\x03")
        self.assertEqual(screen.end(), 130)
        self.assertRegex(screen.seen.decode(), r"interrupted: [0-9,]+ of 60,002 retried")
        retried = self.sql("select count(*) from outbox_queue where state = 0")[0][0]
        self.assertGreater(retried, 0)
        self.assertEqual(self.sql("select events from outbox_audit"), [(retried,)])
        self.assertIn("✓ counters", self.cli("doctor", code=7).out)  # nobody dispatches

    def test_drain_shows_progress(self):
        slow = self.endpoint("--latency-ms", "200")
        self.cli("enqueue", text=event("u") * 30)
        screen = self.screen("drain", "--url", slow.url, "--batch-events", "4")
        screen.expect(" of 32 delivered")
        self.assertEqual(screen.end(), 0)
        self.assertIn(b"32 delivered, 0 dead, 0 remaining", screen.seen)

    def test_a_copy_is_sent_after_a_question(self):
        endpoint = self.endpoint()
        self.cli("drain", "--url", endpoint.url)
        self.cli("enqueue", text=event("u3"))
        self.sql("update outbox_destinations set database_identity = 'another'")
        screen = self.screen("drain", "--url", endpoint.url, "--yes")
        screen.expect("Send them? [y/N]")
        screen.type("\n")
        self.assertEqual(screen.end(), 1)
        screen = self.screen("drain", "--url", endpoint.url)
        screen.expect("Send them? [y/N]")
        screen.type("y\n")
        self.assertEqual(screen.end(), 0)
        self.assertEqual(endpoint.end(), 2)

    def test_tail_is_for_people_on_a_terminal(self):
        endpoint = self.endpoint()
        self.cli("drain", "--url", endpoint.url)
        screen = self.screen("tail", "--for", "1ms")
        self.assertEqual(screen.end(), 0)
        self.assertRegex(screen.seen.decode(), r"track  2 events 1 to 2  200  \d+ ms  delivered")

    def test_watch_takes_the_screen_and_gives_it_back(self):
        for leave in ("q", "\x03", "term"):
            screen = self.screen("watch", "--interval", "100ms")
            screen.expect("oldest due")
            screen.expect("never served")
            self.assertTrue(screen.seen.startswith(ENTER))
            self.cli("enqueue", "--destination", "crm", text=event("u"))
            screen.expect("crm")
            screen.process.send_signal(signal.SIGTERM) if leave == "term" else screen.type(leave)
            code = screen.end()
            self.assertEqual(code, {"q": 0, "\x03": 130, "term": 128 + signal.SIGTERM}[leave])
            self.assertTrue(screen.seen.rstrip().endswith(LEAVE), screen.seen[-80:])
            self.assertIn(b"\x1b[?25h", screen.seen)  # the cursor
            self.assertTrue(screen.is_as_before())
            self.sql("delete from outbox_queue where destination = 'crm'")

    def test_watch_fits_a_small_and_a_resized_screen(self):
        screen = self.screen("watch", "--interval", "50ms", rows=8, columns=30)
        screen.expect("oldest due")
        screen.read(0.3)
        for frame in screen.seen.split(b"\x1b[H")[1:-1]:
            lines = frame.split(b"\r\n")
            self.assertLessEqual(len(lines), 8)
        screen.resize(30, 160)
        screen.process.send_signal(signal.SIGWINCH)
        screen.expect("dispatcher")
        screen.type("q")
        self.assertEqual(screen.end(), 0)

    def test_watch_does_not_clear_before_it_draws(self):
        screen = self.screen("watch", "--interval", "50ms", "--count", "5")
        self.assertEqual(screen.end(), 0)
        self.assertNotIn(b"\x1b[2J", screen.seen)

    def test_colour_only_where_it_is_wanted(self):
        yellow = b"\x1b[1;33m"
        self.assertEqual(self.run_screen("status").count(yellow), 1)
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn(b"\x1b", self.run_screen("status", **environment))
        self.assertNotIn(b"\x1b", self.run_screen("status", "--no-color"))
        self.assertNotIn("\x1b", self.cli("status").out)

    def run_screen(self, *arguments, **environment):
        screen = Screen([*arguments, "--db", self.db], self.environment(**environment))
        self.addCleanup(screen.close)
        self.assertEqual(screen.end(), 0)
        return screen.seen


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
