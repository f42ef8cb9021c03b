#pragma once

// What the measurements share: a database in a folder of its own, a server that never answers,
// quantiles, processes.

#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "outbox/outbox.hpp"

namespace liveness {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

inline double ms_since(Clock::time_point begin) {
  return Milliseconds{Clock::now() - begin}.count();
}

/// A migrated database in a folder that is removed with it.
class AppFile {
 public:
  AppFile();
  ~AppFile();
  AppFile(const AppFile&) = delete;
  AppFile& operator=(const AppFile&) = delete;

  const std::string& path() const { return path_; }
  const std::string& folder() const { return folder_; }
  SQLite::Database connect() const;

 private:
  std::string folder_;
  std::string path_;
};

/// Commits one event.
void commit_event(SQLite::Database& db, const std::string& user_id = "user-1");

/// Takes connections and requests, and never answers.
class BlackHole {
 public:
  BlackHole();
  ~BlackHole();
  BlackHole(const BlackHole&) = delete;
  BlackHole& operator=(const BlackHole&) = delete;

  std::string url() const;

 private:
  int socket_;
  int port_ = 0;
};

struct Quantiles {
  double p50 = 0;
  double p99 = 0;
  double max = 0;
};
Quantiles quantiles_of(std::vector<double> values);

/// Starts this very program with `arguments`, without its output.
pid_t start_again(const std::vector<std::string>& arguments);
/// Waits for its end.
void reap(pid_t pid);

}  // namespace liveness
