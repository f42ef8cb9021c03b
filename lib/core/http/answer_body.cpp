#include "core/http/answer_body.hpp"

#include <utility>

#include "core/event/json_reader.hpp"

namespace outbox::core {

namespace {

class BodyReader final : public JsonReader {
 public:
  AnswerBody read(const std::string& text) {
    bytes_ = text.size();
    body_.is_json = nlohmann::json::sax_parse(text, this);
    if (!body_.is_json || !body_.is_object) {
      return {.is_json = body_.is_json, .ends_early = body_.ends_early};
    }
    if (body_.response_id.empty()) body_.response_id = std::move(event_id_);
    if (body_.message.empty()) body_.message = std::move(error_);
    return std::move(body_);
  }

  bool key(string_t& name) override {
    if (depth_ == 1) member_ = name;
    return true;
  }
  bool boolean(bool value) override {
    if (depth_ == 1 && member_ == "success") body_.success = value;
    return true;
  }
  bool string(string_t& text) override {
    if (depth_ == 1) {
      if (std::string* const place = place_of_member()) *place = text;
    } else if (depth_ == 2 && is_in_warnings_) {
      if (!body_.warnings.empty()) body_.warnings += "; ";
      body_.warnings += text;
    }
    return true;
  }
  bool start_object(std::size_t) override {
    if (depth_++ == 0) body_.is_object = true;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_++ == 1) is_in_warnings_ = member_ == "warnings";
    return true;
  }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool parse_error(std::size_t read, const std::string&,
                   const nlohmann::detail::exception&) override {
    // The end of the text counts as one that was read. What follows whole JSON is not part of it.
    body_.ends_early = read > bytes_ && depth_ > 0;
    return false;
  }

 private:
  bool leave() {
    if (--depth_ == 1) is_in_warnings_ = false;
    return true;
  }
  std::string* place_of_member() {
    if (member_ == "response_id") return &body_.response_id;
    if (member_ == "eventId") return &event_id_;
    if (member_ == "message") return &body_.message;
    if (member_ == "error") return &error_;
    return nullptr;
  }

  AnswerBody body_;
  std::string event_id_;
  std::string error_;
  std::string member_;  // of the outermost object
  std::size_t bytes_ = 0;
  std::size_t depth_ = 0;
  bool is_in_warnings_ = false;
};

}  // namespace

AnswerBody answer_body(const std::string& text) {
  return BodyReader{}.read(text);
}

}  // namespace outbox::core
