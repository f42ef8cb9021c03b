"""Every command, flag and exit code of the CLI, as a program against a real file. What `--json` prints is
validated against the schemas beside this file."""

import base64
import csv
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import CLI, CliTest, event, eventually, stop  # noqa: E402


def dead_event(test, id_):
    test.sql("update outbox_queue set state = 4, due_at_ms = 0, settled_at_ms = 5,"
             " last_error = 'refused: HTTP 400' where event = ?", id_)


class Reading(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.some_events)

    def some_events(self):
        self.migrate()
        self.cli("enqueue", text=event("u1") + event("u2") + event("u3"))
        self.cli("enqueue", "--destination", "crm", "--delay", "1h", text=event("u4"))
        dead_event(self, 2)

    def test_status(self):
        (status,) = self.json("status", "status")
        self.assertEqual((status["pending"], status["due"], status["scheduled"], status["dead"]),
                         (3, 2, 1, 1))
        self.assertEqual([d["name"] for d in status["destinations"]], ["crm", "track"])
        (one,) = self.json("status", "status", "--destination", "crm")
        self.assertEqual(one["pending"], 1)
        screen = self.cli("status", "--utc", "--no-color").out
        self.assertIn("! 1 dead event needs a decision:  outbox list --state dead --db", screen)
        self.assertIn("no dispatcher has ever served track", screen)
        self.cli("status", "--destination", "nosuch", code=3)

    def test_hints_name_the_database_unless_the_environment_does(self):
        named = self.environment(OUTBOX_DB=self.db)
        screen = self.cli("status", db=False, environment=named).out
        self.assertIn("outbox list --state dead\n", screen)

    def test_prometheus(self):
        text = self.cli("status", "--prometheus").out
        self.assertIn('outbox_events{destination="track",state="due"} 2\n', text)
        self.assertIn('outbox_events{destination="crm",state="scheduled"} 1\n', text)
        self.assertIn('outbox_destination_hold{destination="track",kind="unauthorized"} 0\n', text)
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) outbox_\w+ .+|outbox_\w+(\{[^{}]*\})? [0-9.]+)$')
        if shutil.which("promtool"):
            checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                     capture_output=True)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        names = re.findall(r"^# TYPE (\S+) ", text, re.M)
        self.assertEqual(len(names), len(set(names)))
        for name in ("outbox_oldest_due_seconds", "outbox_events_enqueued_total",
                     "outbox_events_delivered_total", "outbox_requests_total",
                     "outbox_destination_paused", "outbox_database_bytes",
                     "outbox_dispatcher_last_round_timestamp_seconds"):
            self.assertIn(name, names)

    def test_an_address_is_masked_in_whatever_column_it_stands(self):
        self.sql("insert into outbox_events (payload, event_id, kind) values ('{}', 'id-amy@achme.com',"
                 " 'kind-amy@achme.com')")
        for command in (["show", "5"], ["explain", "5"], ["list"], ["export"]):
            for form in ([], ["--json"]):
                self.assertNotIn("amy", self.cli(*command, *form).out, command)
        self.assertIn("event 5  event id",
                      self.cli("erase", "--email", "id-amy@achme.com", "--dry-run").out)

    def test_a_mistyped_destination_is_not_nothing(self):
        for command in (["list"], ["list", "--state", "dead"], ["export"], ["retry", "--all", "--yes"],
                        ["discard", "--all", "--reason", "x", "--yes"], ["prune", "--older-than", "1h", "--yes"]):
            wrong = self.cli(*command, "--destination", "trak", code=3)
            self.assertIn("has ever used the destination trak", wrong.err, command)
        for command in ("show", "explain"):
            wrong = self.cli(command, "1", "--destination", "crm", code=3)
            self.assertIn("event 1 is for track, not for crm", wrong.err)

    def test_a_slow_request_is_seen(self):
        endpoint = self.endpoint("--latency-ms", "30000")
        self.start("run", "--url", endpoint.url)
        eventually(lambda: "for the answer to a request" in self.cli("explain", "1").out,
                   "the request is under way")
        (status,) = self.json("status", "status", "--destination", "track")
        self.assertIsNotNone(status["destinations"][0]["dispatcher"]["in_flight_since"])
        eventually(lambda: "it has waited" in self.cli("status").out, "it takes long")

    def test_a_copy_is_told_with_the_command_that_helps(self):
        self.cli("drain", "--timeout", "1s", code=1)
        self.sql("update outbox_destinations set database_identity = 'another file'")
        screen = self.cli("status").out
        self.assertIn("run --destination track --yes-send-copy", screen)
        self.assertNotIn("no dispatcher is running", screen)

    def test_a_hostile_name_in_the_file_is_escaped_everywhere(self):
        self.sql("insert into outbox_destinations (name, paused_at_ms) values (?, 1)",
                 'x"\x1b]0;owned\x07\u202e\n')
        for command in (["status"], ["status", "--prometheus"], ["destinations"], ["check"],
                        ["destinations", "--names"], ["doctor"], ["watch", "--count", "1"]):
            for form in ([], ["--json"]) if "--prometheus" not in command else ([],):
                out = self.run_cli(*command, *form).out
                self.assertIn("owned", out)
                for raw in ("\x1b", "\x07", "\u202e"):
                    self.assertNotIn(raw, out, command)

    def test_list(self):
        self.assertEqual([e["id"] for e in self.json("list", "list")], [4, 3, 2, 1])
        self.assertEqual([e["id"] for e in self.json("list", "list", "--oldest-first")], [1, 2, 3, 4])
        for filters, ids in [
                (["--state", "dead"], [2]), (["--state", "pending"], [4, 3, 1]),
                (["--state", "scheduled"], [4]), (["--event", "signed_up"], [4, 3, 2, 1]),
                (["--user", "u3"], [3]), (["--error", "HTTP 400"], [2]),
                (["--destination", "crm"], [4]), (["--limit", "2"], [4, 3]),
                (["--since", "1h", "--all"], [4, 3, 2, 1]),
                (["--since", "2020-01-01T00:00:00+02:00"], [4, 3, 2, 1]),
                (["--until", "9999-12-31T23:59:59.999Z"], [4, 3, 2, 1])]:
            found = [e["id"] for e in self.json("list", "list", *filters)]
            self.assertEqual(found, ids, filters)
        self.cli("list", "--group", "nobody", code=3)
        self.cli("list", "--until", "2020-01-01T00:00:00.5-05:30", code=3)
        table = self.cli("list").out
        self.assertIn("destination", table.splitlines()[0])
        self.assertIn("crm", table)

    def test_an_empty_or_impossible_value_is_never_a_wider_filter(self):
        for command in (["list"], ["retry"], ["discard", "--reason", "x"], ["requeue"]):
            for flag in ("--event", "--user", "--group", "--since", "--until", "--destination"):
                self.cli(*command, flag, "", "--all", "--yes", code=2)
            for limit in ("", "-1", "0", "1e3", "99999999999999999999"):
                self.cli(*command, "--limit", limit, "--all", "--yes", code=2)
            for time in ("yesterday", "2026-11-24", "1969-12-31T23:59:59Z", "2026-02-30T00:00:00Z",
                         "2026-11-24T10:00:00", "2026-11-24T25:00:00Z", "-1h", "4000d"):
                finished = self.cli(*command, "--since", time, "--all", "--yes", code=2)
                self.assertIn("not a time", finished.err)
        for command in (["list"], ["retry"], ["discard", "--reason", "x"]):
            for flag in ("--state", "--error"):
                self.cli(*command, flag, "", "--all", "--yes", code=2)
        for who in ("--email", "--user", "--group"):
            self.cli("erase", who, "", "--yes", code=2)
            self.cli("erase", who, "-", "--yes", text="", code=2)
            several = self.cli("erase", who, "-", "--yes", text="a@achme.com\nb@achme.com\n", code=2)
            self.assertIn("more than one line", several.err)
        self.assertIn("give one of them", self.cli("list", "--all", "--limit", "3", code=2).err)
        self.assertIn("give one of them", self.cli("export", "--json", "--format", "csv", code=2).err)
        for flags in (["--all"], ["--state", "dead"], ["--since", "1h"], ["--limit", "3"]):
            self.assertIn("give one of them", self.cli("retry", "1", *flags, "--yes", code=2).err)
        self.assertIn("give one of them", self.cli("status", "--json", "--prometheus", code=2).err)
        self.assertIn("give one of them", self.cli("check", "--json", "--prometheus", code=3).err)
        self.assertEqual(self.sql("select count(*) from outbox_queue where state = 0"), [(3,)])

    def test_a_variable_that_was_not_set_swallows_no_other_word(self):
        for command in (["discard", "--all", "--reason=", "--dry-run"], ["erase", "--user=", "--dry-run"],
                        ["pause", "--reason=", "--dry-run"], ["enqueue", "--dedupe-key=", "-"],
                        ["enqueue", "--ordering-key=", "-"], ["list", "--event=", "--all"]):
            refused = self.cli(*command, "--yes", text=event("u"), code=2)
            self.assertIn("is empty: a variable that was not set?", refused.err)
        for name in ("OUTBOX_URL", "OUTBOX_READ_TIMEOUT", "OUTBOX_CONFIG"):
            refused = self.cli("run", "--timeout", "1s", "--auth", "none",
                               environment=self.environment(**{name: ""}), code=2)
            self.assertIn(f"{name}: is empty", refused.err)
        self.assertEqual(self.sql("select count(*) from outbox_audit"), [(0,)])
        self.assertEqual(self.sql("select count(*) from outbox_queue where state = 0"), [(3,)])
        for command in (["help"], ["completion", "bash"]):
            self.cli(*command, environment=self.environment(OUTBOX_DB=""), db=False)

    def test_doctor_looks_at_the_endpoint_and_the_secret_of_a_relay(self):
        for flags, told in ((["--url", "notaurl"], "url"), (["--url", "https://example.invalid/", "--proxy", "bad:::///"], "proxy"),
                            (["--to", "https://127.0.0.1:9/x", "--token-file", self.folder / "none"], "token"),
                            (["--to", "https://127.0.0.1:9/x", "--token-env", "EMPTY"], "the token is empty")):
            finished = self.cli("doctor", *flags, environment=self.environment(EMPTY=""), code=7)
            self.assertIn(told, finished.out)
            self.assertIn("integrity", finished.out)
        self.assertNotIn("http://", self.run_cli("doctor", "--url", "http://example.internal/x").out)

    def test_a_file_that_is_there_keeps_what_it_has_when_nothing_matches(self):
        file = self.folder / "old.ndjson"
        file.write_text("old")
        self.cli("export", "--output", file, "--state", "retrying", code=3)
        self.cli("export", "--output", file, "--dry-run", code=2)
        self.assertEqual(file.read_text(), "old")
        self.assertEqual(len(self.cli("export", "--output", "-").out.splitlines()), 4)
        metrics = self.folder / "outbox.prom"
        self.cli("check", "--textfile", metrics, "--dry-run", code=3)
        self.assertFalse(metrics.exists())

    def test_batches_says_that_there_are_more(self):
        for _ in range(3):
            self.sql("insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id, last_id,"
                     " ids, bytes, outcome) values ('track', 1, 1, 1, 1, 1, '1', 1, 'failed')")
        self.assertEqual(self.cli("batches", "--limit", "2").err, "the newest 2; --limit N shows more\n")
        self.assertEqual(self.cli("batches", "--limit", "3").err, "")

    def test_tail_ends_in_time_and_when_its_reader_has_gone(self):
        begin = time.monotonic()
        self.cli("tail", "--interval", "1h", "--for", "200ms")
        process = subprocess.Popen([CLI, "tail", "--db", self.db, "--interval", "1h"], stdout=subprocess.PIPE)
        process.stdout.close()
        process.wait(timeout=600)
        self.assertLess(time.monotonic() - begin, 600)

    def test_a_bad_value_is_told_with_the_flag_that_has_it(self):
        sending = ("drain", "--auth", "none", "--url", "http://127.0.0.1:9/")
        for command, told in (
                ((*sending, "--batch-events", "0"), "--batch-events: must be 1 to 1,000"),
                ((*sending, "--batch-bytes", "1"), "--batch-bytes: must be 1,000 to 2,000,000"),
                ((*sending, "--request-timeout", "0s"), "--request-timeout: must be 1 ms to 10 min"),
                ((*sending, "--give-up-after", "0s"), "--give-up-after: must be at least 1 ms"),
                (("enqueue", "--delay", "-5s"), "--delay: not a duration: -5s"),
                (("list", "--since", "-5m"), "--since: not a time: -5m"),
                (("list", "--state", "ded"), "--state: must be pending, scheduled, waiting")):
            with self.subTest(command=command):
                self.assertIn("outbox: " + told, self.cli(*command, code=2).err)

    def test_show_and_explain(self):
        self.cli("enqueue", "--ordering-key", "order-7", text=event("amy@achme.com"))
        (shown,) = self.json("show", "show", "5")
        self.assertEqual(shown["ordering_key"], "order-7")
        self.assertEqual(shown["user_id"], "a**@achme.com")
        (revealed,) = self.json("show", "show", "5", "--reveal")
        self.assertEqual(revealed["user_id"], "amy@achme.com")
        self.assertIn("key       order-7\n", self.cli("show", "5").out)
        (why,) = self.json("explain", "explain", "4")
        self.assertEqual(why["waiting_for"], "schedule")
        for command in ("show", "explain"):
            self.cli(command, "77", code=3)
            for not_an_id in ("99999999999999999999", "0", "-1", "x", ""):
                self.cli(command, not_an_id, code=2)

    def test_batches(self):
        self.cli("batches", code=3)
        endpoint = self.endpoint("--status", "500")
        self.cli("drain", "--url", endpoint.url, "--timeout", "500ms", code=1)
        requests = self.json("batches", "batches", "--limit", "1")
        self.assertEqual(len(requests), 1)
        self.assertEqual(requests[0]["outcome"], "failed")
        self.cli("batches", "--limit", "-1", code=2)

    def test_audit(self):
        self.cli("audit", code=3)
        self.cli("retry", "2", "--reason", "fixed", "--yes")
        (entry,) = self.json("audit", "audit", "--limit", "5")
        self.assertEqual((entry["action"], entry["subject"], entry["events"], entry["reason"]),
                         ("retry", "ids 2", 1, "fixed"))
        self.assertIn("fixed", self.cli("audit").out)
        self.assertEqual(self.cli("audit", "--limit", "1").err, "")
        self.cli("pause", "--reason", "holiday", "--yes")
        cut = self.cli("audit", "--limit", "1")
        self.assertIn("holiday", cut.out)
        self.assertNotIn("fixed", cut.out)
        self.assertIn("the newest 1; --limit N shows more", cut.err)

    def test_destinations(self):
        found = self.json("destinations", "destinations")
        self.assertEqual([(d["name"], d["state"]) for d in found],
                         [("crm", "never served"), ("track", "never served")])
        self.assertEqual(self.cli("destinations", "--names").out, "crm\ntrack\n")

    def test_check(self):
        never = self.cli("check", code=2)  # nobody dispatches
        self.assertRegex(never.out, r"^OUTBOX CRITICAL - track: no dispatcher has ever served it .*"
                                    r"\| .*'track_dead'=1;1; ")
        self.json("check", "check", code=2)
        self.sql("delete from outbox_queue where state <> 4 and destination = 'track'")
        self.assertTrue(self.cli("check", code=1).out.startswith("OUTBOX WARNING - track: 1 dead |"))
        self.cli("check", "--warn-dead", "2", "--warn-pending", "2", "--crit-pending", "3",
                 "--warn-age", "1h", "--crit-age", "2h", "--stale", "1h")
        self.cli("check", "--crit-dead", "1", code=2)
        self.cli("check", "--destination", "crm", "--crit-pending", "1", code=2)
        metrics = self.folder / "outbox.prom"
        self.cli("check", "--warn-dead", "0", "--textfile", metrics)
        self.assertEqual(metrics.read_text(), self.cli("status", "--prometheus").out)
        self.assertEqual(stat.S_IMODE(metrics.stat().st_mode), 0o644)
        self.assertIn("# TYPE outbox_events gauge",
                      self.cli("check", "--prometheus", "--warn-dead", "0").out)
        for unknown in (["--textfile", self.folder / "none" / "x"], ["--destination", "nosuch"],
                        ["--warn-age", "soon"], ["--nosuch"], ["--db", "/nosuch.db"]):
            self.cli("check", *unknown, code=3, db=unknown[0] != "--db")


