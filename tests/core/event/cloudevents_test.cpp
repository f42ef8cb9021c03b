#include "core/event/cloudevents.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace outbox::core;

TEST_CASE("a CloudEvent holds its attributes escaped and its payload byte for byte") {
  const std::string event = cloudevent({{"id", "a\"b"}, {"type", "t"}}, R"({"n": 1.0})");
  CHECK(event ==
        R"({"id":"a\"b","type":"t","datacontenttype":"application/json","data":{"n": 1.0}})");
  CHECK(nlohmann::json::accept(cloudevent({{"id", "\xFF"}}, "{}")));  // no UTF-8
}

// CloudEvents 1.0, HTTP binding, 3.1.3.2.
TEST_CASE("header values are percent-encoded where they are no visible ASCII") {
  CHECK(header_value("order.placed/~!") == "order.placed/~!");
  CHECK(header_value("k 1") == "k%201");
  CHECK(header_value("a\"b%") == "a%22b%25");
  CHECK(header_value("Euro \xE2\x82\xAC") == "Euro%20%E2%82%AC");
  CHECK(header_value("a\r\nb") == "a%0D%0Ab");
}
