// retry, discard, requeue, pause, resume, prune and erase, as programs against real files.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "support/database.hpp"
#include "support/process.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using nlohmann::json;
using support::Finished;

namespace {

// Ids 1 to 4: delivered, pending, dead, retrying; 5 pending for another destination.
struct FiveEvents {
  FiveEvents() {
    app.enqueue(support::amy());
    outbox::deliver_once(app.db(), support::endpoint_of(server));
    app.enqueue_many(3);
    app.enqueue(support::event_of("user-9"), {.destination = "crm"});
    app.db().exec(
        "update outbox_queue set state = 4, settled_at_ms = 5, last_error = 'refused: HTTP 400'"
        " where event = 3;"
        "update outbox_queue set state = 3, refusals = 2, refused_in = 1,"
        " due_at_ms = 4000000000000 where event = 4");
  }

  Finished run(std::vector<std::string> arguments, const std::string& input = {}) const {
    arguments.insert(arguments.begin(), OUTBOX_CLI);
    arguments.insert(arguments.end(), {"--db", app.path()});
    return support::run(arguments, {{"TZ", "UTC"}}, input);
  }
  json result(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--json", "--yes"});
    return json::parse(run(std::move(arguments)).out);
  }
  // Everything that a change could touch.
  std::string contents() {
    return app.text(
        "select (select group_concat(id || state || payload || due_at_ms || refusals) from"
        " outbox_event_states) || (select group_concat(name || coalesce(paused_at_ms, '') ||"
        " probes_asked || removed) from outbox_destinations) || (select count(*) from"
        " outbox_audit)");
  }

  track_server::TrackServer server;
  support::AppDatabase app;
};

}  // namespace

TEST_CASE("retry, discard and requeue change what was named, and say how much") {
  FiveEvents events;
  CHECK(events.result({"retry", "3"}) == json{{"retried", 1}});
  CHECK(events.app.count("state = 'pending' and id = 3 and refusals = 0") == 1);
  CHECK(events.result({"retry", "--state", "retrying"}) == json{{"retried", 1}});
  CHECK(events.result({"discard", "2", "3", "--reason", "no user"}) == json{{"discarded", 2}});
  CHECK(events.app.count("state = 'discarded' and last_error = 'discarded: no user'") == 2);
  CHECK(events.result({"requeue", "--since", "1h", "--event", "invite_sent"}) ==
        json{{"requeued", 1}});
  CHECK(events.run({"retry", "--all", "--yes"}).code == 3);
  CHECK(events.app.text("select group_concat(action) from outbox_audit") ==
        "retry,retry,discard,requeue");
  CHECK(events.app.text("select distinct actor from outbox_audit").find("uid") ==
        std::string::npos);
}

TEST_CASE("ids that a change leaves alone are named, with the reason") {
  FiveEvents events;
  const Finished mixed = events.run({"retry", "1", "2", "3", "77", "--yes"});
  CHECK(mixed.code == 0);
  CHECK(mixed.out == "1 event retried\n");
  CHECK(mixed.err == "! 1: delivered; `outbox requeue 1 --db " + events.app.path() +
                         "` would send it again\n"
                         "! 2: pending and due already; `outbox explain 2 --db " +
                         events.app.path() +
                         "` says what it waits for\n"
                         "! 77: no such event\n");
  CHECK(events.run({"discard", "1", "--reason", "x", "--yes"}).code == 3);
  CHECK(events.run({"retry", "5", "--destination", "track", "--yes"}).code == 3);
}

TEST_CASE("no bulk change without ids, a filter or --all, and none without --yes") {
  FiveEvents events;
  const std::string before = events.contents();
  const std::vector<std::vector<std::string>> refused = {
      {"retry", "--yes"},
      {"retry", "--destination", "track", "--yes"},
      {"retry", "--limit", "5", "--yes"},
      {"requeue", "--yes"},
      {"discard", "--reason", "x", "--yes"},
      {"discard", "3", "--yes"},  // without a reason
      {"retry", "3", "--all", "--yes"},
      {"retry", "--state", "delivered", "--yes"},
      {"retry", "--state", "nonsense", "--yes"},
      {"retry", "abc", "--yes"},
      {"erase", "--yes"},
      {"erase", "--email", "a@b.com", "--user", "u", "--yes"},
      {"erase", "--email", "amy@achme.com", "--destination", "track", "--yes"},
      {"erase", "--email", "invite_sent", "--yes"},
      {"retry", "3", "--limit", "1", "--yes"},
      {"prune", "--older-than", "soon", "--yes"},
      {"pause", "--destination", "Not A Name", "--yes"},
      // nobody to ask
      {"retry", "3"},
      {"retry", "--all"},
      {"discard", "3", "--reason", "x"},
      {"requeue", "1"},
      {"pause"},
      {"prune", "--older-than", "0ms"},
      {"erase", "--email", "amy@achme.com"},
  };
  for (const auto& arguments : refused) {
    CAPTURE(arguments);
    const Finished finished = events.run(arguments);
    CHECK(finished.code == 2);
    CHECK(finished.out == "");
    CHECK(finished.err.rfind("outbox: ", 0) == 0);
  }
  CHECK(events.contents() == before);
}

