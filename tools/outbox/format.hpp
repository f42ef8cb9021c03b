#pragma once

// How numbers, times and tables look; and how durations are read.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "globals.hpp"

namespace cli {

using Time = std::chrono::system_clock::time_point;

/// "2026-11-21T04:51:35.059Z"
std::string rfc3339(Time time);
/// The same for people: local time, or with `--utc` UTC and a Z; the day only when it is not today.
std::string when(Time time, const Globals& globals);
/// "0.8 s", "41 s", "23 min", "3.2 h", "3 d"
std::string how_long(std::chrono::milliseconds duration);
/// "2,410,993"
std::string grouped(std::int64_t number);
/// "1.2 MiB"
std::string how_large(std::uint64_t bytes);

/// "500ms", "30s", "5m", "2h", "7d". Throws: `Failure` with the usage code.
std::chrono::milliseconds duration_of(const std::string& text);
/// Without the library's "outbox: ", which a message of this program has already.
std::string without_prefix(std::string_view text);
/// The same, and the option as a flag or a file has it: "batch-events: …" for "batch_events: …".
std::string in_terms_of_flags(std::string_view text);
/// For `check`: the problem names the option, before anything is done. An empty value is a shell
/// variable that was not set, and no filter or URL.
std::string not_empty(const std::string& value);
std::string a_duration(const std::string& value);
std::string a_time(const std::string& value);

/// An instant: RFC 3339, or a duration for this long ago. Throws: `Failure` with the usage code.
Time time_of(const std::string& text);

/// JSON text with the characters that a terminal obeys written as \u escapes, so that it stays
/// JSON.
std::string json_escaped(std::string_view json);

/// How long the well-formed UTF-8 character at the start of `text` is; 0: there is none.
std::size_t character_bytes(std::string_view text);

/// `text` with every control and bidi character, and every byte that is no UTF-8, escaped, so that
/// no terminal obeys it.
std::string escaped(std::string_view text);

/// `text` as one word of a shell, for commands to paste.
std::string shell_quoted(const std::string& text);

/// Columns as wide as their widest cell; words flush left, numbers and times right. The first row
/// is the header. Each line is indented by two.
std::string table(const std::vector<std::vector<std::string>>& rows);

std::string joined(const std::vector<std::string>& words, std::string_view separator = " ");

/// On a terminal, unless NO_COLOR, TERM=dumb or --no-color say otherwise.
bool wants_color(const Globals& globals);

/// Marks a line that needs attention, in colour where colour is wanted.
std::string attention(const std::string& text, const Globals& globals);

}  // namespace cli
