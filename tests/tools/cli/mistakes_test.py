"""What people and their scripts get wrong, and must not pay for with their data."""

import json
import os
import pathlib
import shlex
import signal
import sqlite3
import subprocess
import sys
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import CLI, CliTest, Finished, event, eventually, stop  # noqa: E402


def contents(folder):
    """Each file, and what is in it; of the -shm, in which readers write, only which file it is. Read by another
    process: to close a file here would drop the locks of the app's connection."""
    files = [path for path in pathlib.Path(folder).iterdir() if path.is_file()]
    sums = subprocess.run(["sha256sum", *(path for path in files if not path.name.endswith("-shm"))],
                          capture_output=True, text=True, check=True).stdout
    return sorted(sums.splitlines()), {path.name: path.stat().st_ino for path in files}


class Files(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)
        self.cli("enqueue", text=event("u1"))
        self.app = sqlite3.connect(self.db)  # keeps the -wal and -shm there
        self.addCleanup(self.app.close)
        self.app.execute("select count(*) from outbox_events").fetchall()

    def writers(self, target):
        return ((["export", "--all", "--output", target], 2), (["check", "--textfile", target], 3),
                (["run", "--metrics-file", target, "--timeout", "1ms"], 2))

    def test_an_output_never_replaces_a_database(self):
        other, link, hard = (self.folder / name for name in ("other.db", "link", "hard"))
        sqlite3.connect(other).execute("create table own (x)")
        link.symlink_to(self.db)
        os.link(self.db, hard)
        (self.folder / "app.db-outbox-track.lock").touch()
        before = contents(self.folder)
        for target in (self.db, self.db + "-wal", self.db + "-shm", self.db + "-journal", link, hard, other,
                       self.folder / "." / "app.db", self.folder / "app.db-outbox-track.lock"):
            for command, code in self.writers(target):
                with self.subTest(command=command):
                    refused = self.cli(*command, code=code)
                    self.assertIn("would destroy: name another file", refused.out + refused.err)
                    self.assertEqual(contents(self.folder), before)
        for command, _ in self.writers(self.folder / "out"):
            self.assertNotIn("would destroy", self.run_cli(*command).err)
        self.assertIn("outbox_events", (self.folder / "out").read_text())

    def test_of_a_link_the_files_beside_the_database_are_looked_at(self):
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        link = elsewhere / "link.db"
        link.symlink_to(self.db)
        self.app.execute("create table own (x)")
        self.app.commit()
        self.assertRegex(self.cli("status", "--db", link, db=False).out, r"schema \d+   wal [0-9.]+ KiB\n")
        if os.geteuid() == 0:
            lock = self.db + "-outbox-track.lock"
            pathlib.Path(lock).touch()
            os.chown(lock, 12345, 12345)
            said = self.run_cli("doctor", "--db", link, db=False).out
            self.assertIn(f"{lock} belongs to uid 12345", said)


class Shown(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)

    def properties(self, **properties):
        self.cli("enqueue", text=event("u1", properties=properties))
        (newest,) = self.json("export", "export", "--all", "--limit", "1", "--user", "u1")
        self.sql("delete from outbox_events")
        return newest["payload"]["properties"]

    def test_only_a_text_that_is_one_address_shows_its_domain(self):
        for text, shown in (("amy@achme.com", "a**@achme.com"), ("öl.x@b-c.de", "ö**@b-c.de"), ("a@b", "a**@b"),
                            ("Amy Smith <amy@achme.com> phone 030 1234567", "A**"), ("@amysmith", "@**"),
                            ("amysmith@", "a**"), ("amy @ achme.com", "a**"), ("amy@achme.com\u00a0030 123", "a**"),
                            ("amy@tom@achme.com", "a**"), ("Amy", "A**"), ("", "")):
            with self.subTest(text=text):
                self.assertEqual(self.properties(note=text), {"note": shown})

    def test_keys_that_are_masked_alike_stay_apart(self):
        found = self.properties(**{"amy@achme.com": 1, "ann@achme.com": 2, "abe@achme.com": 3})
        self.assertEqual(found, {"a**@achme.com": 1, "a**@achme.com (2)": 2, "a**@achme.com (3)": 3})

    def test_an_event_with_thousands_of_fields_can_be_looked_at(self):
        for fields in (3000, 10001):
            self.cli("enqueue", text=event("u1", properties={f"a{i}@achme.com": 1 for i in range(fields)}))
        self.assertIn("a**@achme.com (3000)", self.cli("show", "1").out)
        self.assertIn("bytes, too many fields", self.cli("show", "2").out)
        self.assertIn("a77@achme.com", self.cli("show", "2", "--reveal").out)

    def test_a_byte_that_is_no_utf8_never_reaches_the_terminal(self):
        self.cli("enqueue", text=event("u1"))
        for bytes_, shown in ((b"\x9b31m", r"\x9B31m"), (b"\xc3", r"\xC3"), (b"\xe2\x82", r"\xE2\x82"),
                              (b"\xc0\x9b", r"\xC0\x9B"), (b"\xed\xa0\x80", r"\xED\xA0\x80"),
                              (b"\xf5\x80\x80\x80", r"\xF5\x80\x80\x80"), ("ö€😀".encode(), "ö€😀")):
            self.sql("update outbox_queue set state = 4, due_at_ms = 0, settled_at_ms = 5, last_error = cast(? as text)",
                     b"refused: " + bytes_)
            self.assertIn("refused: " + shown, self.cli("show", "1").out)


