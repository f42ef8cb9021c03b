// A time that cannot be is an error at every border, and changes nothing.

#include <doctest/doctest.h>

#include <chrono>

#include "support/database.hpp"

namespace {

using std::chrono::system_clock;
using Time = system_clock::time_point;
using std::chrono::hours;

const Time before_1970{hours{-1}};
const Time soon = system_clock::now() + hours{1};

struct Case {
  const char* named;  // by the error
  outbox::EventFilter filter;
};

std::vector<Case> impossible() {
  return {{"since", {.since = before_1970}},
          {"since", {.since = Time::min()}},
          {"until", {.until = before_1970}},
          {"until", {.since = soon, .until = soon}},
          {"until", {.since = soon + hours{1}, .until = soon}},
          {"settled_since", {.settled_since = before_1970}}};
}

template <class Action>
void check_refused(const char* named, Action action) {
  CAPTURE(named);
  try {
    action();
    FAIL("nothing was thrown");
  } catch (const std::invalid_argument& error) {
    CHECK(std::string{error.what()}.find(std::string{named} + ": ") != std::string::npos);
  }
}

}  // namespace

TEST_CASE("a filter with a time that cannot be lists nothing and changes nothing") {
  support::AppDatabase app;
  app.enqueue(support::amy());
  const int before = app.db().getTotalChanges();
  for (const Case& wrong : impossible()) {
    check_refused(wrong.named,
                  [&] { static_cast<void>(outbox::list_events(app.db(), wrong.filter)); });
    check_refused(wrong.named,
                  [&] { static_cast<void>(outbox::list_details(app.db(), wrong.filter)); });
    const auto chosen = outbox::Selection::matching(wrong.filter);
    const outbox::ChangeNote note{.reason = "a slip"};
    check_refused(wrong.named, [&] { outbox::discard(app.db(), chosen, note); });
    check_refused(wrong.named, [&] { outbox::retry(app.db(), chosen, note); });
    check_refused(wrong.named, [&] { outbox::requeue(app.db(), chosen, note); });
  }
  CHECK(app.db().getTotalChanges() == before);
}

TEST_CASE("an event is not scheduled for a time that cannot be") {
  support::AppDatabase app;
  for (const Time due : {before_1970, Time::min()}) {
    check_refused("not_before", [&] { app.enqueue(support::amy(), {.not_before = due}); });
  }
  CHECK(outbox::status(app.db()).counts.enqueued == 0);
}

TEST_CASE("an event of a year that four digits cannot hold is refused") {
  support::AppDatabase app;
  using Micro = std::chrono::sys_time<std::chrono::microseconds>;
  const auto year = [](int number) {
    return Micro{std::chrono::sys_days{std::chrono::year{number} / 1 / 1}};
  };
  for (const int number : {-1, 10'000, 30'000}) {
    outbox::InviteSent invite = support::amy();
    invite.timestamp = year(number);
    CHECK_THROWS_AS(app.enqueue(invite), outbox::invalid_event);
  }
  outbox::InviteSent invite = support::amy();
  invite.timestamp = year(9'999);
  CHECK(app.enqueue(invite) == 1);
}

TEST_CASE("a time that plain SQL wrote beyond the clock's end is shown as late, not as long ago") {
  support::AppDatabase app;
  const std::int64_t id = app.enqueue(support::amy(), {.not_before = soon});
  for (const char* ms : {"253402300799000", "9223372036854775807", "9223372036855"}) {
    app.db().exec("update outbox_events set due_at_ms = " + std::string{ms} +
                  "; update outbox_queue set due_at_ms = " + ms);
    const auto found = outbox::find_event(app.db(), id);
    REQUIRE(found);
    REQUIRE(found->event.due_at);
    CHECK(*found->event.due_at > soon);
    CHECK(outbox::status(app.db()).counts.scheduled == 1);
  }
}
