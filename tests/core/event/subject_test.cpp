#include "core/event/subject.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using outbox::Subject;
using outbox::core::holds_address;
using outbox::core::place_of;

TEST_CASE("an address beyond ASCII is found in each way that JSON and HTML write it") {
  const std::string plain = "j\xc3\xbcrgen@x.de";
  for (const char* text : {"j\xc3\xbcrgen@x.de", R"({"raw":"j\u00fcrgen@x.de"})",
                           R"({"raw":"{\"email\":\"j\\u00fcrgen@x.de\"}"})", "j%C3%BCrgen@x.de",
                           "j&#252;rgen@x.de", "j&#xFC;rgen&commat;x.de"}) {
    CAPTURE(text);
    CHECK(holds_address(text, plain));
  }
  CHECK_FALSE(holds_address(R"(j\u00f6rgen@x.de)", plain));
}

TEST_CASE("an address is found as a word of its own, in either case") {
  struct Row {
    const char* text;
    bool holds;
  };
  const Row rows[] = {
      {"amy@achme.com", true},
      {"AMY@Achme.Com", true},
      {"<amy@achme.com>", true},
      {"write to amy@achme.com.", true},
      {"amy@achme.com,tom@achme.com", true},
      {"mailto:amy@achme.com?subject=x", true},
      {"?email=amy@achme.com&x=1", true},
      {"?email=amy%40achme.com", true},
      {"/u/amy@achme.com/", true},
      {"{amy@achme.com}", true},
      {"*amy@achme.com*", true},
      {"\xE2\x80\x9C"
       "amy@achme.com"
       "\xE2\x80\x9D",
       true},
      {"\xE9\x82\xAE"
       "amy@achme.com",
       true},
      {"amy+tag@achme.com", false},
      {"mary-amy@achme.com", true},
      {"invite_amy@achme.com", true},
      {"email%3Damy%40achme.com", true},
      {"%3Camy%40achme.com%3E", true},
      {"%20amy@achme.com", true},
      {"hello+amy%40achme.com", true},
      {"amy%2540achme.com", true},
      {"amy%252540achme.com", true},
      {"{\"a\":\"x\\namy@achme.com\"}", true},
      {"\\tamy@achme.com", true},
      {"\\u003camy\\u0040achme.com\\u003e", true},
      {"\\\\u0040 amy\\\\u0040achme.com", true},
      {"&lt;&#97;my&#x40;achme.com&gt;", true},
      {"\xC3\xA9%20amy%40achme%2Ecom", true},
      {"big%2Eamy%40achme.com", false},
      {"amy%40achme.com.au", false},
      {"100 % of amy", false},
      {"amy@achme.com-x.org", false},
      {"bigamy@achme.com", false},
      {"big.amy@achme.com", false},
      {"amy@achme.com.au", false},
      {"amy@achme.community", false},
      {"tom@achme.com amy@achme.com", true},
      {"bigamy@achme.com and amy@achme.com", true},
      {"amy@achme", false},
      {"", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(holds_address(row.text, "amy@achme.com") == row.holds);
  }
}

TEST_CASE("the plus of an address is found, encoded or not") {
  for (const char* text : {"amy+news@achme.com", "amy%2Bnews%40achme.com", "amy+news%40achme.com",
                           "q=amy%252Bnews%2540achme.com", "<amy\\u002bnews@achme.com>"}) {
    CAPTURE(text);
    CHECK(holds_address(text, "amy+news@achme.com"));
  }
}

TEST_CASE("an event is about a subject wherever the payload names it") {
  struct Row {
    const char* payload;
    Subject subject;
    bool is_about;
  };
  const Row rows[] = {
      {R"({"properties":{"invitee_email":"amy@achme.com"}})", Subject::email("amy@achme.com"),
       true},
      {R"({"a":[{"b":["to amy@achme.com"]}]})", Subject::email("amy@achme.com"), true},
      {R"({"amy@achme.com":1})", Subject::email("amy@achme.com"), true},
      {R"({"e":"\u0061my\u0040achme.com"})", Subject::email("amy@achme.com"), true},
      {R"({"e":"tom@achme.com"})", Subject::email("amy@achme.com"), false},
      {R"({"user_id":"u-1"})", Subject::user("u-1"), true},
      {R"({"properties":{"invitee_user_id":"u-1"}})", Subject::user("u-1"), true},
      {R"({"user_id":17})", Subject::user("17"), true},
      {R"({"a":true,"b":false,"c":null,"d":-1.5,"plan":"u-1"})", Subject::user("u-1"), false},
      {R"({"user_id":"u-11"})", Subject::user("u-1"), false},
      {R"({"plan":"u-1","superuser_id":"u-1"})", Subject::user("u-1"), false},
      {R"({"context":{"group_id":"g"}})", Subject::group("g"), true},
      {R"({"user_id":"g"})", Subject::group("g"), false},
      {R"({broken amy@achme.com)", Subject::email("amy@achme.com"), true},
      {R"({broken "u-1")", Subject::user("u-1"), true},
      {R"({broken u-1)", Subject::user("u-1"), false},
      {R"({"raw":"{\"user_id\":\"u-1\"}"})", Subject::user("u-1"), true},
      {R"({"raw":"[{\"a\":{\"group_id\":\"g\"}}]"})", Subject::group("g"), true},
      {R"({"raw":"{\"plan\":\"u-1\"}"})", Subject::user("u-1"), false},
      {R"({"user_id":"team%2Fu-1"})", Subject::user("team/u-1"), true},
      {R"({})", Subject::email("amy@achme.com"), false},
      // Within an array, behind another object.
      {R"({"user_id":["a",{"z":1},"u-1"]})", Subject::user("u-1"), true},
      {R"({"user_id":{"z":"u-1"}})", Subject::user("u-1"), false},
      // JSON in a text, encoded once more, or with words around it.
      {R"({"q":"%7B%22user_id%22%3A%20%22u-1%22%7D"})", Subject::user("u-1"), true},
      {R"({"q":"{&quot;user_id&quot;: &quot;u-1&quot;}"})", Subject::user("u-1"), true},
      {R"({"q":"said: {\"user_id\": \"u-1\"} twice"})", Subject::user("u-1"), true},
      {R"({"q":"said: {\"plan\": \"u-1\"} twice"})", Subject::user("u-1"), false},
      {R"({"q":"[info] [u-1] {\"user_id\": \"u-1\"}"})", Subject::user("u-1"), true},
      {R"({"q":"{\"a\":1} {\"user_id\": \"u-1\"}"})", Subject::user("u-1"), true},
      {R"({"e":"amy&#0000000064;achme&period;com"})", Subject::email("amy@achme.com"), true},
      // A number that no double can hold is JSON.
      {R"({"a":1e400,"user_id":4242})", Subject::user("4242"), true},
      {R"({"a":-1e999,"user_id":"user\u002d7"})", Subject::user("user-7"), true},
      {R"({"a":[1e999,"1e999\"",2],"b":{"user_id":"u-1","c":9e9999}})", Subject::user("u-1"), true},
      {R"({"a":1e400,"plan":4242})", Subject::user("4242"), false},
      {R"(["42",{"user_id":1e999}])", Subject::user("42"), false},
      {R"({"a":1e400,"q":"{\"x\":1e400,\"user_id\":\"u-1\"}"})", Subject::user("u-1"), true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.payload);
    CHECK(place_of(row.payload, row.subject).has_value() == row.is_about);
  }
}

TEST_CASE("a subject is not empty, and an address is one") {
  CHECK_NOTHROW(outbox::core::require_subject(Subject::email("a@b")));
  CHECK_NOTHROW(outbox::core::require_subject(Subject::user("u")));
  for (const Subject& wrong :
       {Subject::email(""), Subject::user(""), Subject::group(""), Subject::email("invite_sent")}) {
    CHECK_THROWS_AS(outbox::core::require_subject(wrong), std::invalid_argument);
  }
}

TEST_CASE("the place of a subject is the key before it, and quotes nobody") {
  CHECK(place_of(R"({"properties":{"invitee_email":"amy@achme.com"}})",
                 Subject::email("amy@achme.com")) == "invitee_email");
  CHECK(place_of(R"({"a":1,"amy@achme.com":2})", Subject::email("amy@achme.com")) ==
        "a**@achme.com");
  CHECK(place_of("amy@achme.com", Subject::email("amy@achme.com")) == "");
}
