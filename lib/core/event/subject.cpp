#include "core/event/subject.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/encoding.hpp"
#include "core/event/decode.hpp"
#include "core/event/event_check.hpp"
#include "core/event/json_reader.hpp"
#include "core/event/limits.hpp"
#include "core/event/text.hpp"

namespace outbox::core {

namespace {

bool is_same(char left, char right) {
  return lower(left) == lower(right);
}

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

// After the address: does the domain go on? A full stop at the end of a sentence is none of it.
bool goes_on(std::string_view rest) {
  if (rest.empty()) return false;
  if (is_alphanumeric(rest[0])) return true;
  const bool may_join = rest[0] == '.' || rest[0] == '-';
  return may_join && rest.size() > 1 && is_alphanumeric(rest[1]);
}

// Before the address: does it begin earlier? Little counts as a part of it ("invite-" and "mary_"
// do not), because what is missed is a person who was promised to be forgotten.
bool comes_from(std::string_view before) {
  return !before.empty() &&
         (is_alphanumeric(before.back()) || before.back() == '.' || before.back() == '+');
}

bool holds_plainly(std::string_view text, std::string_view address) {
  for (auto at = text.begin();; ++at) {
    at = std::search(at, text.end(), address.begin(), address.end(), is_same);
    if (at == text.end()) return false;
    const auto begin = static_cast<std::size_t>(at - text.begin());
    if (!comes_from(text.substr(0, begin)) && !goes_on(text.substr(begin + address.size()))) {
      return true;
    }
  }
}

bool holds_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::string_view rest = text.substr(at + word.size());
    const bool begins = at == 0 || !is_alphanumeric(text[at - 1]);
    if (begins && (rest.empty() || !is_alphanumeric(rest[0]))) return true;
  }
  return false;
}

// In what a form sends, a plus stands for a space.
bool holds_in_form(std::string text, std::string_view address) {
  std::replace(text.begin(), text.end(), '+', ' ');
  return holds_plainly(decoded(text), address);
}

// Whether `text` is `id`, looked at through the layers of an encoding.
bool is_text(std::string_view text, std::string_view id) {
  if (text == id) return true;
  std::string view{text};
  for (int i = 0; i < decodings_max && is_encoded(view); ++i) {
    view = decoded(view);
    if (view == id) return true;
  }
  return false;
}

bool names(std::string_view key, std::string_view name) {
  return key == name || (key.size() > name.size() && key.ends_with(name) &&
                         key[key.size() - name.size() - 1] == '_');
}

// Of a text, where its JSON may begin; and of a payload in all, behind the first bracket of each
// text. More would let a hostile one take long.
constexpr int brackets_tried_max = 8;
constexpr int further_brackets_max = 64;

class Finder;
enum class Rest { counts, is_ignored };  // what stands behind the JSON
bool read_json(std::string_view text, Finder& finder, Rest rest);

// Looks at every text of the payload, whatever it is in, without building a tree.
class Finder final : public JsonReader {
 public:
  explicit Finder(const Subject& subject) : subject_{subject} {}
  /// Of a text within `outer`.
  explicit Finder(const Finder& outer)
      : subject_{outer.subject_}, depth_{outer.depth_ + 1}, further_{outer.further_} {}

  bool has_found() const { return has_found_; }
  const std::string& last_key() const { return key_; }
  /// Whether a number that no double can hold ended the reading.
  bool begin_anew_after_huge_number() {
    if (!std::exchange(has_met_huge_number_, false)) return false;
    outer_keys_.clear();
    key_.clear();
    return true;
  }

