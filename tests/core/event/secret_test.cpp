#include <doctest/doctest.h>

#include "core/event/text.hpp"

using outbox::core::quotes_secret;

TEST_CASE("a secret is recognised in every encoding in which an answer may quote it") {
  constexpr auto secret = "sk-live/4f9A+c2==\"xyz-7788";
  const char* const quotations[] = {
      "bad token sk-live/4f9A+c2==\"xyz-7788 given",
      "sk-live/4f9A",                          // its first 12 characters are enough
      "SK-LIVE/4F9A+C2",                       // in capitals
      "sk-live\\/4f9A+c2",                     // JSON escapes
      "\\u0073\\u006b-live\\u002f4f9A",        //
      "\\\\u0073k-live\\\\/4f9A",              // twice
      "sk-live%2F4f9A%2Bc2",                   // percent-encoding
      "sk-live%2f4f9A%2bc2",                   //
      "%73%6B%2D%6C%69%76%65%2F%34%66%39%41",  //
      "sk-live%252F4f9A",                      // twice
      "sk-live%25252F4f9A",                    // three times
      "sk-live&#47;4f9A",                      // HTML references
      "sk-live&#x2F;4f9A",                     //
      "\\x73k-live/4f9A",                      // as C writes it
      "sk-li\nve/4f\n9A",                      // broken into lines
      "c2stbGl2ZS80ZjlBK2MyPT0i",              // base64
      "QmVhcmVyIHNrLWxpdmUvNGY5QStjMj09",      // of "Bearer " and the token
      "dXNlcjpzay1saXZlLzRmOUErYzI9PQ==",      // of "user:" and the token
      "c2stbGl2ZS80ZjlB",                      // base64 of a part
      "736b2d6c6976652f34663941",              // hex
      "736B2D6C6976652F34663941",              //
      "{\"error\":\"sk-live\\/4f9A\"}",        // JSON in a text
  };
  for (const char* quotation : quotations) {
    CAPTURE(quotation);
    CHECK(quotes_secret(quotation, secret));
  }
}

TEST_CASE("what is no quotation is kept") {
  constexpr auto secret = "sk-live/4f9A+c2==\"xyz-7788";
  for (const char* text : {"", "user_id: required", "sk-live", "%25252525252525252541",
                           "100 % of \\u00e4 &#x; %zz %", "\\"}) {
    CAPTURE(text);
    CHECK_FALSE(quotes_secret(text, secret));
  }
  CHECK_FALSE(quotes_secret("abc", "abc"));  // too short to tell from a word
  CHECK_FALSE(quotes_secret("anything", ""));
  CHECK(quotes_secret("t0ken!", "t0ken"));
}