class Suspects(CliTest):
    """All that is left was refused alone once: nothing but these asks the endpoint."""

    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)
        self.cli("enqueue", text=event("u1"))
        self.good = self.endpoint()
        self.cli("drain", "--url", self.good.url)
        self.cli("enqueue", text=event("u2") + event("u3"))
        self.sql("update outbox_queue set state = 3, due_at_ms = 1, refusals = 1, refused_in = 1, suspected_at_ms = 1")

    def test_check_tells_their_age_beside_due_events_too(self):
        self.sql("update outbox_queue set enqueued_at_ms = enqueued_at_ms - 90000")
        self.cli("enqueue", text=event("u4"))
        told = "the oldest event that was refused or failed alone is 9"  # and some seconds
        self.assertIn(told, self.cli("check", code=2).out)  # and nobody dispatches
        self.assertNotIn(told, self.cli("check", "--warn-age", "1h", "--crit-age", "2h", code=2).out)
        self.assertIn(told, self.cli("check", "--warn-age", "1h", "--crit-age", "1m", code=2).out)
        (status,) = self.json("status", "status")
        self.assertGreaterEqual(status["oldest_retrying_age_ms"], 90000)
        self.assertLess(status["oldest_due_age_ms"], 90000)

    def test_every_view_says_that_they_are_all_there_is(self):
        self.start("run", "--url", self.endpoint("--status", "503").url)
        told = "2 events were refused or failed alone and are tried again:  outbox list --state retrying --destination track"
        self.assertIn("  retry  track: " + told, self.cli("status").out)
        self.assertTrue(self.cli("check", code=1).out.startswith("OUTBOX WARNING - track: " + told))
        report = self.json("doctor", "doctor")[0]
        self.assertIn(("warning", told), [(one["level"], one["text"][:len(told)]) for one in report["findings"]])
        self.assertEqual(report["problems"], 0, report)
        self.cli("enqueue", "--delay", "1h", text=event("u4"))
        self.assertIn(told, self.cli("status").out)

    def test_a_dispatcher_that_cannot_record_does_not_try_now(self):
        self.sql("create trigger full before insert on outbox_requests begin select raise(abort, 'quota'); end")
        self.start("run", "--url", self.good.url, ready=b"outbox dispatches track")
        trouble = "cannot use the database: outbox: record a round: quota"
        eventually(lambda: trouble in self.cli("status").out, "the trouble of the database")
        self.assertIn(trouble, self.cli("nudge", code=3).out)

    def test_nothing_is_said_while_others_are_due(self):
        self.cli("enqueue", text=event("u4"))
        self.assertNotIn("tried again", self.cli("status").out)

    def test_a_drain_that_is_refused_the_credentials_exits_4(self):
        self.cli("drain", "--url", self.endpoint("--status", "401").url, code=4)
        self.sql("update outbox_queue set due_at_ms = 1")
        self.cli("drain", "--url", self.good.url)


