// A bad event costs nobody else anything: it is found, it alone dies, and that takes few requests.
// `build/dev/tests/simulation isolation` goes through all placements.

#include <doctest/doctest.h>

#include <random>

#include "support/isolation.hpp"

using support::Isolation;
using support::IsolationDesk;
using Crashes = IsolationDesk::Crashes;

namespace {

void check(IsolationDesk& desk, const std::set<std::size_t>& bad, Crashes crashes) {
  const Isolation found = desk.run(bad, crashes);
  if (found.fault.empty() && found.requests <= support::isolation_requests_max[bad.size()]) return;
  std::string places;
  for (const std::size_t event : bad) places += " " + std::to_string(event);
  FAIL_CHECK("bad:" << places << ", requests: " << found.requests << ", " << found.fault);
}

}  // namespace

TEST_CASE("one bad event among 128, wherever it is, dies alone after at most 15 requests") {
  IsolationDesk desk{128};
  check(desk, {}, Crashes::none);
  for (std::size_t place = 0; place < 128; ++place) check(desk, {place}, Crashes::none);
}

TEST_CASE("a crash after every step of the search changes nothing of that") {
  IsolationDesk desk{128};
  for (std::size_t place = 0; place < 128; place += 3) {
    check(desk, {place}, Crashes::after_each_round);
    check(desk, {place, 127 - place / 2}, Crashes::after_each_round);
  }
}

TEST_CASE("several bad events are all found, and nobody else dies") {
  IsolationDesk desk{128};
  std::mt19937 random{20'241'120};
  for (int i = 0; i < 60; ++i) {
    std::set<std::size_t> bad;
    while (bad.size() < 2 + static_cast<std::size_t>(i) % 4) bad.insert(random() % 128);
    check(desk, bad, i % 2 == 0 ? Crashes::none : Crashes::after_each_round);
  }
  for (std::size_t count = 2; count <= 5; ++count) {  // side by side, at both ends
    std::set<std::size_t> first;
    std::set<std::size_t> last;
    for (std::size_t i = 0; i < count; ++i) {
      first.insert(i);
      last.insert(127 - i);
    }
    check(desk, first, Crashes::none);
    check(desk, last, Crashes::none);
  }
}

TEST_CASE("among any number of events one bad one costs at most 2 log2 N + 2 requests") {
  for (std::size_t events = 2; events <= 33; ++events) {
    CAPTURE(events);
    IsolationDesk desk{events};
    std::size_t levels = 0;
    while ((std::size_t{1} << levels) < events) ++levels;
    for (std::size_t place = 0; place < events; ++place) {
      CAPTURE(place);
      const Isolation found = desk.run({place}, Crashes::none);
      CHECK(found.fault == "");
      CHECK(found.requests <= 2 * levels + 2);
    }
  }
}