class Changing(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)
        self.good = self.endpoint()
        self.cli("enqueue", text=event("u1"))
        self.cli("drain", "--url", self.good.url)
        self.cli("enqueue", text=event("u2") + event("u3"))
        self.cli("enqueue", "--destination", "crm", text=event("u4"))
        dead_event(self, 3)

    def test_retry_discard_and_requeue(self):
        for command, word, first, found in (
                (["retry", "--state", "dead"], "retried", "retry", 1),
                (["discard", "--all", "--reason", "x"], "discarded", "discard", 3),
                (["requeue", "--since", "1h"], "requeued", "requeue", 1)):
            (dry,) = self.json(first, *command, "--dry-run")
            self.assertEqual(dry, {word: found, "dry_run": True})
            self.assertIn("Nobody can answer here: give --yes", self.cli(*command, code=2).err)
            (result,) = self.json(first, *command, "--yes")
            self.assertEqual(result, {word: found})
            self.cli(*command, "--yes", code=3)
        self.cli("discard", "1", "--reason", "", "--yes", code=2)
        self.cli("discard", "1", "--yes", code=2)
        self.cli("retry", "--yes", code=2)

    def test_a_change_of_several_destinations_names_them(self):
        dry = self.cli("discard", "--all", "--reason", "x", "--dry-run")
        self.assertEqual(dry.out, "would discard 3 events (crm 1, track 2)\n")
        asked = self.cli("discard", "--all", "--reason", "x", code=2)
        self.assertIn("discard 3 events (crm 1, track 2)?", asked.err)

    def test_pause_resume_and_nudge(self):
        self.cli("pause", code=2)
        (paused,) = self.json("pause", "pause", "--reason", "theirs", "--yes")
        self.assertEqual(paused, {"destination": "track", "paused": True})
        since = self.sql("select paused_at_ms from outbox_destinations where name = 'track'")
        again = self.cli("pause")  # changes nothing, so it does not ask
        self.assertRegex(again.err, "^! track is paused since .*, because: theirs\n$")
        other = self.cli("pause", "--reason", "ours", "--yes")
        self.assertIn("because: theirs", other.err)
        (status,) = self.json("status", "status", "--destination", "track")
        self.assertEqual(status["destinations"][0]["paused"]["reason"], "ours")
        self.assertEqual(since, self.sql("select paused_at_ms from outbox_destinations"
                                         " where name = 'track'"))
        self.assertIn("paused", self.cli("drain", "--url", self.good.url, code=1).err)
        self.json("resume", "resume", "--dry-run")
        self.json("resume", "resume", "--yes")
        self.assertEqual(self.cli("resume").err, "! track was not paused\n")
        self.cli("nudge", code=3)  # nobody dispatches
        for command in ("pause", "resume", "nudge"):
            typo = self.cli(command, "--destination", "trak", "--yes", code=2)
            self.assertIn("did you mean track?", typo.err)
        self.cli("pause", "--destination", "later", "--new", "--yes")

    def test_move_renames_a_destination_and_removes_an_empty_one(self):
        self.cli("enqueue", "--destination", "trak", text=event("u5") + event("u6"))
        dead_event(self, 6)
        (dry,) = self.json("move", "move", "--destination", "trak", "--to", "track", "--dry-run")
        self.assertEqual(dry["moved"], 2)
        self.cli("move", "--destination", "trak", "--to", "track", code=2)
        (moved,) = self.json("move", "move", "--destination", "trak", "--to", "track",
                             "--reason", "typo", "--yes")
        self.assertEqual(moved, {"moved": 2, "duplicates": 0, "removed_destination": False})
        self.assertEqual(self.cli("destinations", "--names").out, "crm\ntrack\n")
        self.assertEqual(self.sql("select id, state from outbox_event_states where destination ="
                                  " 'track' and id > 4 order by id"), [(5, "pending"), (6, "dead")])
        self.cli("move", "--to", "track", "--yes", code=2)
        self.cli("move", "--destination", "track", "--to", "track", "--yes", code=2)
        self.cli("move", "--destination", "track", "--to", "Not A Name", "--yes", code=2)
        # A row without events goes, and its counters go along.
        self.cli("pause", "--destination", "old", "--new", "--yes")
        (empty,) = self.json("move", "move", "--destination", "old", "--to", "track", "--yes")
        self.assertEqual(empty, {"moved": 0, "duplicates": 0, "removed_destination": True})

    def test_move_leaves_what_the_other_destination_has_already(self):
        self.cli("enqueue", "--destination", "trak", "--dedupe-key", "k", text=event("u5"))
        self.cli("enqueue", "--dedupe-key", "k", text=event("u6"))
        (moved,) = self.json("move", "move", "--destination", "trak", "--to", "track", "--yes",
                             code=3)
        self.assertEqual((moved["moved"], moved["duplicates"]), (0, 1))

    def test_prune_and_erase(self):
        (dry,) = self.json("prune", "prune", "--older-than", "0ms", "--dry-run")
        self.assertEqual(dry["pruned"], 1)
        self.cli("prune", "--older-than", "", "--yes", code=2)
        self.json("prune", "prune", "--older-than", "0ms", "--yes")
        self.cli("prune", "--older-than", "1d", "--yes", code=3)
        (would,) = self.json("erase", "erase", "--user", "u2", "--dry-run")
        self.assertEqual([event["place"] for event in would["found"]], ["payload: user_id"])
        (erased,) = self.json("erase", "erase", "--user", "u2", "--wait", "1s", "--yes")
        self.assertEqual(erased["erased"], 1)
        self.cli("erase", "--group", "nobody", "--yes", code=3)
        self.cli("erase", "--email", "-", "--yes", text="nobody@achme.com\n", code=3)
        self.cli("erase", "--user", "-", "--dry-run", text="u3\n", code=0)
        self.cli("erase", "--yes", code=2)

    def test_a_loop_of_erase_ends_when_an_earlier_one_is_finished(self):
        reader = sqlite3.connect(self.db, isolation_level=None)
        reader.execute("begin")
        reader.execute("select count(*) from outbox_events").fetchall()
        kept = self.cli("erase", "--user", "u2", "--wait", "0ms", "--yes", code=1)
        self.assertIn("not yet gone from the -wal file", kept.err)
        reader.close()
        self.cli("erase", "--user", "u2", "--yes", code=0)
        self.cli("erase", "--user", "u2", "--yes", code=3)


