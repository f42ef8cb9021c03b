#pragma once

// From the input of `outbox enqueue` to the texts of single events, one after the other, so that an
// input may be larger than the memory.

#include <cstddef>
#include <istream>
#include <memory>
#include <optional>
#include <string>

namespace cli {

/// The events in `file`, or with "-" on standard input. Throws: `Failure` with the usage code.
std::unique_ptr<std::istream> open_input(const std::string& file);

class EventReader {
 public:
  /// Lifetime: `input` must outlive this.
  explicit EventReader(std::istream& input);

  /// The next event of one JSON object, an array of them, or NDJSON (objects one after the other),
  /// with its bytes as they are; what is in it is for the library to judge. None: the end.
  /// Throws: `Failure` with the usage code when the text is broken between its elements, naming the
  /// element, or is no UTF-8 text.
  std::optional<std::string> next();

  /// How many events `next` has returned.
  std::size_t count() const { return count_; }

 private:
  enum class Shape { unknown, array, stream, over };

  void begin();
  bool has_next_in_array();
  int peek();
  char take();
  bool accept(char c);
  void skip_space();
  std::string value();
  void string_into(std::string& text);
  [[noreturn]] void refuse(const std::string& reason) const;

  std::streambuf& input_;
  Shape shape_ = Shape::unknown;
  std::size_t count_ = 0;
};

}  // namespace cli
