#pragma once

// Stopping a dispatcher at random instants, in every situation that could hold it up.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace liveness {

struct StopsResult {
  std::vector<double> stop_ms = {};  // how long each `stop` took beyond the deadline it was given
  std::size_t lost = 0;              // events that are neither pending nor delivered; must be 0
};

/// Starts and stops `count` dispatchers, one after the other, with events pending: beside a server
/// that answers, one that fails, one that never answers, none at all, and a database that another
/// connection has locked. `seed` decides on the instants.
StopsResult stop_often(std::size_t count, std::uint64_t seed);

}  // namespace liveness