class Databases(CliTest):
    def test_a_database_is_only_made_by_migrate_and_enqueue_create(self):
        for command in ("status", "list", "show 1", "explain 1", "batches", "audit", "destinations",
                        "drain", "run", "nudge", "retry 1", "discard 1 --reason x", "requeue 1",
                        "move --destination a --to b", "pause", "resume", "prune",
                        "erase --user u", "migrate --check"):
            finished = self.cli(*command.split(), "--yes", code=2)
            self.assertIn("no database at", finished.err)
        self.cli("enqueue", code=2, text=event("u"))
        self.assertEqual(list(self.folder.iterdir()), [])
        no_folder = self.folder / "none" / "app.db"
        finished = self.cli("migrate", "--db", no_folder, db=False, code=2)
        self.assertIn(f"the folder {no_folder.parent} does not exist", finished.err)

    def test_a_dry_run_of_migrate_says_what_it_would_do(self):
        self.assertIn("schema 0, needed is 1", self.cli("migrate", "--dry-run").out)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_missing_table_is_named_by_migrate_too(self):
        self.cli("migrate")
        self.sql("drop table outbox_audit")
        for command in (["migrate"], ["status"], ["audit"]):
            self.assertIn("without outbox_audit", self.cli(*command, code=6).err)

    def test_a_new_database_is_in_wal_mode_and_private(self):
        for command in (["migrate"], ["enqueue", "--create"]):
            self.cli(*command, text=event("u"))
            self.assertEqual(self.sql("pragma journal_mode"), [("wal",)])
            self.assertEqual(stat.S_IMODE(os.stat(self.db).st_mode), 0o600)
            os.remove(self.db)

    def test_the_journal_mode_of_an_existing_one_is_named_and_left_alone(self):
        self.sql("create table own (x)")
        finished = self.cli("migrate")
        self.assertIn("journal_mode is delete, and was left alone", finished.err)
        self.assertIn("'PRAGMA journal_mode=WAL'", finished.err)
        self.assertEqual(self.sql("pragma journal_mode"), [("delete",)])

    def test_the_schema_decides_before_anything_else(self):
        self.sql("create table own (x)")
        for command in ("status", "list", "drain", "run", "retry 1", "pause", "migrate --check"):
            self.cli(*command.split(), "--yes", code=6)
        self.json("migrate", "migrate", "--check", code=6)
        (made,) = self.json("migrate", "migrate")
        self.assertEqual(made, {"from": 0, "to": 1, "needed": 1})
        self.cli("migrate", "--check")
        self.sql("insert into outbox_migrations values (99, '0099_future', 0, '9')")
        newer = self.cli("migrate", "--check", code=6)
        self.assertIn("newer than this program", newer.out)
        self.assertNotIn("run `outbox migrate", newer.out)
        self.cli("migrate", code=6)

    def test_a_busy_database_exits_5(self):
        self.cli("migrate")
        connection = sqlite3.connect(self.db, isolation_level=None)
        connection.execute("begin immediate")
        self.cli("enqueue", text=event("u"), code=5)
        connection.close()

    def test_a_full_disk_is_named(self):
        shm = pathlib.Path("/dev/shm")
        if os.geteuid() != 0 or not shm.is_dir():
            self.skipTest("only root can make a small disk")
        disk = self.folder / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk],
                          capture_output=True).returncode != 0:
            self.skipTest("cannot mount here")
        self.addCleanup(subprocess.run, ["umount", disk])
        db = str(disk / "app.db")
        self.run_cli("migrate", "--db", db, db=False)
        fill = os.open(disk / "fill", os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(fill, b"x" * 4096):
                pass
        except OSError:  # full
            os.close(fill)
        finished = self.run_cli("enqueue", "--db", db, db=False, text=event("u") * 200)
        self.assertEqual(finished.code, 1, finished.err)
        self.assertIn("is full", finished.err)

    def test_a_read_without_an_end_is_stopped(self):
        self.cli("migrate")
        self.sql("insert into outbox_events (payload) with recursive n (i) as (select 1 union all"
                 " select i + 1 from n where i < 100000) select '{}' from n")
        stopped = self.cli("list", "--user", "nobody", "--read-timeout", "1ms", code=1)
        self.assertIn("gave no row for 1ms", stopped.err)
        self.cli("list", "--user", "nobody", code=3)

    def test_a_file_of_another_user_is_left_alone(self):
        if os.geteuid() != 0:
            self.skipTest("only root can make such a file")
        self.cli("migrate")
        os.chown(self.db, 12345, 12345)
        self.assertIn("belongs to another user", self.cli("status", code=2).err)
        self.cli("status", "--allow-other-user")


class Enqueueing(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)

    def count(self):
        return self.sql("select count(*) from outbox_events")[0][0]

    def test_enqueue(self):
        (one,) = self.json("enqueue", "enqueue", text=event("u1"))
        self.assertEqual(one, {"enqueued": 1, "first_id": 1, "last_id": 1})
        (many,) = self.json("enqueue", "enqueue", "-", text=f"[{event('u2')},{event('u3')}]")
        self.assertEqual(many, {"enqueued": 2, "first_id": 2, "last_id": 3})
        (dry,) = self.json("enqueue", "enqueue", "--dry-run", text=event("u4"))
        self.assertEqual(dry, {"enqueued": 0, "first_id": None, "last_id": None,
                               "would_enqueue": 1})
        bad = self.cli("enqueue", text=f"[{event('u5')},{{}}]", code=2)
        self.assertIn("events[1].event_name: required", bad.err)
        self.assertEqual(self.count(), 3)

    def test_a_file_of_many_events_is_all_or_nothing_and_names_the_bad_one(self):
        file = self.folder / "many.ndjson"
        file.write_text("".join(event(f"u{i}") + "\n" for i in range(12_000)) + "{}\n")
        bad = self.cli("enqueue", file, code=2)
        self.assertIn("events[12000].event_name: required", bad.err)
        self.assertIn("--chunk-events", bad.err)  # a warning: others wait
        self.assertEqual(self.count(), 0)
        in_steps = self.cli("enqueue", "--chunk-events", "5000", file, code=2)
        self.assertIn("! 10,000 events before it are enqueued", in_steps.err)
        self.assertEqual(self.count(), 10_000)
        small = self.cli("enqueue", "--chunk-events", "7", text=event("u") * 10 + "{}", code=2)
        self.assertIn("! 7 events before it are enqueued: 10001 to 10007", small.err)
        for number in ("0", "-1", ""):
            self.cli("enqueue", "--chunk-events", number, file, code=2)

    def test_a_dedupe_key_is_for_one_event_in_chunks_too(self):
        for count in (2, 20):
            refused = self.cli("enqueue", "--chunk-events", "1", "--dedupe-key", "k",
                               text=event("u") * count, code=2)
            self.assertIn("one event", refused.err)
        self.assertEqual(self.count(), 0)
        self.cli("enqueue", "--chunk-events", "1", "--dedupe-key", "k", text=event("u"))
        self.assertEqual(self.count(), 1)

    def test_what_is_no_utf8_is_named(self):
        command = [CLI, "enqueue", "--db", self.db]
        for text in (event("u").encode("utf-16"), event("u").encode("utf-16-be")):
            done = subprocess.run(command, input=text, capture_output=True)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"UTF-16", done.stderr)
        self.assertIn("No such file", self.cli("enqueue", self.folder / "none", code=2).err)
        self.assertIn("is a folder", self.cli("enqueue", self.folder, code=2).err)


