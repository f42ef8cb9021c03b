#include "filters.hpp"

#include "format.hpp"

namespace cli {

void add_filter_options(CLI::App& command, FilterFlags& flags, const std::string& instant) {
  outbox::EventFilter& filter = flags.filter;
  command.add_option("--state", filter.state,
                     "pending, scheduled, waiting, retrying, delivered, dead or discarded");
  command.add_option("--event", filter.event_name, "The event's name, e.g. invite_sent");
  command.add_option("--user", filter.user_id, "Its user_id");
  command.add_option("--group", filter.group_id, "Its group_id");
  command.add_option("--error", filter.error, "A part of its last error");
  command.add_option("--since", flags.since, instant + " since: RFC 3339, or 30m, 2h, 7d ago");
  command.add_option("--until", flags.until, instant + " before: in the same way");
  command.add_option("--limit", filter.limit, "At most this many");
  command.add_flag("--all", flags.all, "All of them");
}

outbox::EventFilter filter_of(const FilterFlags& flags, const Globals& globals) {
  outbox::EventFilter filter = flags.filter;
  filter.destination = globals.destination;
  if (!flags.since.empty()) filter.since = time_of(flags.since);
  if (!flags.until.empty()) filter.until = time_of(flags.until);
  return filter;
}

}  // namespace cli
