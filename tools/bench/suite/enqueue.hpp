#pragma once

// What recording an event costs the app.

#include "suite/table.hpp"

namespace bench {

/// In a transaction that writes anyway, one a transaction, and a thousand a transaction.
void measure_enqueue(Size size);

}  // namespace bench
