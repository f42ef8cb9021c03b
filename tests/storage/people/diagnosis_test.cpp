// What somebody with SQL can do to the tables is found, and repaired where nothing is lost by it.

#include <doctest/doctest.h>

#include <map>

#include "storage/people/integrity.hpp"
#include "support/database.hpp"
#include "support/steps.hpp"

namespace {

using outbox::Finding;

std::map<std::string, Finding> findings(support::AppDatabase& app) {
  std::map<std::string, Finding> found;
  for (Finding& finding : outbox::diagnose(app.db())) found[finding.name] = std::move(finding);
  return found;
}

// Three delivered events, and two that wait.
struct Desk {
  Desk() {
    app.enqueue_many(5);
    app.mark_delivered(1, 3);
  }
  support::AppDatabase app;
};

}  // namespace

TEST_CASE("a database as the library leaves it has no findings") {
  Desk desk;
  const auto found = findings(desk.app);
  CHECK(found.size() == 5);
  for (const auto& [name, finding] : found) {
    CAPTURE(name);
    CAPTURE(finding.text);
    CHECK(finding.level == Finding::Level::good);
  }
  const outbox::RepairReport report = outbox::repair(desk.app.db());
  CHECK(report.queued + report.unqueued + report.recounted == 0);
  CHECK(desk.app.number("select count(*) from outbox_audit") == 0);
}

TEST_CASE("each kind of damage is named") {
  struct Row {
    const char* damage;
    const char* name;
    Finding::Level level;
    bool is_repairable;
    const char* text;
  };
  const Row rows[] = {
      {"delete from outbox_queue where event = 4", "queue", Finding::Level::problem, true,
       "1 event in the log, neither queued nor delivered, the first is 4"},
      {"insert into outbox_queue (destination, event, enqueued_at_ms) values ('track', 99, 1)",
       "queue", Finding::Level::problem, true, "have no event in the log"},
      {"update outbox_queue set state = 1, ordering_key = 'k' where event = 4", "queue",
       Finding::Level::problem, true, "1 event waiting for an earlier one of their ordering key"},
      {"update outbox_queue set destination = 'other' where event = 4", "queue",
       Finding::Level::problem, false, "another destination or ordering key"},
      {"update outbox_destinations set delivered = 5", "counters", Finding::Level::problem, true,
       "of track is 2 too high"},
      {"insert into outbox_events (id, payload) values (100, '{}')", "counters",
       Finding::Level::warning, false, "differ by 94"},
      {"drop index outbox_dedupe", "schema", Finding::Level::problem, false,
       "index outbox_dedupe is missing"},
      {"drop trigger outbox_enqueue; create trigger outbox_enqueue after insert on outbox_events"
       " begin select 1; end",
       "schema", Finding::Level::problem, false, "trigger outbox_enqueue is not as"},
      {"create index own on outbox_events (kind)", "schema", Finding::Level::warning, false,
       "index own is not the library's"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.damage);
    Desk desk;
    desk.app.db().exec(row.damage);
    const Finding finding = findings(desk.app)[row.name];
    CAPTURE(finding.text);
    CHECK(finding.level == row.level);
    CHECK(finding.is_repairable == row.is_repairable);
    CHECK(finding.text.find(row.text) != std::string::npos);
  }
}

TEST_CASE("a repair does what it says, once, and a dry run nothing") {
  Desk desk;
  desk.app.db().exec(
      "delete from outbox_queue where event = 4;"
      "insert into outbox_queue (destination, event, enqueued_at_ms) values ('track', 99, 1);"
      "update outbox_destinations set delivered = 5");

  const auto dry = outbox::repair(desk.app.db(), {}, outbox::Mode::dry_run);
  CHECK(desk.app.number("select count(*) from outbox_queue") == 2);
  const auto report = outbox::repair(desk.app.db(), {.actor = "ann", .reason = "doctor"});

  for (const outbox::RepairReport& each : {dry, report}) {
    CHECK(each.queued == 1);
    CHECK(each.unqueued == 1);
    CHECK(each.recounted == 1);
  }
  for (const auto& [name, finding] : findings(desk.app)) {
    CAPTURE(name);
    CAPTURE(finding.text);
    CHECK(finding.level == Finding::Level::good);
  }
  CHECK(desk.app.text("select group_concat(event) from outbox_queue") == "4,5");
  CHECK(desk.app.text("select action || actor || reason from outbox_audit") == "repairanndoctor");
}

TEST_CASE("what was never queued changes no counter of a destination that nobody has served") {
  support::AppDatabase app;
  app.enqueue_many(2);
  app.db().exec("delete from outbox_queue where event = 2");
  REQUIRE(app.number("select count(*) from outbox_destinations") == 0);

  const auto found = findings(app);
  CHECK(found.at("queue").level == Finding::Level::problem);
  CHECK(found.at("counters").text.find("of track") == std::string::npos);
  const auto report = outbox::repair(app.db());
  CHECK(report.queued == 1);
  CHECK(report.recounted == 0);
}