  bool start_object(std::size_t) override {
    outer_keys_.push_back(key_);
    return true;
  }
  bool end_object() override {
    key_ = std::move(outer_keys_.back());
    outer_keys_.pop_back();
    return true;
  }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    constexpr int out_of_range = 406;  // nlohmann's number of this error
    has_met_huge_number_ = error.id == out_of_range;
    return false;
  }

  bool key(string_t& name) override {
    key_ = name;
    look_for_address(name);
    return !has_found_;
  }
  bool string(string_t& text) override {
    look_for_address(text);
    has_found_ = has_found_ || is_id(text) || is_in_nested(text);
    return !has_found_;
  }
  bool number_integer(number_integer_t value) override { return number(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return number(text); }

 private:
  bool number(const std::string& text) {
    has_found_ = has_found_ || is_id(text);
    return !has_found_;
  }
  void look_for_address(const std::string& text) {
    has_found_ = has_found_ ||
                 (subject_.kind() == Subject::Kind::email && holds_address(text, subject_.value()));
  }
  bool is_id(const std::string& text) const {
    if (subject_.kind() == Subject::Kind::email) return false;
    const char* const name = subject_.kind() == Subject::Kind::user ? "user_id" : "group_id";
    return names(key_, name) && is_text(text, subject_.value());
  }
  // A text may be JSON itself, and its keys say which of its texts are ids.
  bool is_in_nested(const std::string& text) const {
    if (subject_.kind() == Subject::Kind::email || depth_ == decodings_max) return false;
    std::string view = text;
    for (int i = 0; i <= decodings_max; ++i) {
      const std::size_t last_quote = view.rfind('"');
      std::size_t begin = last_quote == std::string::npos ? last_quote : view.find_first_of("{[");
      // What stands before the JSON may have brackets of its own: "[info] {…}".
      for (int tries = 0; begin < last_quote && tries < brackets_tried_max; ++tries) {
        if (tries > 0 && --*further_ < 0) break;
        Finder inner{*this};
        read_json(std::string_view{view}.substr(begin), inner, Rest::is_ignored);
        if (inner.has_found()) return true;
        begin = view.find_first_of("{[", begin + 1);
      }
      if (!is_encoded(view)) return false;
      view = decoded(view);
    }
    return false;
  }

  const Subject& subject_;
  int depth_ = 0;
  std::shared_ptr<int> further_ = std::make_shared<int>(further_brackets_max);
  std::string key_;
  std::vector<std::string> outer_keys_;
  bool has_met_huge_number_ = false;
  bool has_found_ = false;
};

// With 0 and spaces for each number that no double can hold: valid JSON, but not to nlohmann.
std::string without_huge_numbers(std::string text) {
  bool is_in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_in_string && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      is_in_string = !is_in_string;
    } else if (!is_in_string && text[i] >= '0' && text[i] <= '9') {
      const std::size_t end = std::min(text.find_first_not_of("0123456789+-.eE", i), text.size());
      double value = 0;
      const auto read = std::from_chars(text.data() + i, text.data() + end, value);
      if (read.ec == std::errc::result_out_of_range) {
        std::fill(text.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                  text.begin() + static_cast<std::ptrdiff_t>(end), ' ');
        text[i] = '0';
      }
      i = end - 1;
    }
  }
  return text;
}

// Returns whether `text` is JSON.
bool read_json(std::string_view text, Finder& finder, Rest rest) {
  const auto read = [&](std::string_view json) {
    return nlohmann::json::sax_parse(json, &finder, nlohmann::json::input_format_t::json,
                                     rest == Rest::counts);
  };
  if (read(text)) return true;
  return finder.begin_anew_after_huge_number() && read(without_huge_numbers(std::string{text}));
}

// The value as a text of JSON stands in what is no JSON as a whole.
bool is_in_rubbish(std::string_view payload, const Subject& subject) {
  if (subject.kind() == Subject::Kind::email) return holds_address(payload, subject.value());
  return payload.find('"' + subject.value() + '"') != std::string_view::npos;
}

}  // namespace

void require_subject(const Subject& subject) {
  if (subject.value().empty()) throw std::invalid_argument{"outbox: erase: the subject is empty"};
  if (subject.kind() != Subject::Kind::email) return;
  if (const auto problem = address_problem(subject.value())) {
    throw std::invalid_argument{"outbox: erase: email: " + *problem};
  }
}

bool holds_address(std::string_view text, std::string_view address) {
  if (holds_plainly(text, address)) return true;
  std::string view{text};
  for (int i = 0; i < decodings_max && is_encoded(view); ++i) {
    if (holds_in_form(view, address)) return true;
    view = decoded(view);
    if (holds_plainly(view, address)) return true;
  }
  return false;
}

bool names_subject(std::string_view text, const Subject& subject) {
  if (subject.kind() == Subject::Kind::email) return holds_address(text, subject.value());
  std::string view{text};
  for (int i = 0; !holds_word(view, subject.value()); ++i) {
    if (i == decodings_max || !is_encoded(view)) return false;
    view = decoded(view);
  }
  return true;
}

std::optional<std::string> place_of(std::string_view payload, const Subject& subject) {
  Finder search{subject};
  const bool is_json = read_json(payload, search, Rest::counts);
  if (search.has_found()) return sanitised(search.last_key(), error_bytes_max);
  if (!is_json && is_in_rubbish(payload, subject)) return std::string{};
  return std::nullopt;
}

}  // namespace outbox::core
