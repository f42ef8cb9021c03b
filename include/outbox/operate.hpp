#pragma once

// Operating the queue: what the CLI's changing commands do, for a page of your own.

#include <string>

#include "outbox/connection.hpp"
#include "outbox/export.hpp"

namespace outbox {
inline namespace v0 {

/// Makes the dispatcher of `destination`, in whatever process, look and try now: a hold ends, with
/// one single event as a probe. A real write, because that is what other processes see.
///
/// Throws: `schema_error` without a schema; `database_error`.
/// Threads: the caller's, which must own `connection`.
OUTBOX_API void nudge(ConnectionRef connection, const std::string& destination = "track");

/// No round that begins after this has committed sends to `destination`, in any process, until
/// `resume`; one that has just looked may still start its requests. Works in the caller's
/// transaction too. Throws and threads: as `nudge`.
OUTBOX_API void pause(ConnectionRef connection, const std::string& destination,
                      const std::string& reason);

/// Ends a pause; a hold stays. Throws and threads: as `nudge`.
OUTBOX_API void resume(ConnectionRef connection, const std::string& destination);

}  // namespace v0
}  // namespace outbox