TEST_CASE("a dry run of every command says what it would do, and does nothing") {
  FiveEvents events;
  const std::string before = events.contents();
  struct Row {
    std::vector<std::string> arguments;
    std::string out;
    json result;
  };
  const Row rows[] = {
      {{"retry", "--all"}, "would retry 2 events\n", {{"retried", 2}}},
      {{"discard", "--all", "--reason", "x"},
       "would discard 4 events (crm 1, track 3)\n",
       {{"discarded", 4}}},
      {{"requeue", "1"}, "would requeue 1 event\n", {{"requeued", 1}}},
      {{"prune", "--older-than", "0ms"}, "would prune 1 event\n", {{"pruned", 1}}},
      {{"erase", "--email", "amy@achme.com"},
       "would erase 1 event\n  event 1  payload: invitee_email\n",
       {{"erased", 1},
        {"may_still_be_sent_by", nullptr},
        {"wal_truncated", false},
        {"found", {{{"id", 1}, {"place", "payload: invitee_email"}}}}}},
      {{"pause"},
       "would pause track: nothing is sent until `outbox resume --destination track --db " +
           events.app.path() + "`; events are kept\n",
       {{"destination", "track"}, {"paused", true}}},
      {{"resume"},
       "would change nothing of track\n",
       {{"destination", "track"}, {"paused", false}}},
  };
  for (Row row : rows) {
    CAPTURE(row.out);
    row.arguments.emplace_back("--dry-run");
    const Finished text = events.run(row.arguments);
    CHECK(text.code == 0);
    CHECK(text.out == row.out);
    row.result["dry_run"] = true;
    CHECK(events.result(row.arguments) == row.result);
  }
  CHECK(events.contents() == before);
}

TEST_CASE("pause stops what drain would send, resume lets it go, and both are in the audit") {
  FiveEvents events;
  const auto drain = [&] {
    return support::run(
        {OUTBOX_CLI, "drain", "--db", events.app.path(), "--url", events.server.url()},
        {{"OUTBOX_TOKEN", "t"}});
  };
  CHECK(events.result({"pause", "--reason", "maintenance"}) ==
        json{{"destination", "track"}, {"paused", true}});
  CHECK(drain().code == 1);
  CHECK(events.server.event_count() == 1);
  const json status = json::parse(events.run({"status", "--json"}).out);
  CHECK(status["destinations"][1]["paused"]["reason"] == "maintenance");
  CHECK(events.run({"explain", "2"}).out.find("maintenance") != std::string::npos);

  CHECK(events.result({"resume"}) == json{{"destination", "track"}, {"paused", false}});
  CHECK(events.run({"resume", "--yes"}).err == "! track was not paused\n");
  const Finished typo = events.run({"pause", "--destination", "trck", "--yes"});
  CHECK(typo.code == 2);
  CHECK(typo.err.find("did you mean track? Give --new if it is a new one") != std::string::npos);
  drain();
  CHECK(events.server.event_count() >= 2);
  CHECK(events.app.text("select group_concat(action || coalesce(reason, '')) from outbox_audit") ==
        "pausemaintenance,resume");
}

TEST_CASE("prune removes delivered and discarded events by their age, and counts them") {
  FiveEvents events;
  events.app.db().exec("update outbox_queue set state = 5, settled_at_ms = 5 where event = 2");
  CHECK(events.result({"prune", "--older-than", "1d"}) == json{{"pruned", 1}});
  CHECK(events.run({"prune", "--older-than", "0ms", "--yes"}).out == "1 event pruned\n");
  CHECK(events.run({"prune", "--older-than", "0ms", "--yes"}).code == 3);
  const json status = json::parse(events.run({"status", "--json"}).out);
  CHECK(status["removed"] == 2);
  CHECK(status["enqueued"] == 5);
}

TEST_CASE("erase takes a person out of the queue, by address, user or group") {
  FiveEvents events;
  CHECK(events.result({"erase", "--email", "Amy@achme.com"}) ==
        json{{"erased", 1}, {"may_still_be_sent_by", nullptr}, {"wal_truncated", true}});
  CHECK(events.run({"erase", "--user", "user-2", "--yes"}).out == "1 event erased\n");
  CHECK(events.run({"erase", "--email", "-", "--yes"}, "tom@achme.com \r\n").code == 3);
  CHECK(events.run({"erase", "--group", "nobody", "--yes"}).code == 3);
  CHECK(events.app.count("1") == 3);
  CHECK(events.app.text("select group_concat(subject) from outbox_audit") == "by e-mail,by user");
}

TEST_CASE("show tells of a dead event what can be done about it") {
  FiveEvents events;
  const auto fix = [&events] {
    const std::string screen = events.run({"show", "3"}).out;
    return screen.substr(screen.find("fix "));
  };
  const std::string db = " --db " + events.app.path();
  CHECK(fix() ==
        "fix       outbox retry 3" + db + "\n          outbox discard 3 --reason …" + db + "\n");
  // It was never sent, and never can be.
  events.app.db().exec(
      "update outbox_queue set last_error = 'unsendable: required' where event = 3");
  CHECK(fix() == "fix       outbox discard 3 --reason …" + db + "\n");
}
