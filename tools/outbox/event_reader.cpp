#include "event_reader.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string_view>
#include <vector>

#include "exit_code.hpp"
#include "format.hpp"

namespace cli {

namespace {

constexpr int at_end = std::streambuf::traits_type::eof();
// Above the largest event, which the library refuses with its own words.
constexpr std::size_t event_bytes_max = 2'000'000;

bool is_one_of(std::string_view characters, int c) {
  return c != at_end && characters.find(static_cast<char>(c)) != std::string_view::npos;
}

// What comes through a pipe is read before the database is locked, since it may come slowly.
constexpr std::size_t pipe_bytes_max = 256 * 1024 * 1024;

std::string read_all(std::istream& stream, const std::string& name) {
  std::string text;
  std::vector<char> buffer(64 * 1024);
  while (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) ||
         stream.gcount() > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(stream.gcount()));
    if (text.size() > pipe_bytes_max) {
      throw Failure{usage, name + " is larger than " + how_large(pipe_bytes_max) +
                               ": put it into a file, which may be of any size"};
    }
  }
  if (stream.bad()) throw Failure{usage, "cannot read " + name};
  return text;
}

}  // namespace

std::unique_ptr<std::istream> open_input(const std::string& file) {
  if (file == "-") {
    if (isatty(STDIN_FILENO) != 0) std::cerr << "reads events from standard input, to Ctrl-D\n";
    return std::make_unique<std::istringstream>(read_all(std::cin, "standard input"));
  }
  const std::string name = escaped(file);
  if (std::filesystem::is_directory(file)) throw Failure{usage, name + " is a folder"};
  auto stream = std::make_unique<std::ifstream>(file, std::ios::binary);
  if (!*stream) throw Failure{usage, "cannot open " + name + ": " + std::strerror(errno)};
  if (std::filesystem::is_regular_file(file)) return stream;
  return std::make_unique<std::istringstream>(read_all(*stream, name));
}

EventReader::EventReader(std::istream& input) : input_{*input.rdbuf()} {}

std::optional<std::string> EventReader::next() {
  if (shape_ == Shape::unknown) begin();
  if (shape_ == Shape::array && !has_next_in_array()) return std::nullopt;
  if (shape_ == Shape::over || peek() == at_end) return std::nullopt;
  if (!is_one_of("{,]}", peek())) refuse("must be a JSON object");
  std::string event = value();
  if (event.empty()) refuse("not valid JSON");  // a stray comma or bracket
  ++count_;
  return event;
}

void EventReader::begin() {
  // A text in UTF-16 begins with its byte order mark, or has a zero in every other byte.
  if (peek() == 0xFF || peek() == 0xFE || peek() == 0) {
    throw Failure{usage, "the input is not UTF-8; if it is UTF-16:  iconv -f UTF-16 -t UTF-8"};
  }
  for (const char c : std::string_view{"\xEF\xBB\xBF"}) {  // the mark of UTF-8
    if (peek() == static_cast<unsigned char>(c)) take();
  }
  skip_space();
  shape_ = accept('[') ? Shape::array : Shape::stream;
}

// Steps over what is between two elements.
bool EventReader::has_next_in_array() {
  if (count_ == 0 ? accept(']') : !accept(',')) {
    if (count_ > 0 && !accept(']')) refuse("not valid JSON: a comma or ] is missing before it");
    if (peek() != at_end) refuse("not valid JSON: text behind the end of the array");
    shape_ = Shape::over;
    return false;
  }
  if (peek() == at_end || is_one_of(",]", peek())) {
    refuse("not valid JSON: an element is missing");
  }
  if (peek() != '{') refuse("must be a JSON object");
  return true;
}

int EventReader::peek() {
  return input_.sgetc();
}

char EventReader::take() {
  return static_cast<char>(input_.sbumpc());
}

bool EventReader::accept(char c) {
  if (peek() != static_cast<unsigned char>(c)) return false;
  take();
  skip_space();
  return true;
}

void EventReader::skip_space() {
  while (is_one_of(" \t\r\n", peek())) take();
}

// One value: to its closing bracket, or, for anything that is no object or array, to the next
// comma, bracket or white space. Brackets, quotes and commas are enough to know where it ends.
std::string EventReader::value() {
  std::string text;
  std::size_t depth = 0;
  while (peek() != at_end) {
    const int c = peek();
    if (c == '"') {
      string_into(text);
      continue;
    }
    if (is_one_of("{[", c)) ++depth;
    if (is_one_of("}]", c)) {
      if (depth == 0) break;
      --depth;
    }
    if (depth == 0 && is_one_of(", \t\r\n", c)) break;
    text += take();
    if (text.size() > event_bytes_max) {
      refuse("larger than " + how_large(event_bytes_max) + ", or never closed");
    }
    if (depth == 0 && is_one_of("}]", c)) break;
  }
  skip_space();
  return text;
}

void EventReader::string_into(std::string& text) {
  text += take();
  while (peek() != at_end && text.size() <= event_bytes_max) {
    const char c = take();
    text += c;
    if (c == '"') return;
    if (c == '\\' && peek() != at_end) text += take();
  }
}

void EventReader::refuse(const std::string& reason) const {
  throw Failure{usage, "events[" + std::to_string(count_) + "]: " + reason};
}

}  // namespace cli
