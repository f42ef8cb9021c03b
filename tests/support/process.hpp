#pragma once

// Programs of the project, run for real.

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace support {

using Environment = std::map<std::string, std::string>;

/// What a finished program left.
struct Finished {
  int code = -1;  // exit code; 128 + signal when a signal ended it
  std::string out = {};
  std::string err = {};
  long peak_rss_kib = 0;
};

/// Runs `arguments` (the first is the program) to its end. The environment is PATH and
/// `environment`.
Finished run(const std::vector<std::string>& arguments, const Environment& environment = {},
             const std::string& input = {});

/// A program that runs beside the test; killed at the end of the scope.
class Process {
 public:
  /// Starts it and waits for its first line of output. Throws: `std::runtime_error` when it ends
  /// without one.
  explicit Process(const std::vector<std::string>& arguments, const Environment& environment = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const std::string& first_line() const { return first_line_; }
  pid_t pid() const { return pid_; }
  /// Sends `signal` and waits for the end; returns the code as in `Finished`.
  int end(int signal);

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  std::string first_line_;
};

/// The URL at the end of "… listens on http://127.0.0.1:8080/…".
std::string url_in(const std::string& line);

}  // namespace support
