// What relays have in common: routes, headers, CloudEvents.

#include "outbox/relay.hpp"

#include <doctest/doctest.h>

using namespace outbox;

TEST_CASE("a route puts the destination and the kind in, each as one token") {
  CHECK(route("outbox.{destination}.{kind}", "events", "track") == "outbox.events.track");
  CHECK(route("{kind}", "events", "order.created") == "order_created");
  CHECK(route("a.{kind}", "d", "x y>*\r\nz\xC3\xA4") == "a.x_y____z__");
  CHECK(route("{kind}{kind}-{other}", "d", "{kind}") == "_kind__kind_-{other}");
  CHECK(route("", "d", "k") == "");
}

TEST_CASE("an event without a kind is routed as a track, as the library calls it elsewhere") {
  CHECK(message_id({.event_id = "id-1"}) == "id-1");
  CHECK(message_id({.event_id = "a\nb"}).starts_with("event_"));
  CHECK(routed_kind({}) == "track");
  CHECK(routed_kind({.kind = "identify"}) == "identify");
}

TEST_CASE("headers keep their order, and what cannot be sent is left out") {
  CHECK(headers_of({}).empty());
  CHECK(headers_of({.headers = "no json"}).empty());
  CHECK(headers_of({.headers = "[1]"}).empty());
  const MessageHeaders headers = headers_of(
      {.headers =
           R"({"traceparent":"00-ab","tenant":"b","n":1,"":"x","a b":"x","l":"x\r\ny","z":"c"})"});
  CHECK(headers == MessageHeaders{{"traceparent", "00-ab"}, {"tenant", "b"}, {"z", "c"}});
}

TEST_CASE("the attributes of CloudEvents come from the row") {
  using namespace std::chrono;
  BatchEvent event{.event_id = "id-1", .kind = "order.created", .ordering_key = "k"};
  event.enqueued_at = sys_days{2026y / 11 / 28} + 1500ms;
  CHECK(cloudevents_attributes(event, "/app") ==
        MessageHeaders{{"specversion", "1.0"},
                       {"id", "id-1"},
                       {"source", "/app"},
                       {"type", "order.created"},
                       {"time", "2026-11-28T00:00:01.500000Z"},
                       {"partitionkey", "k"}});
  event.ordering_key.clear();
  CHECK(cloudevents_attributes(event, "/app").size() == 5);
}
