#include "core/event/cloudevents.hpp"

#include <nlohmann/json.hpp>

namespace outbox::core {

std::string cloudevent(const MessageHeaders& attributes, std::string_view payload) {
  // A value at a time, without a tree: see json_reader.hpp.
  const auto quoted = [](std::string_view value) {
    constexpr auto handler = nlohmann::json::error_handler_t::replace;  // of no UTF-8
    return nlohmann::json(value).dump(-1, ' ', false, handler);
  };
  std::string text = "{";
  for (const auto& [name, value] : attributes) text += quoted(name) + ':' + quoted(value) + ',';
  text += R"("datacontenttype":"application/json")";
  text += R"(,"data":)";
  text += payload;
  text += '}';
  return text;
}

}  // namespace outbox::core
