#pragma once

// How fast a backlog is delivered to a receiver that is never the limit.

#include <cstddef>
#include <cstdint>
#include <string>

#include "suite/process.hpp"
#include "suite/receiver.hpp"
#include "suite/table.hpp"

namespace bench {

struct DrainSettings {
  std::size_t batch_events = 500;
  std::size_t connections = 1;
};

/// `outbox drain` as a whole process. Throws: `std::runtime_error` unless the receiver got exactly
/// `events`.
ProcessRun drain_by_cli(const std::string& cli, const std::string& path, const Receiver& receiver,
                        const DrainSettings& settings, std::uint64_t events);

/// The CLI and `deliver_once` beside the raw loops, on one table and on the library's.
void measure_drain(Size size, const std::string& cli);
/// The bytes that a delivered event costs in the WAL.
void measure_wal(Size size);
/// Backlogs, histories and waiting events of several sizes.
void measure_scaling(Size size, const std::string& cli);
/// A receiver that takes its time: does the rate follow from batch, connections and latency?
void measure_latency(Size size);

}  // namespace bench
