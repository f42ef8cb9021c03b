#include "core/event/decode.hpp"

#include <doctest/doctest.h>

#include <string>

using outbox::core::decoded;

TEST_CASE("what stands encoded is read as the character that it is") {
  struct Row {
    std::string text, expected;
  };
  const Row rows[] = {
      {"t0ken", "t0ken"},
      {"t%30ken", "t0ken"},
      {"t%C3%A4", "t\xc3\xa4"},
      {R"(t\u0030ken)", "t0ken"},
      {R"(t\U0030ken)", "t0ken"},
      {R"(t\u00e4)", "t\xc3\xa4"},
      {"t&#228;t", "t\xc3\xa4t"},
      {R"(\u20ac)", "\xe2\x82\xac"},
      {R"(\ud83d\ude00!)", "\xf0\x9f\x98\x80!"},
      {"&#x1F600;", "\xf0\x9f\x98\x80"},
      {R"(\ud83dx)", "?x"},
      {R"(\ud83d)", "?"},
      {R"(\ude00)", "?"},
      {"&#1114112;", "?"},
      {R"(t\x30ken)", "t0ken"},
      {R"(t\/\n\\)", "t/\n\\"},
      {"t&#48;ken", "t0ken"},
      {"t&#48ken", "t0ken"},
      {"&#48", "0"},
      {"t&#x30;ken", "t0ken"},
      {"t&#X0030;ken", "t0ken"},
      {"%30", "0"},
      {R"(\u0030)", "0"},
      {R"(\x30)", "0"},
      {"&#48;", "0"},
      {"&#0000000064;&#x0000000040;&#0;", std::string{"@@\0", 3}},
      {"&commat;&period;&amp;commat;", "@.&commat;"},
      {R"(\u0000)", std::string(1, '\0')},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(decoded(row.text) == row.expected);
  }
}

TEST_CASE("what only looks encoded stands for itself") {
  for (const char* text :
       {"%", "%3", "%3g0", "%-1", "100 %", R"(\u003)", R"(\u00g0aa)", R"(\x3)", R"(\xg0aa)", "\\",
        "&#;", "&#x;", "&#xg;", "&#1234567890;", "&amplitude;", "&at;", ""}) {
    CAPTURE(text);
    CHECK(decoded(text) == text);
  }
}
