#pragma once

// What the shell learns. A contract: scripts read these.

#include <stdexcept>
#include <string>

namespace cli {

enum ExitCode : int {
  done = 0,
  failed = 1,          // for drain: something due could not be delivered in time
  usage = 2,           // usage or invalid input
  no_match = 3,        // nothing matched
  unauthorized = 4,    // the endpoint refused the credentials, or there are none
  busy = 5,            // another connection held the database locked
  schema = 6,          // not migrated, or newer than this program
  found_problems = 7,  // of doctor; for drain: some of what was due died
  interrupted = 130,
};

/// An end that people can do something about, with its exit code.
class Failure : public std::runtime_error {
 public:
  Failure(ExitCode code, const std::string& what) : std::runtime_error{what}, code_{code} {}
  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

}  // namespace cli
