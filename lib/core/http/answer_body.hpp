#pragma once

// What the body of an answer says, in the words of the Track API.

#include <optional>
#include <string>

namespace outbox::core {

/// As it was sent: neither sanitised nor without the credential.
struct AnswerBody {
  bool is_json = false;     // as a whole
  bool ends_early = false;  // no JSON, but it could have become some
  bool is_object = false;   // JSON, and an object: else nothing below is set
  std::optional<bool> success = {};
  std::string response_id = {};  // or "eventId"
  std::string message = {};      // or "error"
  std::string warnings = {};     // the texts of an array, one after the other
};

/// Reads without a tree: the destructor of nlohmann's allocates, and without memory it would end
/// the process (seen with 3.11.2).
AnswerBody answer_body(const std::string& text);

}  // namespace outbox::core
