#pragma once

// Our side of tools/bench/peers.sh.

#include "suite/table.hpp"

namespace bench {

/// Prints one line of events a second: enqueued one a transaction, enqueued in one call, and
/// drained to the receiver; with `synchronous=NORMAL`, which is the peer's choice.
void print_peer_round(Size size);

}  // namespace bench