TEST_CASE("a repair does not read the log while writers wait") {
  support::AppDatabase app;
  app.enqueue_many(3'001);
  app.mark_delivered(1, 3'000);
  app.db().exec("delete from outbox_queue where event = 3001");

  outbox::RepairReport report;
  const auto steps =
      support::count_steps(app.db().getHandle(), [&] { report = outbox::repair(app.db()); });
  CHECK(report.queued == 1);
  CHECK(steps.all > 3'000);
  CHECK(steps.while_writing > 0);
  CHECK(steps.while_writing < 1'000);
}

TEST_CASE("a repair of a counter does not read the queue while writers wait") {
  support::AppDatabase app;
  app.enqueue_many(3'000);
  app.db().exec("insert into outbox_destinations (name, delivered) values ('track', 1)");

  outbox::RepairReport report;
  const auto steps =
      support::count_steps(app.db().getHandle(), [&] { report = outbox::repair(app.db()); });
  CHECK(report.recounted == 1);
  CHECK(steps.while_writing > 0);
  CHECK(steps.while_writing < 1'000);
}

TEST_CASE("a repair lets go what waits for an event that is not there") {
  support::AppDatabase app;
  for (int i = 0; i < 3; ++i) app.enqueue(support::event_of("u"), {.ordering_key = "key"});
  app.db().exec(
      "update outbox_queue set state = 1 where event > 1;"
      "delete from outbox_events where id = 1");

  const auto dry = outbox::repair(app.db(), {}, outbox::Mode::dry_run);
  const auto report = outbox::repair(app.db());

  for (const outbox::RepairReport& each : {dry, report}) {
    CHECK(each.queued == 1);
    CHECK(each.unqueued == 1);
  }
  CHECK(app.text("select group_concat(event || ' ' || state) from outbox_queue") == "2 0,3 1");
  CHECK(findings(app)["queue"].level == Finding::Level::good);
}

TEST_CASE("events are listed page by page, from either end") {
  support::AppDatabase app;
  app.enqueue_many(5);
  const auto ids = [&app](const outbox::EventFilter& filter,
                          const outbox::ListOptions& options = {}) {
    std::string text;
    for (const auto& detail : outbox::list_details(app.db(), filter, options)) {
      text += std::to_string(detail.event.id);
    }
    return text;
  };
  CHECK(ids({}, {.limit = 2}) == "12");
  CHECK(ids({}, {.limit = 2, .after_id = 2}) == "34");
  CHECK(ids({}, {.limit = 2, .order = outbox::Order::newest_first}) == "54");
  CHECK(ids({}, {.limit = 2, .order = outbox::Order::newest_first, .after_id = 4}) == "32");
  CHECK(ids({.state = outbox::EventState::pending},
            {.order = outbox::Order::newest_first, .after_id = 4}) == "321");
  app.db().exec("update outbox_queue set state = 4, settled_at_ms = event * 1000 where event > 2");
  const std::chrono::system_clock::time_point four{std::chrono::seconds{4}};
  CHECK(ids({.settled_since = four}) == "45");
  CHECK(ids({.state = outbox::EventState::dead, .settled_since = four}) == "45");
}

TEST_CASE("the rows of an erasure that was interrupted are no damage, and no events") {
  Desk desk;
  desk.app.db().exec(
      "pragma ignore_check_constraints = on;"
      "insert into outbox_events (id, event_id, payload) values (-1, '', '  ');"
      "delete from outbox_queue where event = -1;"
      "pragma ignore_check_constraints = off");

  auto found = findings(desk.app);

  CHECK(found["integrity"].level == Finding::Level::warning);
  CHECK(found["integrity"].text.find("run `outbox erase` again") != std::string::npos);
  CHECK(found["queue"].level == Finding::Level::good);
  CHECK(found["counters"].level == Finding::Level::good);
  CHECK(desk.app.number("pragma ignore_check_constraints") == 0);
  CHECK(desk.app.count("1") == 5);
  CHECK(outbox::list_events(desk.app.db()).size() == 5);
  outbox::erase(outbox::DatabaseFile{desk.app.path()}, outbox::Subject::user("nobody"));
  CHECK(findings(desk.app)["integrity"].level == Finding::Level::good);
}

TEST_CASE(
    "a statement of the dispatcher that reads a whole table is named, one of the host's not") {
  support::AppDatabase app;
  SQLite::Statement host{app.db(), "select * from outbox_events"};
  CHECK(outbox::storage::look_at_plans(app.db().getHandle()).level == outbox::Finding::Level::good);

  app.db().exec("drop index outbox_requests_undelivered");

  const outbox::Finding finding = outbox::storage::look_at_plans(app.db().getHandle());
  CHECK(finding.level == outbox::Finding::Level::problem);
  CHECK(finding.text.find("(SCAN main.outbox_requests)") != std::string::npos);
}
