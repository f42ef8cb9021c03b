// A name server that does not answer: getaddrinfo is this program's own, for libcurl too.

#include <doctest/doctest.h>
#include <netdb.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/database.hpp"
#include "support/eventually.hpp"

namespace {

std::atomic<bool> is_asked = false;
std::atomic<bool> may_answer = false;
std::atomic<bool> has_answered = false;

}  // namespace

extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char*, const char*,
                                                                  const addrinfo*, addrinfo**) {
  is_asked = true;
  support::becomes_true([] { return may_answer.load(); });
  has_answered = true;
  return EAI_AGAIN;
}

TEST_CASE("stop does not wait for a name server") {
  using support::becomes_true;
  support::AppDatabase app;
  app.enqueue(support::event_of("u"));
  outbox::Dispatcher dispatcher{
      app.path(), outbox::track_api({.credentials = outbox::bearer("t0ken"),
                                     .url = "https://endpoint.invalid/api/v1/track"})};
  REQUIRE(becomes_true([] { return is_asked.load(); }));
  dispatcher.stop(std::chrono::milliseconds{100});
  CHECK_FALSE(has_answered);
  CHECK(app.count("state = 'pending'") == 1);
  may_answer = true;
  CHECK(becomes_true([] { return has_answered.load(); }));
}
