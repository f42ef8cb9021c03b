#pragma once

// An endpoint that answers 503 for days while the app goes on, and then works again.

#include <ostream>

namespace simulation {

struct OutageOptions {
  double days = 7;
  double per_second = 10;  // events that the app commits
};

/// Prints what it found; true: nothing was lost, killed or counted against an event, the probes
/// came one at a time, and the WAL stayed below 16 MB.
bool run_outage(const OutageOptions& options, std::ostream& out);

}  // namespace simulation