class Sending(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)
        self.cli("enqueue", text=event("u1"))

    def test_drain(self):
        endpoint = self.endpoint()
        (report,) = self.json("drain", "drain", "--url", endpoint.url, "--batch-events", "10",
                              "--batch-bytes", "100000", "--connections", "2", "--auth", "bearer",
                              "--request-timeout", "5s", "--give-up-after", "7d", "--keep-delivered", "30d", "--requests-per-second", "50", "--proxy", "none",
                              "--ca-file", "/etc/ssl/certs/ca-certificates.crt", "--timeout", "30s")
        self.assertEqual(report, {"delivered": 1, "dead": 0, "remaining": 0, "requests": 1})
        self.assertEqual(endpoint.end(), 1)

    def test_kafka(self):
        # Wrong in every build: the client knows no such setting, or there is no client.
        for command in (["drain"], ["run"], ["doctor", "--online"]):
            refused = self.cli(*command, "--to", "kafka://127.0.0.1:1", "--topic", "t",
                               "--kafka-setting", "no.such=1", code=2)
            self.assertRegex(refused.err, "no.such|built without")

    def test_exit_codes(self):
        refusing = self.endpoint("--status", "401")
        self.cli("drain", "--url", refusing.url, code=4)
        failing = self.endpoint("--status", "500")
        self.cli("drain", "--url", failing.url, "--timeout", "500ms", code=1)
        self.cli("drain", "--url", "http://example.com/", code=2)
        self.cli("drain", "--url", "", code=2)
        self.cli("drain", "--timeout", "", code=2)
        self.cli("drain", "--dry-run")
        self.sql("insert into outbox_events (payload) values ('{}')")
        good = self.endpoint()
        self.assertIn("is dead", self.cli("drain", "--url", good.url, code=7).err)
        self.cli("drain", "--url", good.url, "--allow-plain-http")

    def test_nothing_is_sent_without_credentials(self):
        endpoint = self.endpoint()
        without = self.environment()
        del without["OUTBOX_TOKEN"]
        empty = self.folder / "token"
        empty.write_text("\n")
        for command in ("drain", "run"):
            for flags in ([], ["--token-file", self.folder / "none"], ["--token-file", empty],
                          ["--token-env", "UNSET"]):
                self.cli(command, "--url", endpoint.url, *flags, environment=without, code=4)
        self.assertEqual(endpoint.end(), 0)
        other = self.endpoint()
        self.cli("drain", "--url", other.url, "--auth", "none", environment=without, code=4)
        asked = self.sql("select count(*) from outbox_requests")[0][0]
        self.assertGreater(asked, 0)
        self.cli("enqueue", text=event("u2"))
        key = self.folder / "key"
        key.write_text("k3y\n")
        self.cli("drain", "--url", other.url, "--auth", "x-api-key", "--token-file", key,
                 environment=without)
        self.assertGreater(other.end(), asked)
        self.assertIn("--auth none and --token-file",
                      self.cli("drain", "--auth", "none", "--token-file", key, code=2).err)

    def test_a_copy_is_only_sent_from_when_a_person_says_so(self):
        endpoint = self.endpoint()
        self.cli("drain", "--url", endpoint.url)
        self.cli("enqueue", text=event("u2"))
        self.sql("vacuum into ?", self.db + ".copy")
        os.rename(self.db + ".copy", self.db)
        for side in ("-wal", "-shm"):
            if os.path.exists(self.db + side):
                os.remove(self.db + side)
        (status,) = self.json("status", "status")
        self.assertTrue(status["destinations"][0]["is_foreign"])
        for command in ("drain", "run"):
            for flags in ([], ["--yes"]):
                refused = self.cli(command, *flags, "--url", endpoint.url, code=2)
                self.assertIn("is a copy or was restored", refused.err)
        self.cli("drain", "--yes-send-copy", "--url", endpoint.url)
        self.cli("enqueue", text=event("u3"))
        self.cli("drain", "--url", endpoint.url)
        self.assertEqual(endpoint.end(), 3)

    def test_an_unknown_destination_is_a_typo_unless_it_is_new(self):
        endpoint = self.endpoint()
        for command in ("drain", "run"):
            typo = self.cli(command, "--destination", "trak", "--url", endpoint.url, code=2)
            self.assertIn("did you mean track?", typo.err)
        self.assertEqual(self.sql("select count(*) from outbox_destinations"), [(0,)])
        self.cli("drain", "--destination", "later", "--new", "--url", endpoint.url)
        self.assertEqual(endpoint.end(), 0)


