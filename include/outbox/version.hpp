#pragma once

// The version of the library, and of the schema that it reads and writes.

#include "outbox/export.hpp"

/// The version of these headers, for `#if`. `outbox::version()` says which library is linked.
#define OUTBOX_VERSION_MAJOR 1
#define OUTBOX_VERSION_MINOR 0
#define OUTBOX_VERSION_PATCH 0

namespace outbox {
inline namespace v1 {

/// The version of the compiled library, "major.minor.patch". Threads: any.
[[nodiscard]] OUTBOX_API const char* version() noexcept;

/// The newest migration that this library knows; `migrate` brings a database to it. Threads: any.
[[nodiscard]] OUTBOX_API int schema_version() noexcept;

}  // namespace v1
}  // namespace outbox
