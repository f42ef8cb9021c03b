#include "outbox/endpoint.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <utility>

#include "outbox/testing.hpp"
#include "support/database.hpp"

using namespace outbox;

TEST_CASE("an endpoint without a sink, or that was moved from, is an error and no crash") {
  CHECK_THROWS_WITH_AS(Endpoint{nullptr}, "outbox: endpoint: has no sink", std::invalid_argument);
  support::AppDatabase app;
  Endpoint endpoint = testing::RecordingEndpoint{}.endpoint();
  const Endpoint other = std::move(endpoint);
  CHECK_THROWS_AS(deliver_once(app.path(), endpoint), std::logic_error);
  CHECK_THROWS_AS(Dispatcher(app.path(), std::move(endpoint)), std::logic_error);
}
