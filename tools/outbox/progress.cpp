#include "progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "format.hpp"

namespace cli {

namespace {

// What a signal handler may read: fixed storage that is filled before the pointer moves to it.
class SignalText {
 public:
  void set(const std::string& text) {
    std::array<char, 128>& next = texts_.at(turn_ = 1 - turn_);
    const std::size_t length = text.copy(next.data(), next.size() - 1);
    next.at(length) = '\0';
    shown_.store(next.data());
  }
  void write_to(int file) const {
    const char* const text = shown_.load();
    if (text == nullptr) return;
    static_cast<void>(!write(file, text, std::strlen(text)));
  }

 private:
  std::array<std::array<char, 128>, 2> texts_ = {};
  std::size_t turn_ = 0;
  std::atomic<const char*> shown_ = nullptr;
};

// Process-wide, as signals are.
SignalText how_far;
SignalText restore;

void on_interrupt(int) {
  restore.write_to(STDOUT_FILENO);
  how_far.write_to(STDERR_FILENO);
  _exit(interrupted);
}

// For its lifetime Ctrl-C waits.
class InterruptsLater {
 public:
  InterruptsLater() {
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    pthread_sigmask(SIG_BLOCK, &interrupt, &before_);
  }
  ~InterruptsLater() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  InterruptsLater(const InterruptsLater&) = delete;
  InterruptsLater& operator=(const InterruptsLater&) = delete;

 private:
  sigset_t before_{};
};

int columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool is_terminal() {
  const char* const term = std::getenv("TERM");
  return isatty(STDERR_FILENO) != 0 && term != nullptr && std::string_view{term} != "dumb";
}

}  // namespace

void end_at_interrupt() {
  std::signal(SIGINT, on_interrupt);
}

void restore_at_interrupt(const std::string& sequence) {
  restore.set(sequence);
}

Progress::Progress(std::string done_word, std::int64_t total, Leaves leaves)
    : done_word_{std::move(done_word)},
      total_{total},
      leaves_{leaves},
      is_on_terminal_{is_terminal()} {
  tell(0);
}

Progress::~Progress() {
  if (is_drawn_) std::cerr << "\r\033[K" << std::flush;
  how_far.set("");
}

void Progress::tell(std::int64_t done) {
  const std::string of = total_ > 0 ? " of " + grouped(total_) : "";
  const bool is_nothing = done == 0 && leaves_ == Leaves::kept;
  how_far.set("\noutbox: interrupted: " + (is_nothing ? "nothing was " : grouped(done) + of + " ") +
              done_word_ + "\n");
}

void Progress::keep(std::int64_t done, const std::function<void()>& commit) {
  const InterruptsLater later;
  commit();
  tell(done);
}

void Progress::show(std::int64_t done) {
  if (leaves_ == Leaves::shown) tell(done);
  if (!is_on_terminal_) return;
  const auto now = SteadyClock::now();
  // A short command shows none.
  if (now - begun_ < std::chrono::milliseconds{300}) return;
  if (now - drawn_ < std::chrono::milliseconds{100}) return;
  drawn_ = now;
  draw(done);
}

void Progress::draw(std::int64_t done) {
  std::string text = grouped(done);
  if (total_ > 0) text += " of " + grouped(total_);
  text += " " + done_word_;
  if (total_ > 0 && done > 0 && done <= total_) {
    const auto elapsed = SteadyClock::now() - begun_;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        elapsed * (static_cast<double>(total_ - done) / static_cast<double>(done)));
    text += ", " + how_long(left) + " left";
    constexpr int bar_width = 24;
    const auto filled = static_cast<std::size_t>(
        static_cast<double>(bar_width) * static_cast<double>(done) / static_cast<double>(total_));
    text = "[" + std::string(filled, '#') + std::string(bar_width - filled, '.') + "] " + text;
  }
  const auto width = static_cast<std::size_t>(std::max(columns() - 1, 1));
  std::cerr << "\r\033[K" << text.substr(0, width) << std::flush;
  is_drawn_ = true;
}

}  // namespace cli