class Destinations(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)
        self.cli("enqueue", text=event("u1"))

    def test_what_reads_names_a_destination_that_was_never_used(self):
        for command in (["status"], ["destinations"], ["batches"], ["watch", "--count", "1"], ["tail", "--for", "1ms"],
                        ["serve"], ["check"]):
            with self.subTest(command=command):
                typo = self.cli(*command, "--destination", "trak", code=3)
                self.assertIn("has ever used the destination trak; did you mean track?", typo.out + typo.err)
                self.assertNotIn("--new", typo.out + typo.err)
        (report,) = self.json("doctor", "doctor", "--destination", "trak", code=7)
        self.assertEqual([(one["level"], one["name"]) for one in report["findings"] if "trak" in one["text"]],
                         [("problem", "destination trak")])

    def test_what_changes_a_destination_offers_no_flag_that_it_has_not(self):
        for command in (["resume"], ["nudge"], ["move", "--to", "x"]):
            typo = self.cli(*command, "--destination", "trak", "--yes", code=2)
            self.assertIn("did you mean track?", typo.err)
            self.assertNotIn("--new", typo.err)
        self.assertIn("--new", self.cli("pause", "--destination", "trak", "--yes", code=2).err)

    def test_nothing_is_enqueued_into_a_newer_schema(self):
        self.sql("insert into outbox_migrations values (99, '0099_future', 0, '9')")
        told = self.cli("status", code=6).err
        for flags in ([], ["--dry-run"], ["--create"]):
            self.assertEqual(self.cli("enqueue", *flags, text=event("u2"), code=6).err, told)
        self.assertEqual(self.sql("select count(*) from outbox_events"), [(1,)])


class Interrupts(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)
        self.file = self.folder / "many.ndjson"
        self.file.write_text((event("u1") + "\n") * 400_000)

    def start_enqueue(self, *flags):
        process = subprocess.Popen([CLI, "enqueue", *flags, self.file, "--db", self.db], stderr=subprocess.PIPE,
                                   stdout=subprocess.PIPE, env=self.environment())
        self.addCleanup(lambda: (process.kill(), process.communicate()))
        return process

    def count(self):
        return self.sql("select count(*) from outbox_events")[0][0]

    def test_of_all_or_nothing_nothing_is_left(self):
        process = self.start_enqueue()
        self.assertIn(b"more than 10,000 events", process.stderr.readline())
        stopped = stop(process, signal.SIGINT)
        self.assertEqual((stopped.code, stopped.err), (130, "\noutbox: interrupted: nothing was enqueued\n"))
        self.assertEqual(self.count(), 0)

    def test_of_chunks_those_that_were_committed_are_told(self):
        process = self.start_enqueue("--chunk-events", "1000")
        eventually(lambda: self.count() > 0, "the first chunk")
        stopped = stop(process, signal.SIGINT)
        self.assertEqual((stopped.code, stopped.err), (130, f"\noutbox: interrupted: {self.count():,} enqueued\n"))
        self.assertLess(self.count(), 400_000)


class ConfigFiles(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)

    def run_with(self, text, code):
        config = self.folder / "outbox.toml"
        config.write_text(text)
        return self.cli("run", "--dry-run", "--config", config, code=code)

    def test_an_option_that_stands_there_twice_is_refused(self):
        for text, told in (('[track]\nurl = "http://127.0.0.1:1/"\nurl = "http://127.0.0.1:2/"\n',
                            "[track]: --url: takes one value, and has several"),
                           ('[track]\nauth = ["bearer", "none"]\n', "[track]: --auth: takes one value, and has several"),
                           ('grace = "1s"\ngrace = "2s"\n', "--grace: takes one value, and has several")):
            with self.subTest(text=text):
                self.assertIn(told, self.run_with(text, 2).err)

    def test_an_option_of_several_values_has_each_of_them(self):
        text = '[track]\nto = "kafka://127.0.0.1:1"\ntopic = "t"\nkafka-setting = ["client.id=x", "no.such=1"]\n'
        self.assertRegex(self.run_with(text, 2).err, "no.such|built without")
        self.assertIn("--kafka-setting: is empty", self.run_with('[track]\nkafka-setting = ["a=b", ""]\n', 2).err)

    def test_a_token_in_the_wrong_place_is_not_shown(self):
        for text, option in (('[track]\nauth = "s3cret"\n', "--auth"), ('[track]\nbatch-events = "s3cret"\n', "--batch-events"),
                             ('[track]\nca-file = "s3cret"\n', "--ca-file"), ('[track]\nnew = "s3cret"\n', "--new"),
                             ('grace = "s3cret"\n', "--grace"), ('[track]\ntoken = "s3cret"\n', "no option --token")):
            with self.subTest(text=text):
                told = self.run_with(text, 2).err
                self.assertIn(option, told)
                self.assertNotIn("s3cret", told)


