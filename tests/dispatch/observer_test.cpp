// What a dispatcher tells of itself, and what it never does.

#include <doctest/doctest.h>

#include <map>
#include <mutex>

#include "support/database.hpp"
#include "support/eventually.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using support::becomes_true;
using support::endpoint_of;
using track_server::TrackServer;

namespace {

// Keeps what it is told.
class Diary {
 public:
  Observer observer() {
    return [this](const Notice& notice) {
      const std::lock_guard guard{mutex_};
      notices_.push_back(notice);
    };
  }
  std::vector<Notice> of(Notice::Kind kind) const {
    const std::lock_guard guard{mutex_};
    std::vector<Notice> found;
    for (const Notice& notice : notices_) {
      if (notice.kind == kind) found.push_back(notice);
    }
    return found;
  }
  bool has(Notice::Kind kind) const { return !of(kind).empty(); }
  std::string all_texts() const {
    const std::lock_guard guard{mutex_};
    std::string texts;
    for (const Notice& notice : notices_) texts += notice.text + "\n";
    return texts;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Notice> notices_;
};

DispatcherOptions with(const Observer& observer) {
  DispatcherOptions options{.backoff_min = 1ms, .backoff_max = 10ms};
  options.observer = observer;
  return options;
}

}  // namespace

TEST_CASE("the host is told of requests, holds, their end, deaths and elections") {
  using Kind = Notice::Kind;
  TrackServer server;
  server.misbehave({.status = 503, .requests_max = 1});
  support::AppDatabase app;
  app.enqueue_many(3);
  const std::int64_t rubbish = app.insert(R"({"event_name":"e"})");
  Diary diary;
  Diary other;
  {
    const Dispatcher dispatcher{app.path(), endpoint_of(server, "s3cret"), with(diary.observer())};
    REQUIRE(becomes_true([&] { return diary.has(Kind::active); }));
    const Dispatcher second{app.path(), endpoint_of(server, "s3cret"), with(other.observer())};
    CHECK(becomes_true([&] { return diary.has(Kind::resumed) && diary.has(Kind::dead); }));
    CHECK(becomes_true([&] { return other.has(Kind::standby); }));
    CHECK(server.wait_for_events(3, support::long_enough));
  }

  const Notice failed = diary.of(Kind::request).at(0);
  CHECK(failed.destination == "track");
  CHECK(failed.text == "HTTP 503");
  CHECK(failed.status == 503);
  CHECK(failed.events == 3);
  CHECK(failed.verdict == Verdict::failed);
  CHECK(diary.of(Kind::request).at(1).text == "delivered");
  CHECK(diary.of(Kind::hold).at(0).text == "backing_off: HTTP 503");
  CHECK(diary.of(Kind::dead).at(0).id == rubbish);
  CHECK(diary.of(Kind::dead).at(0).text == "unsendable: user_id: required");
  CHECK(diary.of(Kind::standby).empty());
}

TEST_CASE("what the endpoint says is not passed on: it may quote people and tokens") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue_many(5);
  app.enqueue(support::amy());
  server.misbehave({.status = 422,
                    .body = R"({"message":"no Amy Frank, amy@achme.com, s3cret"})",
                    .only_with = "amy@achme.com"});
  Diary diary;
  Dispatcher dispatcher{app.path(), endpoint_of(server, "s3cret"), with(diary.observer())};
  REQUIRE(becomes_true([&] { return diary.has(Notice::Kind::dead); }));
  dispatcher.stop();

  CHECK(diary.of(Notice::Kind::dead).at(0).text == "refused: HTTP 422");
  const std::string texts = diary.all_texts();
  for (const char* canary : {"Amy", "Frank", "achme", "s3cret"}) {
    CAPTURE(canary);
    CHECK(texts.find(canary) == std::string::npos);
  }
  // The request log says so, and nothing of it.
  CHECK(app.text("select reason from outbox_requests where outcome = 'refused' limit 1") ==
        "HTTP 422: (it quotes the credential)");
}