class Running(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)

    def test_run_delivers_and_stands_by_and_is_nudged(self):
        endpoint = self.endpoint()
        first = self.start("run", "--url", endpoint.url, ready=b"outbox dispatches track")
        second = self.start("run", "--url", endpoint.url, ready=b"outbox stands by for track")
        self.cli("enqueue", text=event("u1") + event("u2"))
        (report,) = self.json("drain", "drain", "--timeout", "30s")  # waits for the first one
        self.assertEqual(report["remaining"], 0)
        (nudged,) = self.json("nudge", "nudge")
        self.assertEqual((nudged["pid"], nudged["tries_now"]), (first.pid, True))
        self.cli("pause", "--yes")
        (paused,) = self.json("nudge", "nudge", code=3)
        self.assertFalse(paused["tries_now"])
        self.assertIn("track is paused", self.cli("nudge", code=3).out)
        self.cli("resume", "--yes")
        first.send_signal(signal.SIGSTOP)
        self.assertIn("does nothing", self.cli("nudge", code=3).out)
        self.assertIn(f"its dispatcher does nothing: process {first.pid}", self.cli("check", code=2).out)
        first.send_signal(signal.SIGCONT)
        self.assertIn("pause it first", self.cli("move", "--destination", "track", "--to", "x",
                                                 "--yes", code=2).err)
        self.assertEqual(stop(first).code, 0)
        eventually(lambda: self.run_cli("nudge", "--dry-run").out == f"would nudge pid {second.pid}\n",
                   "the second one takes over")
        self.assertEqual(stop(second, signal.SIGINT).code, 0)
        self.assertEqual(self.sql("select sum(delivered) from outbox_destinations"), [(2,)])

    def test_run_ends_by_itself_after_its_timeout(self):
        endpoint = self.endpoint()
        self.cli("enqueue", text=event("u1"))
        self.cli("run", "--url", endpoint.url, "--timeout", "500ms")
        self.assertEqual(endpoint.end(), 1)
        self.cli("run", "--url", endpoint.url, "--timeout", "", code=2)

    def test_run_reads_a_file_and_serves_several_destinations(self):
        track, crm = self.endpoint(), self.endpoint()
        metrics, token = self.folder / "outbox.prom", self.folder / "token"
        token.write_text("t0ken\n")
        config = self.folder / "outbox.toml"
        config.write_text(f'''
grace = "5s"
log-format = "json"
log-requests = true
metrics-file = "{metrics}"
[track]
url = "{track.url}"
token-file = "{token}"
[crm]
url = "{crm.url}"
auth = "x-api-key"
batch-events = 10
new = true
''')
        self.cli("enqueue", text=event("u1"))
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(self.folder / "notify"))
        notify.settimeout(30)
        self.addCleanup(notify.close)
        environment = self.environment(NOTIFY_SOCKET=str(self.folder / "notify"))
        del environment["OUTBOX_URL"]
        process = self.start("run", "--config", config, environment=environment)
        self.assertTrue(notify.recv(1000).startswith(b"READY=1\n"))
        self.cli("enqueue", "--destination", "crm", text=event("u2"))
        eventually(lambda: self.sql("select count(*) from outbox_queue") == [(0,)], "delivered")
        stopped = stop(process)
        self.assertEqual(stopped.code, 0, stopped.err)
        lines = [json.loads(line) for line in stopped.err.splitlines()]
        for line in lines:
            self.validate("run", line)
        self.assertEqual({line["destination"] for line in lines if line["event"] == "request"},
                         {"crm", "track"})
        self.assertIn('outbox_events_delivered_total{destination="crm"} 1\n', metrics.read_text())
        self.assertEqual((track.end(), crm.end()), (1, 1))

    def test_a_bad_file_names_the_section_and_the_option(self):
        config = self.folder / "outbox.toml"
        for text, problem in (("[track]\nurll = \"x\"\n", "[track]: no option --urll"),
                              ("grase = \"5s\"\n", "did you mean --grace?"),
                              ("config = \"other.toml\"\n", "a file does not name another one"),
                              ("timeout = 30\n", "a duration stands in quotes"),
                              ("new = true\n[track]\n", "new belongs to a destination"),
                              ("[track]\nurl = \"\"\n", "[track]: --url"),
                              ("[track]\nauth = \"basic\"\n", "--auth")):
            config.write_text(text)
            finished = self.cli("run", "--config", config, code=2)
            self.assertIn(problem, finished.err)
            self.assertIn(str(config), finished.err)
        self.cli("run", "--config", self.folder / "none", code=2)
        config.write_text("[track]\n")
        self.cli("run", "--config", config, "--destination", "crm", code=2)

    def test_sigterm_delivers_what_is_due_for_the_grace_and_a_second_one_stops(self):
        slow = self.endpoint("--latency-ms", "300")
        process = self.start("run", "--url", slow.url, "--batch-events", "1", "--grace", "60s",
                             "--log-format", "text", "--metrics-file", self.folder / "m",
                             "--log-requests")
        self.cli("enqueue", text=event("u1") * 4)
        eventually(lambda: self.sql("select count(*) from outbox_requests") != [(0,)], "one is sent")
        stopped = stop(process)
        self.assertEqual(stopped.code, 0)
        self.assertIn("4 delivered", stopped.err)

        process = self.start("run", "--url", slow.url, "--batch-events", "1", "--grace", "60s")
        self.cli("enqueue", text=event("u1") * 500)
        process.send_signal(signal.SIGTERM)
        eventually(lambda: self.sql("select count(*) from outbox_requests")[0][0] > 4, "more is sent")
        stopped = stop(process)
        self.assertEqual(stopped.code, 0)
        self.assertGreater(self.sql("select count(*) from outbox_queue")[0][0], 400)


