#include "storage/filter.hpp"

#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace outbox::storage {

namespace {

constexpr std::array<std::pair<std::string_view, StateName>, 6> state_names{{
    {"pending", StateName::pending},
    {"scheduled", StateName::scheduled},
    {"retrying", StateName::retrying},
    {"delivered", StateName::delivered},
    {"dead", StateName::dead},
    {"discarded", StateName::discarded},
}};

std::int64_t ms_of(std::chrono::system_clock::time_point instant) {
  return std::chrono::ceil<std::chrono::milliseconds>(instant.time_since_epoch()).count();
}

}  // namespace

StateName state_named(const std::string& name) {
  for (const auto& [known, state] : state_names) {
    if (name == known) return state;
  }
  throw std::invalid_argument{
      "outbox: state: pending, scheduled, retrying, delivered, dead or discarded"};
}

// json_extract stops with an error at what is no JSON.
std::string field_sql(const std::string& path) {
  return "iif(json_valid(payload), json_extract(payload, '$." + path + "'), null)";
}

Condition::Condition(StateName state, core::Instant now) {
  switch (state) {
    case StateName::pending:
      add("state = 0");
      break;
    case StateName::scheduled:
      add("state = 0").add("attempts = 0").add("due_at_ms > ", core::unix_ms(now));
      break;
    case StateName::retrying:
      add("state = 0").add("attempts > 0");
      break;
    case StateName::delivered:
      add("state = 1");
      break;
    case StateName::dead:
      add("state = 2");
      break;
    case StateName::discarded:
      add("state = 3");
      break;
  }
}

Condition& Condition::add(const EventFilter& filter, const char* instant) {
  if (!filter.destination.empty()) add("destination = ", filter.destination);
  if (!filter.event_name.empty()) add(field_sql("event_name") + " = ", filter.event_name);
  if (!filter.user_id.empty()) add(field_sql("user_id") + " = ", filter.user_id);
  if (!filter.group_id.empty()) add(field_sql("context.group_id") + " = ", filter.group_id);
  if (!filter.error.empty()) add("0 < instr(last_error, ", filter.error).sql_ += ")";
  if (filter.since) add(std::string{instant} + " >= ", ms_of(*filter.since));
  if (filter.until) add(std::string{instant} + " < ", ms_of(*filter.until));
  return *this;
}

Condition& Condition::add(const std::string& sql) {
  sql_ += (sql_.empty() ? " where " : " and ") + sql;
  return *this;
}

Condition& Condition::add(const std::string& sql_before_value, std::int64_t value) {
  values_.emplace_back(value);
  return add(sql_before_value + "?" + std::to_string(values_.size()));
}

Condition& Condition::add(const std::string& sql_before_value, const std::string& value) {
  values_.emplace_back(value);
  return add(sql_before_value + "?" + std::to_string(values_.size()));
}

std::string Condition::where() const {
  return sql_;
}

int Condition::bind(Statement& statement) const {
  int index = 0;
  for (const auto& value : values_) {
    ++index;
    if (const auto* const text = std::get_if<std::string>(&value)) {
      statement.bind(index, std::string_view{*text});
    } else {
      statement.bind(index, std::get<std::int64_t>(value));
    }
  }
  return index;
}

}  // namespace outbox::storage
