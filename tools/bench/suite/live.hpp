#pragma once

// The measurements of `liveness` as rows.

#include "suite/table.hpp"

namespace bench {

/// Marks beside a writer that commits as fast as it can.
void measure_marks(Size size);
/// From the commit to the request, on an idle queue.
void measure_waking(Size size);
/// CPU time of an idle dispatcher.
void measure_idle(Size size);

}  // namespace bench