class Looking(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)
        self.cli("enqueue", text=event("u1") + event("tom@achme.com"))

    def test_watch_prints_a_line_each_time_when_it_has_no_terminal(self):
        lines = self.json("watch", "watch", "--count", "2", "--interval", "50ms")
        self.assertEqual(len(lines), 2)
        self.validate("status", lines[1]["status"])
        self.assertRegex(self.cli("watch", "--count", "1").out, r" 2 due  oldest .* 0 dead\n$")
        self.cli("watch", "--count", "0", code=2)
        self.cli("watch", "--interval", "", code=2)

    def test_tail_follows_requests_and_deaths(self):
        endpoint = self.endpoint()
        words = ["tail", "--json", "--lines", "0", "--interval", "20ms", "--for", "60s"]
        self.note_use(words)
        process = subprocess.Popen([CLI, *words, "--db", self.db], stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (process.kill(), process.communicate()))
        eventually(lambda: os.path.exists(f"/proc/{process.pid}/fd/3"), "tail has opened the file")
        self.sql("insert into outbox_events (payload) values ('{}')")
        self.cli("drain", "--url", endpoint.url, code=7)
        seen = {}
        while seen.keys() != {"request", "dead"}:
            line = json.loads(process.stdout.readline())
            self.validate("tail", line)
            seen[line["type"]] = line
        self.assertEqual(seen["request"]["events"], 2)
        self.assertEqual(seen["dead"]["id"], 3)
        self.assertEqual(len(self.json("tail", "tail", "--for", "1ms")), 1)
        self.assertEqual(len(self.cli("tail", "--for", "1ms").lines()), 1)

    def test_export(self):
        rows = self.json("export", "export", "--all")
        self.assertEqual([row["id"] for row in rows], [1, 2])
        self.assertEqual(rows[1]["payload"]["user_id"], "t**@achme.com")
        (open_,) = self.json("export", "export", "--user", "tom@achme.com", "--reveal")
        self.assertEqual(open_["payload"]["user_id"], "tom@achme.com")
        file = self.folder / "all.csv"
        self.cli("export", "--format", "csv", "--output", file, "--destination", "track",
                 "--state", "pending", "--event", "signed_up", "--since", "1h", "--until", "0ms")
        with open(file, newline="") as stream:
            table = list(csv.DictReader(stream))
        self.assertEqual([row["id"] for row in table], ["1", "2"])
        self.assertEqual(json.loads(table[1]["payload"])["user_id"], "t**@achme.com")
        self.cli("enqueue", text=event("=cmd()"))
        self.assertIn(",'=cmd(),", self.cli("export", "--format", "csv", "--limit", "9").out)
        for nothing in (["--group", "nobody"], ["--error", "none"]):
            self.cli("export", *nothing, code=3)
        self.cli("export", "--format", "xml", code=2)
        self.cli("export", "--state", "lost", "--output", self.folder / "none", code=2)
        self.assertFalse((self.folder / "none").exists())

    def test_an_export_of_many_pages_has_each_event_once(self):
        self.cli("enqueue", text=event("u") * 1200)
        ids = [row["id"] for row in self.cli("export", "--all").lines()]
        self.assertEqual(ids, list(range(1, 1203)))


class Doctor(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)
        self.endpoint_ = self.endpoint()
        self.cli("enqueue", text=event("u1") + event("u2"))
        self.cli("drain", "--url", self.endpoint_.url)
        self.cli("enqueue", text=event("u3"))

    def findings(self, *flags, code=0):
        (report,) = self.json("doctor", "doctor", *flags, code=code)
        return report, {finding["name"]: finding for finding in report["findings"]}

    def problem(self, name, code=7):
        report, found = self.findings(code=code)
        self.assertEqual(found[name]["level"], "problem", report)
        return found[name]["text"]

    def test_a_healthy_database(self):
        process = self.start("run", "--url", self.endpoint_.url)
        eventually(lambda: self.sql("select count(*) from outbox_queue") == [(0,)], "delivered")
        report, found = self.findings()
        self.assertEqual(report["problems"], 0, report)
        for name in ("integrity", "schema", "plans", "queue", "counters", "settings", "files", "wal",
                     "token", "clock", "destination track"):
            self.assertEqual(found[name]["level"], "ok", found[name])
        self.assertIn("enqueued 3 = pending 0 + dead 0 + discarded 0 + delivered 3 + removed 0",
                      found["counters"]["text"])
        self.assertIn(f"pid {process.pid} holds the lock", found["destination track"]["text"])
        self.assertIn(f"pid {process.pid} (outbox)", found["wal"]["text"])
        self.assertIn("✓ integrity", self.cli("doctor").out)

    def test_no_dispatcher(self):
        self.assertIn("no dispatcher is running", self.problem("destination track"))

    def test_it_repairs_what_can_be_repaired(self):
        self.sql("delete from outbox_queue")  # of an event that was never delivered
        self.assertIn("1 event in the log, neither queued nor delivered", self.problem("queue"))
        self.sql("insert into outbox_queue (destination, event, enqueued_at_ms) values"
                 " ('track', 77, 1)")
        self.sql("update outbox_destinations set delivered = 9")
        self.cli("doctor", "--fix", code=2)  # asks
        self.cli("doctor", "--fix", "--dry-run", code=7)
        (report,) = self.json("doctor", "doctor", "--fix", "--yes", code=7)  # no dispatcher runs
        self.assertEqual(report["repaired"], {"queued": 1, "unqueued": 1, "recounted": 1})
        found = {finding["name"]: finding["level"] for finding in report["findings"]}
        self.assertEqual((found["queue"], found["counters"]), ("ok", "ok"))
        self.assertEqual(self.sql("select event, state from outbox_queue"), [(3, 0)])
        self.assertEqual(self.sql("select delivered from outbox_destinations"), [(2,)])
        self.assertEqual(self.sql("select action, reason from outbox_audit"),
                         [("repair", "doctor --fix")])

    def test_rows_that_somebody_deleted_are_a_warning_with_its_size(self):
        self.sql("delete from outbox_events where id = 1")
        self.sql("update outbox_destinations set delivered = 1")
        _, found = self.findings(code=7)
        self.assertEqual(found["counters"]["level"], "warning")
        self.assertIn("differ by 1", found["counters"]["text"])

    def test_a_schema_that_somebody_changed(self):
        self.sql("create trigger own after insert on outbox_events begin select 1; end")
        _, found = self.findings(code=7)
        self.assertEqual(found["schema"]["level"], "warning")
        self.sql("drop trigger own")
        self.sql("drop index outbox_queue_keys")
        self.assertIn("index outbox_queue_keys is missing", self.problem("schema"))

    def test_a_damaged_file(self):
        self.sql("pragma wal_checkpoint(truncate)")
        with open(self.db, "r+b") as file:
            file.seek(3 * 4096)
            file.write(os.urandom(4096 * 4))
        finished = self.run_cli("doctor")
        self.assertIn(finished.code, (1, 7), finished.err)

    def test_a_file_whose_schema_is_damaged(self):
        self.sql("pragma wal_checkpoint(truncate)")
        with open(self.db, "r+b") as file:
            file.seek(100)
            file.write(os.urandom(3000))
        finished = self.cli("doctor", code=7)
        self.assertIn("✗ integrity", finished.out)
        self.assertIn("restore a backup", finished.out)

    def test_files_and_settings(self):
        os.chmod(self.db, 0o644)
        self.folder.chmod(0o755)
        _, found = self.findings(code=7)
        self.assertEqual(found["files"]["level"], "warning")
        self.sql("pragma journal_mode = delete")
        self.assertIn("journal_mode is delete", self.problem("settings"))

    def test_tokens(self):
        def token(claims):
            part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
            file = self.folder / "token"
            file.write_text(f"e30.{part}.x")
            return file
        _, found = self.findings("--token-file", token({"exp": 4000000000}), code=7)
        self.assertEqual(found["token"]["level"], "ok")
        self.assertIn("expires 2096-10-02T07:06:40.000Z", found["token"]["text"])
        _, found = self.findings("--token-file", token({"exp": 1700000000}), "--auth", "bearer",
                                 code=7)
        self.assertIn("expired 2023-11-14", found["token"]["text"])
        self.assertEqual(found["token"]["level"], "problem")
        for broken in ({"exp": "x"}, {"exp": 1e300}, {"exp": -1}, []):
            _, found = self.findings("--token-file", token(broken), code=7)
            self.assertEqual(found["token"]["level"], "ok")
        _, found = self.findings("--token-file", self.folder / "none", code=7)
        self.assertEqual(found["token"]["level"], "problem")
        report, _ = self.findings("--token-env", "UNSET", code=7)
        self.assertNotIn("e30.", json.dumps(report))

    def test_it_connects_when_asked_to_and_sends_nothing(self):
        _, found = self.findings("--online", "--url", self.endpoint_.url, code=7)
        self.assertEqual(found["connection"]["level"], "ok")
        self.assertEqual(self.endpoint_.end(), 1)  # the drain of setUp
        _, found = self.findings("--online", "--url", self.endpoint_.url, code=7)
        self.assertEqual(found["connection"]["level"], "problem")

    def test_a_test_event_is_sent_only_when_asked_for(self):
        self.cli("doctor", "--send-test-event", "--url", self.endpoint_.url, code=2)
        _, found = self.findings("--send-test-event", "--yes", "--url", self.endpoint_.url,
                                 "--request-timeout", "5s", "--proxy", "none", "--allow-plain-http",
                                 "--ca-file", "/etc/ssl/certs/ca-certificates.crt", code=7)
        self.assertEqual(found["endpoint"]["level"], "ok")
        self.assertIn("HTTP 200", found["endpoint"]["text"])
        self.assertEqual(self.endpoint_.end(), 2)  # and the drain of setUp
        self.assertEqual(self.sql("select count(*) from outbox_events"), [(3,)])