class Permissions(CliTest):
    def run_as_owner(self, *command):
        """As a user for whom modes count."""
        if os.geteuid() != 0:
            return self.run_cli(*command, text=event("u2"))
        nobody = 65534
        for path in (self.folder, *self.folder.iterdir()):
            os.chown(path, nobody, nobody)
        try:
            done = subprocess.run([CLI, *command, "--db", self.db], input=event("u2"), capture_output=True, text=True,
                                  user=nobody, group=nobody, extra_groups=[], env=self.environment())
        except PermissionError:
            self.skipTest("the program is in a folder of another user")
        return Finished(done.returncode, done.stdout, done.stderr)

    def test_what_may_not_be_written_is_named(self):
        self.cli("migrate")
        self.cli("enqueue", text=event("u1"))
        for path, mode in ((self.db, 0o400), (self.folder, 0o500)):
            before = os.stat(path).st_mode
            os.chmod(path, mode)
            try:
                with self.subTest(path=path):
                    told = f"this user may not write {path}"
                    refused = self.run_as_owner("enqueue")
                    self.assertEqual(refused.code, 1)
                    self.assertTrue(refused.err.startswith("outbox: " + told), refused.err)
                    report = self.run_as_owner("doctor", "--json")
                    self.assertEqual(report.code, 7, report.err)
                    self.assertIn(("files", "problem"), [(one["name"], one["level"]) for one in report.lines()[0]["findings"]
                                                         if one["text"].startswith(told)])
            finally:
                os.chmod(path, before)


class DryRuns(CliTest):
    def test_a_dedupe_key_that_is_taken_is_seen(self):
        self.cli("migrate")
        self.cli("enqueue", "--dedupe-key", "k", text=event("u1"))
        dry = ["enqueue", "--dry-run", "--dedupe-key"]
        self.assertEqual(self.cli(*dry, "k", text=event("u2")).out, "would enqueue 0 events: event 1 has this dedupe key\n")
        self.assertEqual(self.json("enqueue", *dry, "k", text=event("u2"))[0]["would_enqueue"], 0)
        self.assertEqual(self.cli(*dry, "other", text=event("u2")).out, "would enqueue 1 event\n")
        self.assertEqual(self.cli(*dry, "k", "--destination", "crm", text=event("u2")).out, "would enqueue 1 event\n")


class Replaced(CliTest):
    """Another file is put into the place of the database, as a restore does."""

    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)
        self.cli("enqueue", text=event("u1") + event("u2"))
        self.other = self.folder / "other" / "app.db"
        self.other.parent.mkdir()
        self.cli("migrate", "--db", self.other, db=False)
        self.cli("enqueue", "--db", self.other, db=False, text=event("u3") * 7)

    def replace(self):
        os.rename(self.other, self.db)

    def test_watch_shows_the_file_that_is_there(self):
        process = self.start("watch", "--json", "--interval", "50ms", ready=b'{"time"')
        self.replace()
        eventually(lambda: json.loads(process.stdout.readline())["status"]["pending"] == 7, "the other file is seen", 10)

    def test_tail_follows_the_file_that_is_there(self):
        self.sql("insert into outbox_events (payload) values ('{}')")
        endpoint = self.endpoint()
        self.cli("drain", "--url", endpoint.url, code=7)
        process = self.start("tail", "--json", "--lines", "1", "--interval", "20ms", ready=b'{"type":"request"')
        self.replace()
        self.assertIn(b"another file is in the place of", process.stderr.readline())
        self.cli("drain", "--url", endpoint.url)
        line = json.loads(process.stdout.readline())
        self.assertEqual((line["type"], line["events"]), ("request", 7))

    def test_the_page_shows_the_file_that_is_there(self):
        process = subprocess.Popen([CLI, "serve", "--db", self.db], stdout=subprocess.PIPE, env=self.environment())
        self.addCleanup(lambda: (process.kill(), process.communicate()))
        place, _, token = process.stdout.readline().decode().split()[-1].partition("/#t=")
        stream = urllib.request.urlopen(urllib.request.Request(place + "/api/v1/stream", headers={
            "Authorization": f"Bearer {token}"}), timeout=20)
        self.addCleanup(stream.close)
        eventually(lambda: b'"pending":2' in stream.readline(), "the first file is seen", 10)
        self.replace()
        eventually(lambda: b'"pending":7' in stream.readline(), "the other file is seen", 10)


