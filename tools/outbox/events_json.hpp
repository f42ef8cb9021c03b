#pragma once

// Events and requests as JSON: the contract of `list`, `show` and `batches`.

#include "globals.hpp"
#include "json.hpp"
#include "outbox/inspect.hpp"

namespace cli {

Json json_of(const outbox::EventSummary& event, const Globals& globals);
Json json_of(const outbox::RequestSummary& request, const Globals& globals);

/// Null for an empty text; masked unless `--reveal`.
Json text_or_null(const std::string& text, const Globals& globals);

/// What an event was enqueued with, an object; null: none. Masked unless `--reveal`.
Json headers_of(const std::string& headers, const Globals& globals);

/// One line of JSON; text that is not UTF-8 is replaced rather than refused.
std::string line_of(const Json& json);

/// Requests as a table, the columns of `outbox batches`.
std::string table_of(const std::vector<outbox::RequestSummary>& requests, const Globals& globals);

}  // namespace cli
