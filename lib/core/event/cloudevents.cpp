#include "core/event/cloudevents.hpp"

#include <nlohmann/json.hpp>

namespace outbox::core {

std::string cloudevent(const MessageHeaders& attributes, std::string_view payload) {
  nlohmann::ordered_json head = nlohmann::ordered_json::object();
  for (const auto& [name, value] : attributes) head[name] = value;
  head["datacontenttype"] = "application/json";
  constexpr auto handler = nlohmann::ordered_json::error_handler_t::replace;  // of no UTF-8
  std::string text = head.dump(-1, ' ', false, handler);
  text.pop_back();  // the brace: what follows is kept as it is
  text += R"(,"data":)";
  text += payload;
  text += '}';
  return text;
}

std::string header_value(std::string_view value) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string text;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7F && c != '"' && c != '%') {
      text += c;
      continue;
    }
    text += '%';
    text += digits[byte / 16U];
    text += digits[byte % 16U];
  }
  return text;
}

}  // namespace outbox::core
