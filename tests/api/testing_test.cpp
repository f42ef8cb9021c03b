// What an app's author tests with.

#include "outbox/testing.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <type_traits>

#include "support/database.hpp"

using namespace outbox;
using namespace std::chrono_literals;
namespace ot = outbox::testing;

namespace {

void enqueue_in(ot::TestDatabase& database, const Event& event,
                const EnqueueOptions& options = {}) {
  sqlite3_exec(database.handle(), "begin immediate", nullptr, nullptr, nullptr);
  enqueue(database, event, options);
  sqlite3_exec(database.handle(), "commit", nullptr, nullptr, nullptr);
}

}  // namespace

TEST_CASE("a test database is migrated, and gone afterwards") {
  std::string path;
  {
    ot::TestDatabase database;
    path = database.path();
    CHECK(status(database).counts.enqueued == 0);
    CHECK(std::filesystem::exists(path));
  }
  CHECK_FALSE(std::filesystem::exists(std::filesystem::path{path}.parent_path()));
}

TEST_CASE("a recording endpoint keeps what is sent, and answers as it is told") {
  ot::TestDatabase database;
  ot::RecordingEndpoint endpoint;
  enqueue_in(database, support::event_of("a"));
  endpoint.answer_next(ot::unavailable());

  CHECK(deliver_once(database, endpoint.endpoint(), {}, 0ms).hold == "HTTP 503");
  CHECK(ot::pending(database).size() == 1);
  CHECK(endpoint.requests().size() == 1);
  CHECK(endpoint.accepted().empty());

  CHECK(deliver_once(database, endpoint.endpoint()).delivered == 1);
  REQUIRE(ot::delivered(database).size() == 1);
  CHECK(ot::delivered(database)[0].user_id == "a");
  CHECK(endpoint.accepted() == std::vector<std::string>{ot::delivered(database)[0].payload});
  CHECK(ot::pending(database).empty());
}

TEST_CASE("a recording endpoint refuses what it is told to, and only that dies") {
  ot::TestDatabase database;
  ot::RecordingEndpoint endpoint;
  endpoint.answer_by([](const ot::SentRequest& request) {
    for (const std::string& payload : request.payloads) {
      if (payload.find("\"bad\"") != std::string::npos) return ot::refused("no such plan");
    }
    return ot::accepted();
  });
  for (const char* user : {"a", "bad", "c"}) enqueue_in(database, support::event_of(user));
  Dispatcher dispatcher{
      database.path(), endpoint.endpoint(), {.backoff_min = 1ms, .backoff_max = 1ms}};
  CHECK(dispatcher.wait_until_idle(1min));
  for (int i = 0; i < 600 && ot::dead(database).empty(); ++i) {
    enqueue_in(database, support::event_of("more"));
    CHECK(dispatcher.wait_until_idle(1min));
  }
  REQUIRE(ot::dead(database).size() == 1);
  CHECK(ot::dead(database)[0].user_id == "bad");
  CHECK(ot::dead(database)[0].last_error == "refused: no such plan");
}

TEST_CASE("with a manual clock a scheduled event goes when the test says so") {
  ot::TestDatabase database;
  ot::RecordingEndpoint endpoint;
  ot::ManualClock clock;
  const DispatcherOptions options{.clock = clock.function()};
  enqueue_in(database, support::event_of("later"), {.not_before = clock.now() + 24h});

  CHECK(deliver_once(database, endpoint.endpoint(), options).delivered == 0);
  clock.advance(23h);
  CHECK(deliver_once(database, endpoint.endpoint(), options).delivered == 0);
  clock.advance(2h);
  CHECK(deliver_once(database, endpoint.endpoint(), options).delivered == 1);

  endpoint.answer_by([](const ot::SentRequest&) { return ot::unavailable(); });
  enqueue_in(database, support::event_of("held"));
  CHECK(deliver_once(database, endpoint.endpoint(), options).hold == "HTTP 503");  // at once
}

TEST_CASE("the headers say the version of the library") {
  CHECK(std::to_string(OUTBOX_VERSION_MAJOR) + "." + std::to_string(OUTBOX_VERSION_MINOR) + "." +
            std::to_string(OUTBOX_VERSION_PATCH) ==
        version());
}

TEST_CASE("events and requests read well") {
  std::ostringstream out;
  out << ot::StoredEvent{.destination = "track",
                         .event_name = "invite_sent",
                         .user_id = "u",
                         .ordering_key = "k",
                         .payload = "{}",
                         .last_error = "refused"}
      << "\n"
      << ot::SentRequest{.kind = "group", .payloads = {"{}", "{}"}};
  CHECK(out.str() == "track track invite_sent u key=k (refused) {}\ngroup [{},{}]");
}

TEST_CASE("properties are text, and a JSON value does not compile as one") {
  static_assert(std::is_convertible_v<std::string, JsonText>);
  static_assert(std::is_convertible_v<const char*, JsonText>);
  static_assert(!std::is_convertible_v<nlohmann::json, JsonText>);
  CHECK(TrackEvent{.properties = R"({"a":1})"}.properties.text() == R"({"a":1})");
}

TEST_CASE("an answer may ask what has come before") {
  ot::TestDatabase database;
  ot::RecordingEndpoint endpoint;
  endpoint.answer_by([&](const ot::SentRequest&) {
    return endpoint.requests().empty() ? ot::unavailable() : ot::accepted();
  });
  enqueue_in(database, support::event_of("a"));
  CHECK(deliver_once(database, endpoint.endpoint(), {}, 0ms).hold == "HTTP 503");
  CHECK(deliver_once(database, endpoint.endpoint()).delivered == 1);
}
