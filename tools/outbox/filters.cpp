#include "filters.hpp"

#include <charconv>
#include <stdexcept>

#include "format.hpp"

namespace cli {

outbox::EventState state_named(const std::string& name) {
  using enum outbox::EventState;
  for (const auto state : {pending, scheduled, waiting, retrying, delivered, dead, discarded}) {
    if (name == to_string(state)) return state;
  }
  throw std::invalid_argument{
      "outbox: state: must be pending, scheduled, waiting, retrying, delivered, dead or discarded, "
      "not " +
      name.substr(0, 40)};
}

void add_filter_options(CLI::App& command, FilterFlags& flags, const FilterWords& words) {
  outbox::EventFilter& filter = flags.filter;
  const std::string instant = words.instant;
  const auto add = [&command](const char* name, std::string& value, const std::string& about) {
    return command.add_option(name, value, about)->check(not_empty);
  };
  if (words.states != nullptr) add("--state", flags.state, words.states);
  add("--event", filter.event_name, "The event's name, e.g. invite_sent");
  add("--user", filter.user_id, "Its user_id");
  add("--group", filter.group_id, "Its group_id");
  if (words.states != nullptr) add("--error", filter.error, "A part of its last error");
  add("--since", flags.since, instant + " at or after this time: RFC 3339, or 2h for two hours ago")
      ->check(a_time);
  add("--until", flags.until, instant + " before this time; written in the same way")
      ->check(a_time);
  add_limit(command, flags.limit, "At most this many");
  command.add_flag("--all", flags.all, "All of them");
}

std::string event_id(const std::string& value) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), id);
  const bool is_one = error == std::errc{} && end == value.data() + value.size() && id > 0;
  return is_one ? ""
                : "\"" + escaped(value.substr(0, 40)) +
                      "\" is not the id of an event (a number from 1 on, as `outbox list` shows)";
}

CLI::Option* add_limit(CLI::App& command, std::int64_t& limit, const std::string& description) {
  return command.add_option("--limit", limit, description)->check([](const std::string& value) {
    return event_id(value).empty() ? "" : "must be a number from 1 to 9223372036854775807";
  });
}

outbox::EventFilter filter_of(const FilterFlags& flags, const Globals& globals) {
  outbox::EventFilter filter = flags.filter;
  filter.destination = globals.destination;
  if (!flags.state.empty()) filter.state = state_named(flags.state);
  if (!flags.since.empty()) filter.since = time_of(flags.since);
  if (!flags.until.empty()) filter.until = time_of(flags.until);
  return filter;
}

std::optional<std::size_t> limit_of(const FilterFlags& flags) {
  if (flags.limit == 0) return std::nullopt;
  return static_cast<std::size_t>(flags.limit);
}

}  // namespace cli
