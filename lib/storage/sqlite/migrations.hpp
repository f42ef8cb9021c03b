#pragma once

// The numbered migrations that are embedded at build.

#include <span>

namespace outbox::storage {

struct Migration {
  int version;
  const char* name;
  const char* sql;
};

/// In ascending order of version, from 1, without gaps.
std::span<const Migration> migrations();

}  // namespace outbox::storage
