#pragma once

// The queue as Prometheus metrics, for a `/metrics` page of your own.
//
//     server.Get("/metrics", [&](const auto&, auto& response) {
//       response.set_content(outbox::prometheus_text(db, {.dispatchers = {&dispatcher}}),
//                            outbox::prometheus_content_type);
//     });

#include <string>
#include <vector>

#include "outbox/connection.hpp"
#include "outbox/export.hpp"

namespace outbox {
inline namespace v1 {

class Dispatcher;  // outbox/dispatcher.hpp

inline constexpr auto prometheus_content_type = "text/plain; version=0.0.4; charset=utf-8";

struct PrometheusOptions {
  std::string destination = {};  ///< Empty: all.
  /// Dispatchers of this process, whose histograms are shown too: how long requests took, and how
  /// old events were when they were delivered. Since their start; none may be null.
  std::vector<const Dispatcher*> dispatchers = {};
};

/// The text exposition, version 0.0.4. Its labels are destinations, states and kinds of hold: never
/// an event, a person or words of an endpoint. Costs what `status` costs.
///
/// Throws and threads: as `status`; `std::invalid_argument` for a dispatcher that is null, and for
/// two of one destination.
[[nodiscard]] OUTBOX_API std::string prometheus_text(ConnectionRef connection,
                                                     const PrometheusOptions& options = {});

}  // namespace v1
}  // namespace outbox
