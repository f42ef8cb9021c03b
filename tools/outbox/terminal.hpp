#pragma once

// The terminal while `watch` has it: its own screen, keys without Enter, and as it was before on
// every way out.

#include <termios.h>
#include <chrono>
#include <string>

namespace cli {

class Terminal {
 public:
  /// Takes the screen. Requires: standard input and output are terminals.
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  struct Size {
    std::size_t rows;
    std::size_t columns;
  };
  Size size() const;

  /// Shows `text`, cut to the screen, over what was there: without clearing first, nothing
  /// flickers.
  void draw(const std::string& text) const;

  /// Waits for a key, and returns it; 0: none came within `wait`, or the size has changed.
  char key_within(std::chrono::milliseconds wait) const;

 private:
  termios before_ = {};
};

}  // namespace cli
