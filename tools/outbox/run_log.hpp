#pragma once

// What `run` says: one line for each change that people care about, as text or as JSON. Never a
// payload.

#include <mutex>
#include <string>

#include "globals.hpp"
#include "outbox/dispatcher.hpp"
#include "run_config.hpp"

namespace cli {

/// Threads: any.
class RunLog {
 public:
  RunLog(const RunFlags& flags, const Globals& globals)
      : globals_{globals},
        is_json_{flags.log_format == "json" || globals.is_json},
        logs_requests_{flags.logs_requests} {}

  /// From a dispatcher's observer.
  void tell(const outbox::Notice& notice);
  /// `event` is stable, for programs: "paused", "stopped", …
  void say(const std::string& destination, const std::string& event, const std::string& text);

 private:
  enum class Level { info, warning, error };
  void write(Level level, const outbox::Notice& notice, const std::string& event);

  const Globals& globals_;
  const bool is_json_;
  const bool logs_requests_;
  std::mutex mutex_;
};

}  // namespace cli
