#pragma once

// From the options that a host gives to what the parts of a dispatcher want to know.

#include <string>

#include "outbox/dispatcher.hpp"
#include "outbox/sink.hpp"
#include "storage/life/destination_row.hpp"

namespace outbox::dispatch {

/// Throws: `std::invalid_argument` when an option is out of its range.
void require_options(const DispatcherOptions& options);

/// How `options` say that the destination is served through `sink`, on the file `identity`.
storage::ServeOptions serve_options_of(const Sink& sink, const DispatcherOptions& options,
                                       const std::string& identity);

}  // namespace outbox::dispatch
