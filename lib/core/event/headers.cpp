#include "core/event/headers.hpp"

#include <algorithm>

#include "core/event/json_reader.hpp"

namespace outbox::core {

namespace {

bool can_be_sent(const std::string& name, const std::string& value) {
  return !name.empty() && std::all_of(name.begin(), name.end(), is_name_character) &&
         !holds_control(value);
}

// Keeps the texts of an object's members.
class HeaderReader final : public JsonReader {
 public:
  explicit HeaderReader(MessageHeaders& headers) : headers_{headers} {}

  bool key(string_t& name) override {
    name_ = name;
    return true;
  }
  bool string(string_t& value) override {
    if (depth_ == 1 && can_be_sent(name_, value)) keep(value);
    return depth_ > 0;  // else the text is no object
  }
  bool start_object(std::size_t) override {
    ++depth_;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return start_object(0) && depth_ > 1; }
  bool end_array() override { return end_object(); }

 private:
  // Of a name that comes twice, the last value counts.
  void keep(const std::string& value) {
    const auto same = std::find_if(headers_.begin(), headers_.end(),
                                   [this](const auto& header) { return header.first == name_; });
    if (same == headers_.end()) {
      headers_.emplace_back(name_, value);
    } else {
      same->second = value;
    }
  }

  MessageHeaders& headers_;
  std::string name_;
  std::size_t depth_ = 0;
};

}  // namespace

bool holds_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7F;
  });
}

MessageHeaders headers_in(std::string_view text) {
  MessageHeaders headers;
  if (text.empty()) return headers;
  HeaderReader reader{headers};
  if (!nlohmann::json::sax_parse(text, &reader)) headers.clear();
  return headers;
}

}  // namespace outbox::core
