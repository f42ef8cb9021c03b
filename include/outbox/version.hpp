#pragma once

// The version of the library, and of the schema that it reads and writes.

#include "outbox/export.hpp"

namespace outbox {
inline namespace v0 {

/// The version of the compiled library, "major.minor.patch". Threads: any.
OUTBOX_API const char* version() noexcept;

/// The newest migration that this library knows; `migrate` brings a database to it. Threads: any.
OUTBOX_API int schema_version() noexcept;

}  // namespace v0
}  // namespace outbox
