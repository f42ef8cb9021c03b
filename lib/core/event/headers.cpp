#include "core/event/headers.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace outbox::core {

namespace {

bool can_be_sent(const std::string& name, const std::string& value) {
  const auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7F;
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), is_name_character) &&
         std::none_of(value.begin(), value.end(), is_control);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> headers_in(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> headers;
  if (text.empty()) return headers;
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!json.is_object()) return headers;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string() || !can_be_sent(name, value.get_ref<const std::string&>())) continue;
    headers.emplace_back(name, value.get<std::string>());
  }
  return headers;
}

}  // namespace outbox::core