TEST_CASE("the host is given the headers of what was delivered, and of nothing else") {
  using Headers = MessageHeaders;
  TrackServer server;
  support::AppDatabase app;
  const auto enqueue = [&](const char* user, const Headers& headers) {
    return app.enqueue(support::event_of(user), {.headers = headers});
  };
  const std::int64_t first = enqueue("a", {{"traceparent", "00-a"}, {"tenant", "7"}});
  enqueue("b", {});
  enqueue("refused", {{"traceparent", "00-b"}});
  const std::int64_t last = enqueue("c", {{"traceparent", "00-c"}});
  server.misbehave({.status = 422, .only_with = "refused"});
  Diary diary;
  {
    Dispatcher dispatcher{app.path(), endpoint_of(server, "s3cret"), with(diary.observer())};
    REQUIRE(becomes_true([&] { return diary.has(Notice::Kind::dead); }));
    REQUIRE(becomes_true([&] { return app.count("state = 'delivered'") == 3; }));
  }

  std::map<std::int64_t, TracedEvent> traced;
  std::size_t delivered = 0;
  for (const Notice& notice : diary.of(Notice::Kind::request)) {
    if (notice.verdict == Verdict::delivered) delivered += notice.events;
    for (const TracedEvent& event : notice.traced) {
      CHECK(notice.verdict == Verdict::delivered);
      CHECK(traced.emplace(event.id, event).second);  // once each
    }
  }
  CHECK(delivered == 3);
  REQUIRE(traced.size() == 2);
  CHECK(traced[first].headers == Headers{{"traceparent", "00-a"}, {"tenant", "7"}});
  CHECK(traced[last].headers == Headers{{"traceparent", "00-c"}});
  const std::string event_id =
      app.text("select event_id from outbox_events where id = " + std::to_string(last));
  CHECK(traced[last].event_id == event_id);
  CHECK(traced[last].enqueued_at > std::chrono::system_clock::now() - 1h);
  CHECK(diary.all_texts().find("00-a") == std::string::npos);
}

TEST_CASE("an observer that throws harms nothing") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue_many(3);
  const Dispatcher dispatcher{app.path(), endpoint_of(server, "s3cret"),
                              with([](const Notice&) { throw 1; })};
  CHECK(server.wait_for_events(3, support::long_enough));
  CHECK(becomes_true([&] { return app.count("state = 'delivered'") == 3; }));
}

TEST_CASE("a hold that began in an earlier process is told after the election") {
  using Kind = Notice::Kind;
  support::AppDatabase app;
  TrackServer server;
  server.misbehave({.status = 503});
  app.enqueue_many(1);
  DispatcherOptions options{.backoff_min = 1h, .backoff_max = 2h};
  REQUIRE(becomes_true(
      [&] { return !deliver_once(app.path(), endpoint_of(server), options, 1s).hold.empty(); }));
  Diary diary;
  options.observer = diary.observer();

  Dispatcher dispatcher{app.path(), endpoint_of(server), options};

  CHECK(becomes_true([&] { return diary.has(Kind::hold); }));
  CHECK(diary.all_texts().find("delivers from here on\nbacking_off: HTTP 503\n") !=
        std::string::npos);
  const Notice hold = diary.of(Kind::hold).at(0);
  CHECK(hold.hold_kind == HoldKind::backing_off);
  CHECK_FALSE(hold.verdict);  // it is about no request
  CHECK(becomes_true([&] { return dispatcher.stats().hold_kind == HoldKind::backing_off; }));
}

TEST_CASE("a pause that began before the election is told with it") {
  support::AppDatabase app;
  TrackServer server;
  app.enqueue_many(1);
  pause(app.db(), "track", {.reason = "their maintenance"});
  Diary diary;
  Dispatcher dispatcher{app.path(), endpoint_of(server), with(diary.observer())};
  REQUIRE(becomes_true([&] { return diary.has(Notice::Kind::active); }));
  CHECK(diary.all_texts().find("is paused: delivers when it is resumed") != std::string::npos);
}
