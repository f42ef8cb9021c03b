#pragma once

// What a person has chosen, from the query of a URL or the body of a change.

#include "api.hpp"
#include "outbox/browse.hpp"
#include "outbox/operate.hpp"

namespace page {

/// Throws: `Problem` for a parameter that is not among `known`.
void require_known(const Parameters& parameters, std::initializer_list<const char*> known);

/// The same for the members of a JSON object.
void require_known(const Json& object, std::initializer_list<const char*> known);

/// Empty: it was not given.
std::string value_of(const Parameters& parameters, const char* name);

/// Throws: `Problem` unless `text` is a whole number of 1 to `max`.
std::int64_t number_of(const char* name, const std::string& text, std::int64_t max);

/// The filter of a list, and which part of it, newest first. Throws: `Problem`.
outbox::EventFilter filter_of(const Desk& desk, const Parameters& parameters);
outbox::ListOptions part_of(const Parameters& parameters);

/// What a change is asked to do.
struct Order {
  outbox::Selection selection;
  std::string reason = {};
  bool is_dry = false;
  std::optional<std::int64_t> expected = {};  // of a filter: what its dry run has found
};

/// Throws: `Problem`.
Json parse_body(const std::string& body);
Order order_of(const Desk& desk, const Json& body);
/// A text of the body; empty: it is not there. Throws: `Problem` when it is none.
std::string text_of(const Json& body, const char* name);

}  // namespace page
