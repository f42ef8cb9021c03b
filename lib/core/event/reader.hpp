#pragma once

// Reads a text from left to right, for the small formats of the wire.

#include <cstddef>
#include <string_view>

namespace outbox::core {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The first thing that does not fit makes it fail for good; what is read after that means nothing.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_{text} {}

  /// A number of exactly `digits` digits.
  int number(std::size_t digits) {
    if (rest_.size() < digits) return fail();
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (!is_digit(rest_[i])) return fail();
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }

  bool accept(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail();
  }

  void skip_digits() {
    while (starts_with_digit()) rest_.remove_prefix(1);
  }

  bool starts_with_digit() const { return !rest_.empty() && is_digit(rest_.front()); }
  bool is_at_end() const { return rest_.empty(); }
  bool has_failed() const { return has_failed_; }

 private:
  int fail() {
    has_failed_ = true;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool has_failed_ = false;
};

}  // namespace outbox::core
