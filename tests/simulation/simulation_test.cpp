// A short run of the simulation; `build/dev/tests/simulation lives` is the long one.

#include <doctest/doctest.h>

#include <sstream>

#include "simulation/outage.hpp"
#include "simulation/world.hpp"

// So few: `.ci/run` lives 200 others (row T-08), and a release 10,000.
TEST_CASE("lives with every fault at once break no promise") {
  for (std::uint64_t seed = 0; seed < 15; ++seed) {
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
