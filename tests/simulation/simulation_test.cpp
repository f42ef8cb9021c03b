// A short run of the simulation; `build/dev/tests/simulation lives` is the long one.

#include <doctest/doctest.h>

#include <sstream>

#include "simulation/outage.hpp"
#include "simulation/world.hpp"
#include "support/sanitized.hpp"

TEST_CASE("hundreds of lives with every fault at once break no promise") {
  const std::uint64_t seeds = support::is_sanitized ? 30 : 100;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    CAPTURE(seed);  // again: simulation lives --seed
    simulation::World world{seed};
    CHECK_NOTHROW(world.live(100));
  }
}

TEST_CASE("an outage of days touches nobody, keeps the WAL small, and then all is delivered") {
  std::ostringstream out;
  CHECK(simulation::run_outage({.days = 1, .per_second = 0.5}, out));
  MESSAGE(out.str());
}
