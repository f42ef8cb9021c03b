#pragma once

// What the texts of all kinds of events are made with: members of JSON objects, and rules.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/event/event_check.hpp"
#include "core/event/payload.hpp"
#include "core/event/text.hpp"
#include "core/event/timestamp.hpp"
#include "outbox/errors.hpp"

namespace outbox::core {

inline bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
  });
}

// Escaping is nlohmann's; most strings need none, and then copying is several times faster.
inline void append_quoted(std::string& json, std::string_view text) {
  if (!is_plain(text)) {
    json += nlohmann::json(text).dump();
    return;
  }
  json += '"';
  json += text;
  json += '"';
}

// A member of an object whose value is a text. An empty one is not set.
struct Field {
  std::string_view name;
  std::string_view value;
};
using Fields = std::span<const Field>;

// Appends the members of one object; leaves out what is empty.
class Members {
 public:
  explicit Members(std::string& json) : json_{json} { json_ += '{'; }

  void add(std::string_view name, std::string_view text) {
    if (text.empty()) return;
    begin(name);
    append_quoted(json_, text);
  }

  // An object of `fields` and the members of `more`, the text of an object or empty.
  void add_object(std::string_view name, Fields fields, std::string_view more) {
    begin(name);
    Members object{json_};
    for (const Field& field : fields) object.add(field.name, field.value);
    object.add_all_of(more);
    object.end();
  }

  void end() { json_ += '}'; }

 private:
  // The members of an object that is given as its text. Requires: it is a valid object.
  void add_all_of(std::string_view object) {
    object = trimmed(object);
    if (object.empty()) return;
    const std::string_view inner = trimmed(object.substr(1, object.size() - 2));
    if (inner.empty()) return;
    separate();
    json_ += inner;
  }

  void begin(std::string_view name) {
    separate();
    json_ += '"';
    json_ += name;
    json_ += "\":";
  }

  void separate() {
    if (json_.back() != '{') json_ += ',';
  }

  std::string& json_;
};

// Refuses with the element's number, so that the checks below read as a list of rules.
class Rules {
 public:
  explicit Rules(std::size_t element) : element_{element} {}

  void text(std::string_view field, std::string_view value) const {
    if (const auto bad = first_invalid_utf8(value)) {
      refuse(field, "not UTF-8 at byte " + std::to_string(*bad));
    }
  }
  void required(std::string_view field, std::string_view value) const {
    if (value.empty()) refuse(field, "required");
    text(field, value);
  }
  void timestamp(std::string_view value) const {
    if (value.empty()) return;  // the stamp's is used
    if (const auto problem = timestamp_problem(value)) refuse("timestamp", *problem);
  }
  void address(std::string_view field, std::string_view value) const {
    required(field, value);
    if (const auto problem = address_problem(value)) refuse(field, *problem);
  }
  // The text of an object, or nothing, which may not repeat what of `taken` is set.
  void members(std::string_view field, std::string_view object, Fields taken) const {
    if (object.empty()) return;
    std::vector<std::string_view> set;
    for (const Field& one : taken) {
      if (!one.value.empty()) set.push_back(one.name);
    }
    if (const auto violation = member_violation(field, object, set)) {
      refuse(violation->field, violation->reason);
    }
  }
  // The properties of an invite that is not written as an `InviteSent`.
  void invite_properties(std::string_view object) const {
    if (object.empty()) return;
    if (const auto violation = invite_properties_violation(object)) {
      refuse(violation->field, violation->reason);
    }
  }
  [[noreturn]] void refuse(std::string_view field, const std::string& reason) const {
    throw invalid_event{element_, std::string{field}, reason};
  }

 private:
  std::size_t element_;
};

inline std::string_view timestamp_of(const Timestamp& timestamp, const Stamp& stamp) {
  return timestamp.text().empty() ? stamp.timestamp : std::string_view{timestamp.text()};
}

}  // namespace outbox::core