class Help(CliTest):
    def test_a_misspelt_word_is_answered_with_the_right_one(self):
        for words, meant in ((["statsu"], "did you mean status?"),
                             (["status", "--jsn"], "did you mean --json?"),
                             (["list", "--sate", "dead"], "did you mean --state?"),
                             (["help", "dran"], "did you mean drain?")):
            finished = self.cli(*words, code=2, db=False)
            self.assertIn(meant, finished.err)
        self.cli(code=2, db=False)
        self.cli("status", "--destination", "", code=2)

    def test_help_leads_with_examples_and_shows_the_options_of_all_commands(self):
        for words in (["help"], ["--help"], ["help", "drain"], ["drain", "--help"]):
            text = self.cli(*words, db=False).out
            self.assertLess(text.index("  outbox "), text.index("Usage:"))
            self.assertIn("--db", text)
        for name in commands():
            self.assertIn("--utc", self.cli("help", name, db=False).out)

    def test_the_documents_show_the_help_as_it_is(self):
        page = (pathlib.Path(__file__).resolve().parents[3] / "docs" / "operations.md").read_text()
        shown = page.split("<!-- screen_help -->")[1].split("```")[1].split("\n", 2)[2]
        self.assertEqual(shown, self.cli("--help", db=False).out)

    def test_version(self):
        self.json("version", "version", db=False)
        self.assertRegex(self.cli("version", db=False).out, "^outbox [0-9.]+ ")
        self.cli("--version", db=False)

    def test_the_man_page_knows_every_command_and_flag(self):
        page = self.cli("help", "--man", db=False).out
        plain = page.replace("\\-", "-")
        for name, flags in commands().items():
            self.assertIn(f".SS outbox {name}\n", plain)
            for flag in flags:
                self.assertIn(flag, plain)
        if not pathlib.Path("/usr/bin/groff").exists():
            return
        checked = subprocess.run(["groff", "-man", "-ww", "-z", "-K", "utf8"], input=page, text=True,
                                 capture_output=True)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_completion(self):
        self.cli("completion", "tcsh", code=2, db=False)
        for shell in ("bash", "zsh", "fish"):
            script = self.cli("completion", shell, db=False).out
            for name in commands():
                self.assertIn(name, script)
            program = pathlib.Path("/usr/bin") / shell
            if program.exists():
                checked = subprocess.run([program, "-n"], input=script, text=True,
                                         capture_output=True)
                self.assertEqual((checked.returncode, checked.stderr), (0, ""), shell)

    def completed(self, *words):
        """What bash offers for the last word."""
        script = self.cli("completion", "bash", db=False).out
        line = " ".join(f"'{word}'" for word in words)
        done = subprocess.run(
            ["bash", "-c", f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _outbox;"
             " printf '%s\\n' \"${COMPREPLY[@]}\""], capture_output=True, text=True,
            env={"PATH": f"{pathlib.Path(CLI).parent}:{os.environ['PATH']}"})
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_bash_offers_commands_flags_states_and_destinations(self):
        self.assertEqual(self.completed("outbox", "sta"), ["status"])
        self.assertIn("--state", self.completed("outbox", "list", "--st"))
        self.assertNotIn("--token-file", self.completed("outbox", "list", "--"))
        self.assertEqual(self.completed("outbox", "list", "--state", "de"), ["delivered", "dead"])
        self.cli("migrate")
        self.cli("enqueue", "--destination", "crm", text=event("u"))
        self.assertEqual(self.completed("outbox", "--db", self.db, "drain", "--destination", ""),
                         ["crm"])


def commands():
    """Every command with its flags, as the man page tells them."""
    page = subprocess.run([CLI, "help", "--man"], capture_output=True, text=True).stdout
    found, name = {}, ""
    for line in page.replace("\\-", "-").splitlines():
        if line.startswith(".SS outbox "):
            name = line.split()[-1]
            found[name] = set()
        elif line.startswith(".SH"):
            name = ""
        elif name and line.startswith("\\fB"):
            found[name].update(re.findall(r"--[a-z-]+", line.split("\\fR")[0]))
    return found


class Serving(CliTest):
    def test_serve_prints_a_link_and_ends_at_a_signal(self):
        self.cli("serve", code=2)
        self.cli("migrate")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.cli("serve", "--port", port, code=1)
        opened = self.folder / "opened"
        xdg_open = self.folder / "bin" / "xdg-open"
        xdg_open.parent.mkdir()
        xdg_open.write_text(f'#!/bin/sh\ncp "$1" {opened}.tmp && mv {opened}.tmp {opened}\n')
        xdg_open.chmod(0o755)
        path = f"{xdg_open.parent}:{os.environ['PATH']}"
        process = self.start("serve", "--port", port, "--allow-changes", "--open",
                             environment=self.environment(PATH=path))
        eventually(opened.exists, "the browser is told")
        link = re.search(r"url=(http://127\.0\.0\.1:(\d+)/#t=[0-9a-f]{32})", opened.read_text())
        self.assertEqual(int(link[2]), port)
        # The password is in no program's arguments, which every user may read.
        self.assertNotIn("#t=", pathlib.Path(f"/proc/{process.pid}/cmdline").read_text())
        self.assertEqual(stop(process).code, 0)

    def test_serve_refuses_a_file_without_a_schema(self):
        sqlite3.connect(self.db).execute("create table app (id)")
        self.cli("serve", code=6)


class Hook:
    """A webhook's receiver that keeps what it got."""

    def __init__(self):
        self.got = got = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/s3cret-path"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()


class Relays(CliTest):
    OPTIONS = {"--format": ["cloudevents"], "--source": ["app"], "--user": ["u"], "--creds-file": [__file__],
               "--client-certificate": [__file__], "--client-key": [__file__], "--subject": ["s"], "--stream": ["S"],
               "--create-stream": [], "--topic": ["t"], "--kafka-setting": ["a=b"], "--signing-key-file": [__file__],
               "--array": []}

    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)

    def test_an_option_of_a_relay_is_refused_without_one(self):
        """It would be sent to the Track API, with its token."""
        for command in (["drain"], ["run"], ["doctor", "--online"]):
            for option, value in self.OPTIONS.items():
                finished = self.cli(*command, option, *value, code=2)
                self.assertRegex(finished.err, rf"^outbox: {option} is for --to .*, and there is no --to\n$")

    def test_an_option_of_another_relay_is_refused(self):
        for to, options in (("nats://127.0.0.1:1", ["--topic", "--kafka-setting", "--array", "--signing-key-file"]),
                            ("kafka://127.0.0.1:1", ["--subject", "--stream", "--create-stream", "--creds-file"]),
                            ("http://127.0.0.1:1", ["--user", "--client-certificate", "--topic", "--stream"])):
            for option in options:
                finished = self.cli("drain", "--to", to, option, *self.OPTIONS[option], code=2)
                self.assertIn(f"{option} is for --to ", finished.err)

    def test_two_places_or_two_secrets_are_refused(self):
        token = self.folder / "token"
        token.write_text("t0ken")
        finished = self.cli("drain", "--to", "http://127.0.0.1:1", "--url", "http://127.0.0.1:2/", code=2)
        self.assertIn("--url is for the Track API and --to for a relay", finished.err)
        finished = self.cli("drain", "--token-file", token, "--token-env", "HOME", code=2)
        self.assertIn("--token-file and --token-env: give one of them", finished.err)

    def test_a_webhook_gets_signed_cloudevents_from_drain_and_from_run(self):
        hook = Hook()
        self.addCleanup(hook.end)
        key = self.folder / "key"
        key.write_text("whsec_" + base64.b64encode(b"k" * 32).decode())
        relay = ["--to", hook.url, "--array", "--format", "cloudevents", "--source", "app", "--signing-key-file", key]
        self.cli("enqueue", text=event("u1") + event("u2"))
        self.cli("drain", *relay)
        self.cli("enqueue", text=event("u3"))
        process = self.start("run", *relay)
        eventually(lambda: len(hook.got) == 2, "delivered")
        self.assertEqual(stop(process).code, 0)
        headers, body = hook.got[0]
        self.assertEqual([one["source"] for one in json.loads(body)], ["app", "app"])
        self.assertIn("webhook-signature", {name.lower() for name in headers})
        self.assertNotIn("Authorization", headers)  # the token is the Track API's
        self.assertEqual(len(json.loads(hook.got[1][1])), 1)

    def test_doctor_shows_of_an_address_only_who_answers_there(self):
        hook = Hook()
        self.addCleanup(hook.end)
        place = hook.url.partition("/hook")[0]
        for words in (["--to", hook.url], ["--url", hook.url + "?api_key=s3cret"]):
            said = self.cli("doctor", "--online", "--auth", "none", *words).out
            self.assertIn(f"connects to {place}; nothing was sent", said)
            self.assertNotIn("s3cret", said)


