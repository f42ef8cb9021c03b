#pragma once

// Every allocation of this program (operator new, SQLite's, libcurl's) can be made to fail.

#include <cstdint>

namespace faults {

enum class Lasts { once, for_ever };

/// Puts the hooks into SQLite and libcurl. Call it first of all, once.
void install_allocation_hooks();

/// While it lives, the `nth` allocation from its making fails, in whatever thread, and `for_ever`
/// all after it.
class FailingAllocation {
 public:
  FailingAllocation(std::int64_t nth, Lasts lasts);
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;

  /// Whether it came to it.
  bool has_struck() const;
};

}  // namespace faults
