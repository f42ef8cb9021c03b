// A dispatcher that cannot go on lets another one, and one that is let down by its database does
// not forget how it is to serve.

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <stdexcept>

#include "dispatch/lock.hpp"
#include "outbox/testing.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using support::becomes_true;
using testing::RecordingEndpoint;

namespace {

// The dispatcher's writes of the log fail as long as it is there.
class Trouble {
 public:
  explicit Trouble(support::AppDatabase& app) : app_{app} {
    app_.db().exec(
        "create trigger trouble before insert on outbox_requests"
        " begin select raise(abort, 'trouble'); end");
  }
  ~Trouble() { app_.db().exec("drop trigger trouble"); }
  Trouble(const Trouble&) = delete;
  Trouble& operator=(const Trouble&) = delete;

 private:
  support::AppDatabase& app_;
};

bool has_trouble(const Dispatcher& dispatcher) {
  return becomes_true([&] { return !dispatcher.stats().database_trouble.empty(); });
}

}  // namespace

TEST_CASE("where one dispatcher cannot open the database any more, another one delivers") {
  support::AppDatabase app;
  RecordingEndpoint endpoint;
  std::atomic<bool> is_broken = false;
  const DatabaseFile only_once{app.path(), "", [&](sqlite3*) {
                                 if (is_broken) throw std::runtime_error{"no key"};
                               }};
  Dispatcher first{only_once, endpoint.endpoint()};
  REQUIRE(becomes_true([&] { return first.stats().is_active; }));
  Dispatcher second{app.path(), endpoint.endpoint()};
  is_broken = true;
  std::filesystem::rename(app.path(), app.path() + ".away");
  REQUIRE(has_trouble(first));
  std::filesystem::rename(app.path() + ".away", app.path());
  app.enqueue(support::event_of("ann"));
  CHECK(becomes_true([&] { return second.stats().is_active; }));
  CHECK_FALSE(first.stats().is_active);
  CHECK(becomes_true([&] { return app.count("state = 'delivered'") == 1; }));
}

TEST_CASE("a dispatcher leaves a database alone that a newer version migrates under it") {
  support::AppDatabase app;
  RecordingEndpoint endpoint;
  std::atomic<int> stood_by = 0;
  Dispatcher dispatcher{app.path(), endpoint.endpoint(), {.observer = [&](const Notice& notice) {
                          if (notice.kind == Notice::Kind::standby) ++stood_by;
                        }}};
  app.enqueue(support::event_of("ann"));
  REQUIRE(becomes_true([&] { return app.count("state = 'delivered'") == 1; }));
  app.db().exec(
      "begin immediate; alter table outbox_queue add column newer integer;"
      " insert into outbox_migrations (version, name, applied_at_ms, library)"
      " values (2, '0002_newer', 1, '2.0.0');"
      " insert into outbox_events (payload) values"
      R"( ('{"event_name":"e","user_id":"u","timestamp":"2026-11-29T00:00:00Z"}');)"
      " commit");
  CHECK(becomes_true([&] { return stood_by > 0; }));
  CHECK(dispatcher.stats().database_trouble.find("schema 2") != std::string::npos);
  CHECK_FALSE(dispatch::active_dispatcher(app.path(), "track"));
  CHECK(app.text("select count(*) from outbox_queue") == "1");
  CHECK(endpoint.requests().size() == 1);
}

TEST_CASE("a destination whose row is gone is served anew, and its searches are found") {
  support::AppDatabase app;
  RecordingEndpoint endpoint;
  std::atomic<bool> is_up = false;
  endpoint.answer_by([&](const auto&) { return is_up ? testing::accepted() : testing::lost(); });
  Dispatcher dispatcher{app.path(), endpoint.endpoint(), {.backoff_min = 1ms, .backoff_max = 5ms}};
  for (int i = 0; i < 3; ++i) app.enqueue(support::event_of("u"));
  REQUIRE(becomes_true([&] { return endpoint.requests().size() > 2; }));
  app.db().exec("delete from outbox_destinations");
  app.enqueue(support::event_of("v"));
  REQUIRE(
      becomes_true([&] { return app.text("select count(*) from outbox_destinations") == "1"; }));
  is_up = true;
  CHECK(becomes_true([&] { return app.count("state = 'delivered'") == 4; }));
}

TEST_CASE("what is recorded while a dispatcher stops is scrubbed, too") {
  support::AppDatabase app;
  RecordingEndpoint endpoint;
  Dispatcher dispatcher{app.path(), endpoint.endpoint(), {.scrubs_delivered = true}};
  REQUIRE(becomes_true([&] { return dispatcher.stats().is_active; }));
  {
    const Trouble trouble{app};
    app.enqueue(support::event_of("amy"));
    REQUIRE(has_trouble(dispatcher));
  }
  CHECK(dispatcher.stop(support::long_enough));
  CHECK(app.count("state = 'delivered'") == 1);
  CHECK(app.text("select payload from outbox_events") == "{}");
}