class RunOptions(CliTest):
    def setUp(self):
        super().setUp()
        self.begin_with(self.migrate)

    def test_run_takes_all_that_says_how_to_send(self):
        endpoint = self.endpoint()
        authorities = self.folder / "authorities.pem"
        authorities.write_text("")
        self.cli("enqueue", text=event("u1") * 20)
        process = self.start("run", "--new", "--url", endpoint.url, "--auth", "x-api-key", "--allow-plain-http",
                             "--batch-bytes", "1000", "--connections", "2", "--requests-per-second", "100",
                             "--give-up-after", "1d", "--keep-delivered", "forever", "--proxy", "none",
                             "--request-timeout", "20s",
                             "--ca-file", authorities, "--yes-send-copy")
        eventually(lambda: self.sql("select count(*) from outbox_queue") == [(0,)], "delivered")
        stopped = stop(process)
        self.assertEqual(stopped.code, 0)
        self.assertIn("20 delivered", stopped.err)
        self.assertGreater(endpoint.end(), 1)  # requests: all of them are more than 1,000 bytes

    def test_an_empty_value_in_the_file_swallows_no_other_line(self):
        config = self.folder / "outbox.toml"
        for text in ('[track]\nproxy = ""\nbatch-events = 1\n', 'log-format = ""\ngrace = "1s"\n[track]\n'):
            config.write_text(text)
            self.assertIn("is empty", self.cli("run", "--config", config, "--timeout", "1s", code=2).err)

    def test_a_dry_run_sends_nothing(self):
        endpoint = self.endpoint()
        self.cli("enqueue", text=event("u1"))
        said = self.cli("run", "--dry-run", "--url", endpoint.url).out
        self.assertEqual(said, "would serve track: 1 event due\n")
        self.assertEqual(endpoint.end(), 0)
        self.cli("serve", "--dry-run", code=2)
        self.cli("serve", "--json", code=2)

    def test_flags_are_nearer_than_the_file_and_the_file_than_the_environment(self):
        flag, section, environment = self.endpoint(), self.endpoint(), self.endpoint()
        config = self.folder / "outbox.toml"
        config.write_text(f'db = "{self.db}"\n[track]\nurl = "{section.url}"\n')
        other = str(self.folder / "other.db")
        variables = self.environment(OUTBOX_URL=environment.url, OUTBOX_DB=other)
        self.cli("enqueue", text=event("u1"))
        self.cli("run", "--config", config, "--timeout", "3s", environment=variables, db=False)
        self.cli("enqueue", text=event("u2"))
        self.cli("run", "--config", config, "--timeout", "3s", "--url", flag.url, environment=variables, db=False)
        self.assertEqual((flag.end(), section.end()), (1, 1))
        # Also a flag that says what the environment says.
        self.cli("enqueue", text=event("u3"))
        self.cli("run", "--config", config, "--timeout", "3s", f"--url={environment.url}", environment=variables, db=False)
        self.assertEqual(environment.end(), 1)
        self.assertFalse(pathlib.Path(other).exists())

    def test_each_section_is_a_destination_whatever_it_holds(self):
        config = self.folder / "outbox.toml"
        variables = self.environment(OUTBOX_TOKEN="token")
        for name in ("crm", "track"):
            self.cli("enqueue", "--destination", name, text=event("u1"))

        def said(text, code=0):
            config.write_text(text)
            finished = self.cli("run", "--dry-run", "--config", config, environment=variables, code=code)
            return finished.err if code else finished.out

        self.assertEqual(said("[crm]\n"), "would serve crm: 1 event due\n")
        self.assertEqual(said("[track]\n[crm]\n"), "would serve track: 1 event due\nwould serve crm: 1 event due\n")
        self.assertIn("[track]: stands there twice", said("[track]\n[crm]\n[track]\n", 2))
        self.assertIn("[track]: stands there twice", said("[track]\n[track]\n", 2))
        self.assertIn("[crm]: grace is about all destinations", said("[crm]\ngrace = \"1s\"\n", 2))
        self.assertIn("[crm]: a destination's name has no dot", said("[crm.prod]\n", 2))
        for dotted in ('track.url = "x"\n', '[crm]\n[default]\ntrack.url = "x"\n'):
            self.assertIn("[track]: write [track], and its options below it", said(dotted, 2))
        self.assertIn("[track]: a destination's name has no dot", said("[track]\nurl.x = \"y\"\n", 2))

    def test_a_line_of_the_file_is_never_shown(self):
        config = self.folder / "outbox.toml"
        for text in ('[track]\ntoken "s3cret"\n', "s3cret\n", "[s3cret\n"):
            config.write_text(text)
            finished = self.cli("run", "--config", config, code=2)
            self.assertIn("neither NAME = VALUE nor [DESTINATION]", finished.err)
            self.assertNotIn("s3cret", finished.err)
        config.write_text('[track]\nbatch_events = 3\n')
        self.assertIn("[track]: write batch-events with - and not with _",
                      self.cli("run", "--config", config, code=2).err)
        self.assertIn("is a folder", self.cli("run", "--config", self.folder, code=2).err)

    def test_a_check_that_fails_says_so_in_the_format_that_was_asked_for(self):
        missing = self.folder / "missing.db"
        plain = self.cli("check", "--db", missing, db=False, code=3)
        self.assertTrue(plain.out.startswith("OUTBOX UNKNOWN - "))
        said = json.loads(self.cli("check", "--json", "--db", missing, db=False, code=3).out)
        self.assertEqual((said["health"], said["code"]), ("UNKNOWN", 3))
        self.assertIn("missing.db", said["problems"][0]["text"])
        metrics = self.cli("check", "--prometheus", "--db", missing, db=False, code=3)
        self.assertEqual(metrics.out, "")
        self.assertIn("missing.db", metrics.err)
        sqlite3.connect(missing).execute("create table app (id)").connection.close()
        unmigrated = self.cli("check", "--db", missing, db=False, code=3).out
        self.assertIn(f"`outbox migrate --db {missing}`", unmigrated)
        missing.write_text("text")
        self.assertIn(str(missing), self.cli("check", "--db", missing, db=False, code=3).out)
        self.assertTrue(self.cli("check", "--bogus", code=3).out.startswith("OUTBOX UNKNOWN - "))

    def test_a_hold_that_was_there_before_is_told(self):
        refusing = self.endpoint("--status", "503")
        self.cli("enqueue", text=event("u1"))
        self.cli("drain", "--url", refusing.url, "--timeout", "3s", code=1)
        process = self.start("run", "--url", refusing.url)
        process.terminate()
        self.assertIn(b"track: on hold: backing_off: HTTP 503", process.communicate()[1])

    def test_drain_says_what_helps(self):
        refusing = self.endpoint("--status", "401")
        self.cli("enqueue", text=event("u1"))
        said = self.cli("drain", "--url", refusing.url, code=4).err
        self.assertIn("! 1 still pending: HTTP 401", said)
        self.assertIn("renew the token", said)

    def test_why_an_event_was_requeued_is_in_the_audit(self):
        endpoint = self.endpoint()
        self.cli("enqueue", text=event("u1"))
        self.cli("drain", "--url", endpoint.url)
        self.cli("requeue", "1", "--yes", "--reason", "their disk was lost")
        self.assertIn("their disk was lost", self.cli("audit", "--json").out)


class ZzzEverythingWasUsed(CliTest):
    """Last, by its name: what no test above has used is in nobody's contract."""

    def test_every_command_and_flag_was_used(self):
        unused = []
        for name, flags in commands().items():
            used = CliTest.used.get(name, set())
            if name not in CliTest.used:
                unused.append(name)
            unused += [f"{name} {flag}" for flag in sorted(flags - used)]
        self.assertGreater(sum(map(len, commands().values())), 150)
        self.assertEqual([], unused, unused)


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
