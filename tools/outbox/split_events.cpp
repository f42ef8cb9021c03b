#include "split_events.hpp"

#include <string>

#include "exit_code.hpp"

namespace cli {

namespace {

constexpr std::string_view space = " \t\r\n";
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

// Walks over values without judging what is inside: a bracket, a quote and a comma are enough to
// know where each one ends.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_{text} { skip_space(); }

  bool is_at_end() const { return at_ >= text_.size(); }
  char peek() const { return is_at_end() ? '\0' : text_[at_]; }

  bool accept(char c) {
    if (peek() != c || is_at_end()) return false;
    ++at_;
    skip_space();
    return true;
  }

  // One value: to its closing bracket, or, for anything that is no object or array, to the next
  // comma, bracket or white space.
  std::string_view value() {
    const std::size_t begin = at_;
    std::size_t depth = 0;
    do {
      const char c = text_[at_];
      if (c == '"') {
        skip_string();
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') {
        if (depth == 0) break;
        --depth;
      }
      const bool is_between = c == ',' || space.find(c) != std::string_view::npos;
      if (depth == 0 && is_between) break;
      ++at_;
      if (depth == 0 && (c == '}' || c == ']')) break;
    } while (!is_at_end());
    const std::string_view found = text_.substr(begin, at_ - begin);
    skip_space();
    return found;
  }

 private:
  void skip_space() {
    while (!is_at_end() && space.find(text_[at_]) != std::string_view::npos) ++at_;
  }
  void skip_string() {
    for (++at_; !is_at_end() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    at_ = at_ < text_.size() ? at_ + 1 : text_.size();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

[[noreturn]] void refuse(std::size_t element, const std::string& reason) {
  throw Failure{usage, "events[" + std::to_string(element) + "]: " + reason};
}

std::vector<std::string_view> split_array(Walker walker) {
  std::vector<std::string_view> events;
  walker.accept('[');
  if (!walker.accept(']')) {
    do {
      if (walker.is_at_end() || walker.peek() == ',' || walker.peek() == ']') {
        refuse(events.size(), "not valid JSON: an element is missing");
      }
      // Said here, before a million elements that can be no events have been collected.
      if (walker.peek() != '{') refuse(events.size(), "must be a JSON object");
      events.push_back(walker.value());
    } while (walker.accept(','));
    if (!walker.accept(']')) {
      refuse(events.size(), "not valid JSON: a comma or ] is missing before it");
    }
  }
  if (!walker.is_at_end())
    refuse(events.size(), "not valid JSON: text behind the end of the array");
  return events;
}

}  // namespace

std::vector<std::string_view> split_events(std::string_view text) {
  if (text.substr(0, byte_order_mark.size()) == byte_order_mark) {
    text.remove_prefix(byte_order_mark.size());
  }
  Walker walker{text};
  if (walker.peek() == '[') return split_array(walker);
  std::vector<std::string_view> events;
  while (!walker.is_at_end()) {
    if (walker.peek() != '{' && walker.peek() != ',' && walker.peek() != ']' &&
        walker.peek() != '}') {
      refuse(events.size(), "must be a JSON object");
    }
    const std::string_view event = walker.value();
    if (event.empty()) refuse(events.size(), "not valid JSON");  // a stray comma or bracket
    events.push_back(event);
  }
  return events;
}

}  // namespace cli
