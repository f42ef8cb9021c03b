#include "query.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "filters.hpp"
#include "format.hpp"

namespace page {

namespace {

constexpr std::int64_t id_max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t limit_max = 200;
constexpr std::size_t limit_default = 50;
constexpr std::size_t ids_max = 1'000;

// The filters that a list and a change share. `text` is given a name and returns its value.
template <class Text>
outbox::EventFilter shared_filter(const Desk& desk, Text text) {
  outbox::EventFilter filter{.destination = text("destination"),
                             .event_name = text("event_name"),
                             .user_id = text("user_id"),
                             .group_id = text("group_id"),
                             .error = text("error")};
  if (const std::string state = text("state"); !state.empty()) {
    filter.state = cli::state_named(state);
  }
  const std::string& only = desk.globals.destination;
  if (!only.empty() && !filter.destination.empty() && filter.destination != only) {
    throw Problem{400, "this page is about the destination " + only + " only"};
  }
  if (!only.empty()) filter.destination = only;
  if (const std::string since = text("since"); !since.empty()) filter.since = cli::time_of(since);
  if (const std::string until = text("until"); !until.empty()) filter.until = cli::time_of(until);
  return filter;
}

std::vector<std::int64_t> ids_of(const Json& list) {
  if (!list.is_array() || list.empty() || list.size() > ids_max) {
    throw Problem{400, "ids: 1 to 1,000 of them, as texts"};
  }
  std::vector<std::int64_t> ids;
  for (const Json& id : list) {
    if (!id.is_string()) throw Problem{400, "ids: texts, since a number in JSON loses digits"};
    ids.push_back(number_of("ids", id.get<std::string>(), id_max));
  }
  return ids;
}

void require_one_of(const char* what, const std::string& name,
                    std::initializer_list<const char*> known) {
  const bool is_known =
      std::any_of(known.begin(), known.end(), [&name](const char* one) { return name == one; });
  if (!is_known) throw Problem{400, what + cli::escaped(name.substr(0, 40))};
}

// Of a filter: what its dry run has found.
std::int64_t expected_of(const Json& body) {
  const auto expected = body.find("expected");
  if (expected == body.end() || !expected->is_number_integer()) {
    throw Problem{400, "expected: with a filter, the count that its dry run has found"};
  }
  const auto count = expected->get<std::int64_t>();  // above its range: below 0
  if (count < 0) throw Problem{400, "expected: a count of 0 or more"};
  return count;
}

bool flag_of(const Json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end()) return false;
  if (!found->is_boolean()) throw Problem{400, std::string{name} + ": true or false"};
  return found->get<bool>();
}

}  // namespace

void require_known(const Parameters& parameters, std::initializer_list<const char*> known) {
  for (const auto& [name, value] : parameters) require_one_of("no parameter ", name, known);
}

void require_known(const Json& object, std::initializer_list<const char*> known) {
  for (const auto& member : object.items()) require_one_of("no member ", member.key(), known);
}

std::string value_of(const Parameters& parameters, const char* name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string{} : found->second;
}

std::int64_t number_of(const char* name, const std::string& text, std::int64_t max) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc{} && stop == end && number >= 1 && number <= max) return number;
  throw Problem{400, std::string{name} + ": a whole number of 1 to " + std::to_string(max)};
}

outbox::EventFilter filter_of(const Desk& desk, const Parameters& parameters) {
  require_known(parameters, {"destination", "state", "event_name", "user_id", "group_id", "error",
                             "since", "until", "after", "limit"});
  return shared_filter(desk,
                       [&parameters](const char* name) { return value_of(parameters, name); });
}

outbox::ListOptions part_of(const Parameters& parameters) {
  outbox::ListOptions part{.limit = limit_default, .order = outbox::Order::newest_first};
  if (const std::string limit = value_of(parameters, "limit"); !limit.empty()) {
    part.limit = static_cast<std::size_t>(number_of("limit", limit, limit_max));
  }
  if (const std::string after = value_of(parameters, "after"); !after.empty()) {
    part.after_id = number_of("after", after, id_max);
  }
  return part;
}

Json parse_body(const std::string& body) {
  // What is deeper than a filter is none, and the parser would recurse.
  const Json json = Json::parse(
      body.empty() ? "{}" : body, [](int depth, Json::parse_event_t, Json&) { return depth < 8; },
      false);
  if (!json.is_object()) throw Problem{400, "the body: a JSON object"};
  return json;
}

std::string text_of(const Json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end()) return {};
  if (!found->is_string()) throw Problem{400, std::string{name} + ": a text"};
  return found->get<std::string>();
}

Order order_of(const Desk& desk, const Json& body) {
  require_known(body, {"ids", "filter", "all", "expected", "reason", "dry"});
  const bool has_ids = body.contains("ids");
  const bool has_filter = body.contains("filter");
  if (has_ids == has_filter) throw Problem{400, "ids or a filter: give one of them"};
  Order order{.selection = outbox::Selection::all(),
              .reason = text_of(body, "reason"),
              .is_dry = flag_of(body, "dry")};
  if (has_ids) {
    order.selection = outbox::Selection::ids(ids_of(body["ids"]), desk.globals.destination);
    return order;
  }
  const Json& given = body["filter"];
  if (!given.is_object()) throw Problem{400, "filter: an object"};
  require_known(given, {"destination", "state", "event_name", "user_id", "group_id", "error",
                        "since", "until"});
  outbox::EventFilter filter =
      shared_filter(desk, [&given](const char* name) { return text_of(given, name); });
  order.selection = flag_of(body, "all") ? outbox::Selection::all(std::move(filter))
                                         : outbox::Selection::matching(std::move(filter));
  if (!order.is_dry) order.expected = expected_of(body);
  return order;
}

}  // namespace page
