#include "core/event/text.hpp"

#include <doctest/doctest.h>

using namespace outbox::core;

TEST_CASE("well-formed UTF-8 is told from what only looks like it") {
  struct Row {
    std::string text;
    std::optional<std::size_t> bad;
  };
  const Row rows[] = {
      {"", std::nullopt},
      {"plain", std::nullopt},
      {"gr\xC3\xBC\xC3\x9F", std::nullopt},
      {"\xE2\x82\xAC \xF0\x9F\x8E\x89", std::nullopt},
      {"\xF4\x8F\xBF\xBF", std::nullopt},
      {"a\x80", 1},             // a tail without a lead
      {"\xC0\xAF", 0},          // overlong
      {"\xE0\x9F\xBF", 0},      // overlong
      {"\xED\xA0\x80", 0},      // a surrogate
      {"\xF4\x90\x80\x80", 0},  // beyond U+10FFFF
      {"ab\xE2\x82", 2},        // cut short
      {"\xFF", 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(first_invalid_utf8(row.text) == row.bad);
  }
}

TEST_CASE("a stored error holds no control, bidi or invalid byte") {
  CHECK(sanitised("a\r\nb\x1B[31mc\x7F", 256) == "a??b?[31mc?");
  CHECK(sanitised("x\u202Ey\u2066z\u200F", 256) == "x?y?z?");
  CHECK(sanitised("\xC2\x85 \xFF", 256) == "? ?");
  CHECK(sanitised("grüß €", 256) == "grüß €");
}

TEST_CASE("the marks that hide or reorder text end where they end") {
  for (const char* mark :
       {"\u061C", "\u200B", "\u200E", "\u200F", "\u2028", "\u202E", "\u2060", "\u2069", "\uFEFF"}) {
    CAPTURE(mark);
    CHECK(sanitised(mark, 256) == "?");
  }
  for (const char* letter :
       {"\u061B", "\u200A", "\u2010", "\u2027", "\u202F", "\u205F", "\u206A"}) {
    CAPTURE(letter);
    CHECK(sanitised(letter, 256) == letter);
  }
}

TEST_CASE("a stored error masks what looks like an e-mail address") {
  CHECK(sanitised("user amy@achme.com is unknown", 256) == "user a**@achme.com is unknown");
  CHECK(sanitised("\"amy.frank+x@achme.com\",b@c", 256) == "\"a**@achme.com\",b**@c");
  CHECK(sanitised("o'brien@achme.com", 256) == "o**@achme.com");
  CHECK(sanitised("no /amy\\@achme.com/", 256) == "no /**@achme.com/");
  CHECK(sanitised("to: amy:@achme.com", 256) == "to: a**@achme.com");
  CHECK(sanitised("ask @support (@team)", 256) == "ask @support (**@team)");
  CHECK(sanitised("\"amy smith\"@achme.com", 256) == "\"**@achme.com");
  CHECK(sanitised("éva@achme.com", 256) == "é**@achme.com");
  CHECK(sanitised("@ alone", 256) == "@ alone");
}

TEST_CASE("a stored error is cut at a whole character") {
  CHECK(sanitised("abcdef", 3) == "abc");
  CHECK(sanitised("aé", 2) == "a");
}

TEST_CASE("white space around a text is cut") {
  CHECK(trimmed(" \t\r\n{} \n") == "{}");
  CHECK(trimmed(" \n ").empty());
}

TEST_CASE("an address is found in the encodings in which answers quote things") {
  for (const char* const hidden :
       {"amy%40achme.com", "amy%2540achme.com", "amy\\u0040achme.com", "amy\\x40achme.com",
        "amy&#64;achme.com", "amy&#64achme.com", "amy&#x40;achme.com", "b@c and amy%40achme.com",
        "m\\u00fcller@achme.com", "juergen.m&#252;ller@achme.com"}) {
    CAPTURE(hidden);
    CHECK(hides_address(hidden));
  }
  for (const char* const plain :
       {"", "amy@achme.com", "100%", "a \\n b", "&#65; and %41", "a \\u00fc", "a%20b@achme.com"}) {
    CAPTURE(plain);
    CHECK_FALSE(hides_address(plain));
  }
}
