#include "mask.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "format.hpp"
#include "json.hpp"
#include "outbox/inspect.hpp"

namespace cli {

namespace {

// Fields that name no person; addresses in them are masked all the same.
constexpr std::array<std::string_view, 9> plain_fields = {
    "event_name",   "user_id",   "timestamp", "group_id",   "invitee_role",
    "feature_name", "team_name", "event_id",  "traceparent"};

constexpr int keys_max = 10'000;  // of a payload that is shown field by field

bool is_address_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0 ||
         std::string_view{".!#$%&*+-/=?^_`{|}~'"}.find(c) != std::string_view::npos;
}

// Nothing but an address: what stands around one may be a name or a telephone.
bool is_address(std::string_view text) {
  constexpr std::string_view domain_characters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == text.size()) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at),
                     is_address_character) &&
         text.find_first_not_of(domain_characters, at + 1) == std::string_view::npos;
}

std::string masked_text(const std::string& text) {
  if (text.empty()) return text;
  if (is_address(text)) return outbox::mask_addresses(text);
  return text.substr(0, std::max<std::size_t>(character_bytes(text), 1)) + "**";
}

// Two keys may look alike when they are masked: "a**@achme.com", "a**@achme.com (2)". `alike` is
// how many did, so that none is tried twice.
std::string free_key(const Json& object, const std::string& key,
                     std::map<std::string, int>& alike) {
  int& count = alike[key];
  std::string free = ++count == 1 ? key : key + " (" + std::to_string(count) + ")";
  while (object.contains(free)) free = key + " (" + std::to_string(++count) + ")";
  return free;
}

Json masked(const Json& value, bool is_plain) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    return is_plain ? outbox::mask_addresses(text) : masked_text(text);
  }
  if (value.is_array()) {
    Json result = Json::array();
    for (const Json& element : value) result.push_back(masked(element, is_plain));
    return result;
  }
  if (value.is_object()) {
    Json result = Json::object();
    std::map<std::string, int> alike;
    for (const auto& [name, member] : value.items()) {
      const bool is_known =
          std::find(plain_fields.begin(), plain_fields.end(), name) != plain_fields.end();
      result[free_key(result, outbox::mask_addresses(name), alike)] = masked(member, is_known);
    }
    return result;
  }
  // A number of five digits or more may be somebody's telephone.
  const bool is_long = value.is_number() && value.dump().size() >= 5;
  return is_long ? Json("**") : value;
}

}  // namespace

std::string shown(const std::string& text, const Globals& globals) {
  return globals.reveals ? text : outbox::mask_addresses(text);
}

Json shown_payload(const std::string& payload, const Globals& globals) {
  // 64 levels are the library's limit; what is deeper came by plain SQL, and dump() would recurse.
  bool is_deep = false;
  int keys = 0;
  const Json json = Json::parse(
      payload,
      [&](int depth, Json::parse_event_t event, Json&) {
        is_deep = is_deep || depth > 64;
        if (event == Json::parse_event_t::key) ++keys;
        return !is_deep && keys <= keys_max;
      },
      false);
  // Objects that keep their order look through all keys for each one.
  const bool is_large = keys > keys_max && !is_deep;
  if (json.is_discarded() || is_deep || is_large) {
    if (globals.reveals && !is_deep) return payload;
    return std::to_string(payload.size()) +
           (is_large ? " bytes, too many fields" : " bytes, no event");
  }
  return globals.reveals ? json : masked(json, false);
}

}  // namespace cli
