#pragma once

// A status as the text that Prometheus reads. Nothing unbounded is a label: no event, no person.
// The format: prometheus.io/docs/instrumenting/exposition_formats.

#include <cstdint>
#include <string>
#include <vector>

#include "outbox/dispatcher.hpp"
#include "outbox/inspect.hpp"

namespace outbox::core {

struct MetricsFacts {
  Status status = {};
  std::vector<Stats> dispatchers = {};
  std::int64_t database_bytes = 0;
  std::int64_t wal_bytes = 0;
};

std::string exposition(const MetricsFacts& facts);

}  // namespace outbox::core