class Hangups(CliTest):
    def test_a_page_whose_terminal_goes_leaves_no_file_with_its_password(self):
        self.cli("migrate")
        temporary = self.folder / "tmp"
        temporary.mkdir()
        self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_DFL))  # below nohup too
        for number in (signal.SIGHUP, signal.SIGTERM):
            process = self.start("serve", "--open", environment=self.environment(TMPDIR=str(temporary)))
            eventually(lambda: list(temporary.iterdir()), "the file for the browser")
            self.assertEqual(stop(process, number).code, 0)
            self.assertEqual(list(temporary.iterdir()), [])


class Words(CliTest):
    def setUp(self):
        super().setUp()
        self.db = str(self.folder / "an app's.db")
        self.cli("migrate")
        self.cli("enqueue", text=event("u1"))

    def test_a_command_to_paste_has_its_path_quoted(self):
        quoted = shlex.quote(self.db).replace("'\"'\"'", "'\\''")
        os.chmod(self.db, 0o644)
        self.assertNotIn("chmod o-r", self.run_cli("doctor").out)  # nobody comes through the folder
        self.folder.chmod(0o755)
        self.assertIn(f"chmod o-r {quoted}\n", self.run_cli("doctor").out)
        if os.geteuid() == 0:
            pathlib.Path(self.db + "-outbox-track.lock").touch()
            os.chown(self.db + "-outbox-track.lock", 12345, 12345)
            self.assertIn(f"chown 0 {quoted[:-1]}-outbox-track.lock'\n", self.run_cli("doctor").out)
        self.sql("pragma journal_mode = delete")
        self.assertIn(f"sqlite3 {quoted} 'PRAGMA", self.cli("migrate").err)

    def test_a_check_has_one_bar_and_ends_with_3_when_it_cannot_be_read(self):
        self.sql("update outbox_queue set state = 0")
        self.sql("insert into outbox_destinations (name, first_served_at_ms, hold_kind, hold_reason, hold_since_ms,"
                 " hold_until_ms) values ('track', 1, 'unauthorized', 'HTTP 401: a|b', 1, 1)")
        self.assertEqual(self.cli("check", code=2).out.count("|"), 1)
        self.assertIn("HTTP 401: a/b", self.cli("check", code=2).out)
        missing = self.cli("check", "--db", self.folder / "a|b.db", db=False, code=3)
        self.assertNotIn("|", missing.out)
        with open("/dev/full", "w") as full:
            for command, code in (["check"], 3), (["status"], 1), (["status", "--help"], 1):
                done = subprocess.run([CLI, *command, "--db", self.db], stdout=full, stderr=subprocess.DEVNULL)
                self.assertEqual(done.returncode, code, command)
            # A script must not do again what was done.
            done = subprocess.run([CLI, "pause", "--yes", "--db", self.db], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stderr),
                         (1, b"outbox: done, but the result could not be written to standard output\n"))

    def test_a_wrong_value_is_told_in_short_and_with_its_own_flag(self):
        for flag in ("--warn-dead", "--crit-dead", "--warn-pending", "--crit-pending"):
            refused = self.cli("check", flag, "-1", code=3).err
            self.assertIn(flag, refused)
            self.assertLess(len(refused), 200)
        self.assertIn("--to: not a URL", self.cli("drain", "--to", "https://", code=2).err)
        for to in ("nats://", "kafka://"):
            self.assertIn("--to: ", self.cli("drain", "--to", to, code=2).err)

    def test_a_dry_run_of_run_is_json_when_asked_for(self):
        self.assertEqual(self.json("run_dry", "run", "--dry-run"), [{"destination": "track", "due": 1, "dry_run": True}])

    def test_nothing_is_erased_without_consent_though_nothing_was_found(self):
        self.assertIn("give --yes", self.cli("erase", "--user", "nobody", code=2).err)
        self.cli("erase", "--user", "nobody", "--yes", code=3)


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
