#include "core/decide/intend.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "core/decide/moment.hpp"

using namespace outbox::core;
using namespace std::chrono_literals;

namespace {

const BatchLimits limits{.events_max = 100, .bytes_max = 5'000};

HoldState hold_until(Instant until) {
  return {
      .kind = outbox::HoldKind::backing_off, .since = asked_at - 1s, .until = until, .tries = 1};
}

}  // namespace

TEST_CASE("a destination that nothing speaks against is sent to at full speed") {
  const Intent intent = intend({}, limits, 4, 0, {}, asked_at);

  CHECK(intent.may_send());
  CHECK(intent.requests_max == 4);
  CHECK(intent.limits.events_max == 100);
  CHECK(intent.limits.bytes_max == 5'000);
  CHECK(intent.probe.empty());
}

TEST_CASE("while a person has paused the destination nothing starts, whoever asks") {
  DestinationState state = on_hold(hold_until(asked_at));
  state.is_paused = true;
  for (const Occasion& occasion :
       {Occasion{}, Occasion{.is_asked = true}, Occasion{.credential_is_renewed = true}}) {
    CHECK_FALSE(intend(state, limits, 4, 0, occasion, asked_at).may_send());
  }
}

TEST_CASE("on hold one request of one event starts, when its time has come or someone asks") {
  struct Row {
    std::chrono::milliseconds until;  // from now
    std::size_t in_flight;
    Occasion occasion;
    std::size_t requests_max;
  };
  const Row rows[] = {
      {1ms, 0, {}, 0},                              // it waits
      {0ms, 0, {}, 1},                              // it is over
      {0ms, 1, {}, 0},                              // one at a time
      {1h, 0, {.is_asked = true}, 1},               // a person asks
      {1h, 1, {.is_asked = true}, 0},               // and a request is under way already
      {1h, 0, {.credential_is_renewed = true}, 1},  // a new token
      {1h, 1, {.credential_is_renewed = true}, 0},
      {25h, 0, {}, 1},  // longer than any wait: a clock jumped
  };
  for (const Row& row : rows) {
    CAPTURE(row.until.count());
    CAPTURE(row.in_flight);
    const DestinationState state = on_hold(hold_until(asked_at + row.until));
    const Intent intent = intend(state, limits, 4, row.in_flight, row.occasion, asked_at);
    CHECK(intent.requests_max == row.requests_max);
    if (row.requests_max > 0) CHECK(intent.limits.events_max == 1);
  }
}

TEST_CASE("a hold is over when its time has come, or when a clock jump has made it absurd") {
  const HoldState hold{.since = asked_at - 1s, .until = asked_at + 10s};
  CHECK(is_waiting(hold, asked_at));
  CHECK(is_waiting(hold, asked_at + 9'999ms));
  CHECK_FALSE(is_waiting(hold, asked_at + 10s));
  CHECK_FALSE(is_waiting(hold, asked_at - 2s));
  CHECK(is_waiting(HoldState{.since = asked_at, .until = asked_at + 24h}, asked_at));
  CHECK_FALSE(is_waiting(HoldState{.since = asked_at, .until = asked_at + 25h}, asked_at));
  CHECK_FALSE(is_waiting(std::nullopt, asked_at));
}

TEST_CASE("what was learned about the endpoint limits each request, and never widens it") {
  struct Row {
    std::optional<std::size_t> events_cap;
    std::optional<std::size_t> bytes_cap;
    bool is_proven;
    std::size_t requests_max;
    std::size_t events_max;
    std::size_t bytes_max;
  };
  const Row rows[] = {
      {8, std::nullopt, true, 1, 8, 5'000},              // slow start: one request at a time
      {800, std::nullopt, true, 1, 100, 5'000},          //
      {std::nullopt, 2'000, true, 4, 100, 2'000},        // learned from 413, at full speed
      {std::nullopt, 9'000, true, 4, 100, 5'000},        //
      {std::nullopt, std::nullopt, false, 1, 1, 5'000},  // another URL: one event asks
      {8, 2'000, false, 1, 1, 2'000},
  };
  for (const Row& row : rows) {
    CAPTURE(row.events_max);
    CAPTURE(row.bytes_max);
    DestinationState state;
    state.endpoint.events_cap = row.events_cap;
    state.endpoint.bytes_cap = row.bytes_cap;
    state.endpoint.is_proven = row.is_proven;
    const Intent intent = intend(state, limits, 4, 0, {}, asked_at);
    CHECK(intent.requests_max == row.requests_max);
    CHECK(intent.limits.events_max == row.events_max);
    CHECK(intent.limits.bytes_max == row.bytes_max);
  }
}

TEST_CASE("as many requests start as connections are free") {
  struct Row {
    std::size_t connections;
    std::size_t in_flight;
    std::optional<std::size_t> events_cap;
    std::size_t requests_max;
  };
  const Row rows[] = {
      {1, 0, std::nullopt, 1},
      {1, 1, std::nullopt, 0},
      {4, 1, std::nullopt, 3},
      {4, 4, std::nullopt, 0},
      {4, 7, std::nullopt, 0},  // the host has lowered its limit
      {4, 1, 2, 0},             // slow start
  };
  for (const Row& row : rows) {
    CAPTURE(row.in_flight);
    DestinationState state;
    state.endpoint.events_cap = row.events_cap;
    const Intent intent = intend(state, limits, row.connections, row.in_flight, {}, asked_at);
    CHECK(intent.requests_max == row.requests_max);
  }
}

TEST_CASE("most tries on hold ask with other events than the first, near and far") {
  struct Row {
    std::int64_t tries;
    std::optional<std::size_t> turn;
  };
  const Row rows[] = {
      {0, std::nullopt},
      {1, std::nullopt},  // the first of the queue, so that the order is kept
      {2, 0},
      {3, 1},
      {4, 2},
      {5, std::nullopt},
      {6, 3},
      {7, 4},
      {8, 5},
      {9, std::nullopt},
      {10, 6},
  };
  // Whatever the endpoint says: a firewall may dislike the text of the first.
  for (const auto kind : {outbox::HoldKind::backing_off, outbox::HoldKind::refuses_everything,
                          outbox::HoldKind::unauthorized, outbox::HoldKind::misconfigured}) {
    for (const Row& row : rows) {
      CAPTURE(kind);
      CAPTURE(row.tries);
      const DestinationState state =
          on_hold({.kind = kind, .since = asked_at - 1s, .until = asked_at, .tries = row.tries});
      const Intent intent = intend(state, limits, 1, 0, {}, asked_at);
      CHECK(intent.probe == (row.turn ? probe_looks(*row.turn) : std::vector<ProbeLook>{}));
    }
  }
}

TEST_CASE("each source of probes has its turn, and the next ones step in where it has none") {
  using enum ProbeSource;
  const std::vector<ProbeLook> looks[] = {
      {{ready, 1}, {in_search, 1}, {scheduled, 1}, {suspects, 1}},
      {{in_search, 1}, {scheduled, 0.5}, {suspects, 0.5}, {ready, 0.5}},
      {{scheduled, 1}, {suspects, 0.25}, {ready, 0.25}, {in_search, 0.25}},
      {{suspects, 1}, {ready, 0.75}, {in_search, 0.75}, {scheduled, 0.75}},
      {{ready, 0.5}, {in_search, 0.125}, {scheduled, 0.125}, {suspects, 0.125}},
      {{in_search, 0.5}, {scheduled, 0.625}, {suspects, 0.625}, {ready, 0.625}}};
  for (std::size_t turn = 0; turn < std::size(looks); ++turn) {
    CAPTURE(turn);
    CHECK(probe_looks(turn) == looks[turn]);
  }
}

TEST_CASE("probes look at the newest event, the middle, the quarters and so on") {
  const double places[] = {1, 0.5, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875, 0.0625};
  for (std::size_t turn = 0; turn < std::size(places); ++turn) {
    CAPTURE(turn);
    CHECK(probe_place(turn) == places[turn]);
  }
}

TEST_CASE("any stretch of good events is found within about two probes for each share of it") {
  for (const double share : {1.0, 0.5, 0.3, 0.1, 0.03, 0.01, 0.001}) {
    const auto probes_max = static_cast<std::size_t>(std::ceil(2 / share));
    for (int step = 0; step <= 100; ++step) {
      const double begin = (1 - share) * step / 100;
      std::size_t turn = 0;
      while (probe_place(turn) < begin || probe_place(turn) > begin + share) ++turn;
      CAPTURE(share);
      CAPTURE(begin);
      CHECK(turn < probes_max);
    }
  }
}
