#include "terminal.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <sstream>

#include "exit_code.hpp"
#include "progress.hpp"

namespace cli {

namespace {

// The alternate screen, no cursor, and no wrapping at the edge; and all of it back.
constexpr auto enter = "\033[?1049h\033[?25l\033[?7l";
constexpr auto leave = "\033[?7h\033[?25h\033[?1049l";

// For the handlers: the terminal to restore.
termios restored;

void put_back() {
  tcsetattr(STDIN_FILENO, TCSANOW, &restored);
}

void on_end(int signal) {
  static_cast<void>(!write(STDOUT_FILENO, leave, std::char_traits<char>::length(leave)));
  put_back();
  _exit(signal == SIGINT ? static_cast<int>(interrupted) : 128 + signal);
}

void write_all(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = write(STDOUT_FILENO, text.data() + at, text.size() - at);
    if (written < 0) return;
    at += static_cast<std::size_t>(written);
  }
}

// The first `columns` characters of a line, with its colours.
std::string cut(const std::string& line, std::size_t columns) {
  std::string text;
  std::size_t width = 0;
  for (std::size_t at = 0; at < line.size();) {
    std::size_t length = 1;
    if (line[at] == '\033') {
      length = line.find('m', at) - at + 1;
      text += line.substr(at, length);
      at += length;
      continue;
    }
    while (at + length < line.size() && (line[at + length] & 0xC0) == 0x80) ++length;
    if (width++ < columns) text += line.substr(at, length);
    at += length;
  }
  return text;
}

}  // namespace

Terminal::Terminal() {
  tcgetattr(STDIN_FILENO, &before_);
  restored = before_;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) std::signal(signal, on_end);
  struct sigaction resized {};
  resized.sa_handler = [](int) {};  // ends the wait for a key
  sigaction(SIGWINCH, &resized, nullptr);
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  write_all(enter);
}

Terminal::~Terminal() {
  write_all(leave);
  put_back();
  end_at_interrupt();
}

Terminal::Size Terminal::size() const {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    return {24, 80};
  }
  return {size.ws_row, size.ws_col};
}

void Terminal::draw(const std::string& text) const {
  const Size screen = size();
  std::string frame = "\033[H";
  std::istringstream lines{text};
  std::size_t row = 0;
  for (std::string line; row < screen.rows && std::getline(lines, line); ++row) {
    frame += (row == 0 ? "" : "\r\n") + cut(line, screen.columns) + "\033[0m\033[K";
  }
  write_all(frame + "\033[J");
}

char Terminal::key_within(std::chrono::milliseconds wait) const {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  if (poll(&input, 1, static_cast<int>(wait.count())) <= 0) return 0;
  char key = 0;
  return read(STDIN_FILENO, &key, 1) == 1 ? key : 'q';  // the terminal is gone
}

}  // namespace cli
