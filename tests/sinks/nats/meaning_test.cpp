// What the answers of NATS mean: the table, without a server.

#include "sinks/nats_meaning.hpp"

#include <doctest/doctest.h>

#include "sinks/nats_outcome.hpp"

using namespace outbox;
using namespace outbox::sinks;

namespace {

NatsFlight flight_of(std::vector<NatsAnswer> answers) {
  NatsFlight flight{.token = 1};
  for (const NatsAnswer& answer : answers) flight.missing += answer.is_there ? 0 : 1;
  flight.answers = std::move(answers);
  return flight;
}

const NatsAnswer stored{.is_there = true};
const NatsAnswer silence{};
const NatsAnswer too_large{.is_there = true, .js_code = 10054};
const NatsAnswer full{.is_there = true, .js_code = 10077, .text = "maximum messages exceeded"};

}  // namespace

TEST_CASE("each answer of JetStream and of its client has its verdict") {
  struct Row {
    int status;
    int code;
    Verdict verdict;
    bool has_arrived = true;
    bool is_about_size = false;
  };
  const Row rows[] = {{nats_status::ok, 0, Verdict::delivered},
                      {nats_status::no_responders, 0, Verdict::misconfigured},
                      {nats_status::no_acknowledgement, 0, Verdict::misconfigured},
                      {1, 10054, Verdict::refused, true, true},
                      {nats_status::max_payload, 0, Verdict::refused, true, true},
                      {1, 10077, Verdict::unavailable},
                      {nats_status::not_permitted, 0, Verdict::unauthorized},
                      {1, 10060, Verdict::misconfigured},
                      {nats_status::timeout, 0, Verdict::failed},
                      {nats_status::stale_connection, 0, Verdict::failed},
                      {nats_status::connection_closed, 0, Verdict::unavailable, false},
                      {1, 10023, Verdict::unavailable},
                      {1, 10047, Verdict::unavailable},
                      {1, 10028, Verdict::unavailable},
                      {1, 10002, Verdict::unavailable},
                      {1, 10008, Verdict::unavailable},
                      {1, 10009, Verdict::unavailable},
                      {1, 10039, Verdict::misconfigured},
                      {1, 10076, Verdict::misconfigured},
                      {1, 10059, Verdict::misconfigured},
                      {1, 10065, Verdict::misconfigured},
                      {1, 19'999, Verdict::failed},
                      {99, 0, Verdict::failed}};
  for (const Row& row : rows) {
    CAPTURE(row.status);
    CAPTURE(row.code);
    const RelayMeaning meaning = meaning_of_message(row.status, row.code, "said so");
    CHECK(meaning.verdict == row.verdict);
    CHECK(meaning.has_arrived == row.has_arrived);
    CHECK(meaning.is_about_size == row.is_about_size);
    CHECK(meaning.reason.empty() == (row.verdict == Verdict::delivered));
  }
  CHECK(meaning_of_message(1, 10077, "maximum messages exceeded").reason ==
        "NATS 10077: maximum messages exceeded");
}

TEST_CASE("a connection that is not made has arrived nowhere") {
  CHECK(meaning_of_connection(nats_status::no_server, "x").verdict == Verdict::unavailable);
  CHECK(meaning_of_connection(nats_status::auth_failed, "x").verdict == Verdict::unauthorized);
  CHECK(meaning_of_connection(nats_status::ssl_error, "x").verdict == Verdict::misconfigured);
  CHECK(meaning_of_connection(nats_status::timeout, "x").verdict == Verdict::unavailable);
  CHECK_FALSE(meaning_of_connection(nats_status::no_server, "x").has_arrived);
}

TEST_CASE("a batch whose messages are alike has one verdict") {
  CHECK(outcome_of(flight_of({stored, stored}), {}).verdict == Verdict::delivered);
  CHECK(outcome_of(flight_of({stored, stored}), {}).events.empty());
  const Outcome lost = outcome_of(flight_of({silence, silence}), {});
  CHECK(lost.verdict == Verdict::failed);
  CHECK(lost.has_arrived);
  CHECK(lost.events.empty());
  const Outcome refused = outcome_of(flight_of({too_large, too_large}), {});
  CHECK(refused.events.size() == 2);  // each by itself: there is nothing to search
  CHECK(outcome_of(flight_of({too_large}), {}).is_about_size);
}

TEST_CASE("in a mixed batch each event has its own verdict, and silence is nobody's fault") {
  const NatsAnswer not_sent{.is_there = true, .status = nats_status::connection_closed};
  const NatsAnswer no_stream{.is_there = true, .status = nats_status::no_responders};
  const Outcome outcome =
      outcome_of(flight_of({stored, too_large, full, no_stream, silence, not_sent}), {});
  REQUIRE(outcome.events.size() == 6);
  CHECK(outcome.events[0].verdict == Verdict::delivered);
  CHECK(outcome.events[1].verdict == Verdict::refused);
  // What the server says of one that it does not store beside others: it goes alone.
  CHECK(outcome.events[2].verdict == Verdict::failed);
  CHECK(outcome.events[3].verdict == Verdict::failed);
  CHECK(outcome.events[4].verdict == Verdict::unavailable);
  CHECK(outcome.events[5].verdict == Verdict::unavailable);

  const Outcome none_stored = outcome_of(flight_of({full, no_stream, silence}), {});
  REQUIRE(none_stored.events.size() == 3);
  CHECK(none_stored.events[0].verdict == Verdict::unavailable);
  CHECK(none_stored.events[1].verdict == Verdict::misconfigured);
  CHECK(none_stored.events[2].verdict == Verdict::unavailable);
}

TEST_CASE("silence after a denial is the denial, and the client's own timeout is silence") {
  NatsFlight flight = flight_of({stored, {.is_there = true, .status = nats_status::timeout}});
  CHECK(has_silence(flight));
  flight.was_denied = true;
  CHECK(outcome_of(flight, {}).events.at(1).verdict == Verdict::unauthorized);
  flight = flight_of({silence});
  flight.was_denied = true;
  CHECK(outcome_of(flight, {}).verdict == Verdict::unauthorized);
}
