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

}  // namespace outbox::core
