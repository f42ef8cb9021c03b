#pragma once

// A hint that another connection may have committed: the kernel tells when the WAL is written. It
// is only a hint, since the write comes before the commit is visible; `PRAGMA data_version` is the
// truth. Opens nothing of the database: inotify watches a path.

#include <string>

namespace outbox::dispatch {

class WalWatch {
 public:
  /// Watches the WAL of the database at `database_path`. Where that cannot be done (no Linux, no
  /// WAL yet, no watches left) it watches nothing, and polling remains.
  explicit WalWatch(const std::string& database_path);
  ~WalWatch();
  WalWatch(const WalWatch&) = delete;
  WalWatch& operator=(const WalWatch&) = delete;

  /// Becomes readable with a hint; -1: watches nothing.
  int descriptor() const { return descriptor_; }
  /// Takes away the hints that are there; true: there were some.
  bool drain();
  /// False: the WAL is not the file any more that is watched, so a new watch is needed.
  bool is_watching() const { return is_watching_; }

 private:
  int descriptor_ = -1;
  bool is_watching_ = false;
};

}  // namespace outbox::dispatch
