#include "core/event/event_check.hpp"

#include <doctest/doctest.h>

using namespace outbox::core;

namespace {

std::string nested(std::size_t arrays) {
  return R"({"event_name":"e","user_id":"u","timestamp":"2024-10-20T15:51:35Z","properties":{"x":)" +
         std::string(arrays, '[') + std::string(arrays, ']') + "}}";
}

std::string text_of(const std::optional<Violation>& violation) {
  return violation ? violation->field + ": " + violation->reason : "fine";
}

}  // namespace

TEST_CASE("each broken rule is named with its field") {
  struct Row {
    const char* payload;
    const char* expected;
  };
  const Row rows[] = {
      {R"({"event_name":"e","user_id":"u","timestamp":"2024-10-20T15:51:35Z"})", "fine"},
      {R"({"event_name":"e","user_id":"u","timestamp":"2024-10-20T15:51:35Z","more":[1,{"a":null}],)"
       R"("properties":{},"context":{"group_id":"g"}})",
       "fine"},
      {R"({"event":"e","user_id":"u","timestamp":"2024-10-20T15:51:35Z"})",
       "event_name: required (\"event\" is no field of the Track API)"},
      {R"({"event_name":"e","timestamp":"2024-10-20T15:51:35Z"})", "user_id: required"},
      {R"({"event_name":"e","user_id":"","timestamp":"2024-10-20T15:51:35Z"})",
       "user_id: required"},
      {R"({"event_name":"e","user_id":7,"timestamp":"2024-10-20T15:51:35Z"})",
       "user_id: must be a string"},
      {R"({"event_name":"e","user_id":{},"timestamp":"2024-10-20T15:51:35Z"})",
       "user_id: must be a string"},
      {R"({"event_name":"e","user_id":"u"})", "timestamp: required"},
      {R"({"event_name":"e","user_id":"u","timestamp":"20-11-23T22:28:55.111Z"})",
       "timestamp: must be an ISO 8601 instant such as 2024-10-20T15:51:35.059000Z"},
      {R"({"event_name":"e","user_id":"u","timestamp":"2024-10-20T15:51:35Z","properties":[]})",
       "properties: must be an object"},
      {R"({"event_name":"e","user_id":"u","timestamp":"2024-10-20T15:51:35Z","context":"x"})",
       "context: must be an object"},
      {R"({"event_name":"e","user_id":"u","user_id":"v","timestamp":"2024-10-20T15:51:35Z"})",
       "user_id: there twice"},
      {R"({"event_name":"e","x":1,"user_id":"u","x":2,"timestamp":"2024-10-20T15:51:35Z"})",
       "fine"},
      {R"(["event_name"])", ": must be a JSON object"},
      {R"("text")", ": must be a JSON object"},
      {"", ": not valid JSON at byte 0"},
      {R"({"event_name":"e",})", ": not valid JSON at byte 18"},
      {"{\"event_name\":\"e\" // why\n}", ": not valid JSON at byte 18"},
      {R"({"event_name":"e"} {})", ": not valid JSON at byte 19"},
      {"{\"event_name\":\"\xFF\"}", ": not UTF-8 at byte 15"},
      {"\xEF\xBB\xBF{}", ": must be a JSON object"},  // a byte order mark
      {R"({"properties.invitee_email":1,"event_name":"invite_sent","user_id":"u",)"
       R"("timestamp":"2024-10-20T15:51:35Z"})",
       "fine"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.payload);
    CHECK(text_of(event_violation(row.payload)) == row.expected);
  }
}

TEST_CASE("a NUL and a byte order mark are refused wherever they would be sent") {
  const std::string good = R"({"event_name":"e","user_id":"u","timestamp":"2024-10-20T15:51:35Z"})";
  CHECK(text_of(event_violation(good + std::string(1, '\0') + "junk")) ==
        ": holds a NUL at byte 67");
  CHECK(text_of(member_violation("properties", std::string("{\"a\":1}\0}", 9), {})) ==
        "properties: holds a NUL at byte 7");
  CHECK(text_of(member_violation("properties", "\xEF\xBB\xBF{\"a\":1}", {})) ==
        "properties: must be a JSON object");
  CHECK(text_of(member_violation("properties", " \n{\"a\":1} ", {})) == "fine");
}

TEST_CASE("64 levels are allowed and 65 are not") {
  CHECK(text_of(event_violation(nested(62))) == "fine");  // + the event + its properties
  CHECK(text_of(event_violation(nested(63))) == ": nested deeper than 64 levels");
  CHECK(text_of(event_violation(nested(1'000'000))) == ": nested deeper than 64 levels");
}

TEST_CASE("the address of an invite is looked at when it is recorded, not when it is sent") {
  const char* const invite =
      R"({"event_name":"invite_sent","user_id":"u","timestamp":"2024-10-20T15:51:35Z",)"
      R"("properties":{"invitee_email":"nobody"}})";
  CHECK(text_of(new_event_violation(invite)) ==
        "properties.invitee_email: must have one @ with something on both sides");
  CHECK(text_of(event_violation(invite)) == "fine");
  CHECK(text_of(new_event_violation(
            R"({"event_name":"invite_sent","user_id":"u","timestamp":"2024-10-20T15:51:35Z",)"
            R"("properties":{"invitee_email":5}})")) ==
        "properties.invitee_email: must be a string");
}

TEST_CASE("an address in another event is not checked") {
  CHECK(text_of(new_event_violation(
            R"({"event_name":"e","user_id":"u","timestamp":"2024-10-20T15:51:35Z",)"
            R"("properties":{"invitee_email":"nobody"}})")) == "fine");
}

TEST_CASE("addresses are checked laxly: the API's own sample passes") {
  for (const char* address : {"amy@achme.com", "shawnankunding@opportunityspace,inc..com", "a@b"}) {
    CAPTURE(address);
    CHECK_FALSE(address_problem(address));
  }
  for (const std::string& address : {std::string{}, std::string{"amy"}, std::string{"@b"},
                                     std::string{"a@"}, std::string{"a@b@c"}, std::string{"a b@c"},
                                     std::string{"a@b\n"}, std::string(320, 'a') + "@b"}) {
    CAPTURE(address);
    CHECK(address_problem(address));
  }
}

TEST_CASE("the properties of an invite are looked at for the address, at their first level only") {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"invitee_email":"amy@achme.com"})", "fine"},
      {R"({"plan":"pro"})", "fine"},
      {R"({"more":{"invitee_email":"x"}})", "fine"},
      {R"({"invitee_email":"x"})",
       "properties.invitee_email: must have one @ with something on both sides"},
      {R"({"invitee_email":["amy@achme.com"]})", "properties.invitee_email: must be a string"},
      {R"({"invitee_email":"x"}})", "properties: not valid JSON at byte 21"},
      {"[]", "properties: must be a JSON object"},
  };
  for (const auto& [properties, expected] : cases) {
    CAPTURE(properties);
    CHECK(text_of(invite_properties_violation(properties)) == expected);
  }
}

TEST_CASE("more members of an event must be an object that repeats no typed field") {
  const std::string_view taken[] = {"group_id"};
  CHECK(text_of(member_violation("context", R"({"device_id":"d"})", taken)) == "fine");
  CHECK(text_of(member_violation("context", R"({"a":{"group_id":1}})", taken)) == "fine");
  CHECK(text_of(member_violation("context", R"({"group_id":"h"})", taken)) ==
        "context.group_id: already set by a field of the event");
  CHECK(text_of(member_violation("context", "[]", taken)) == "context: must be a JSON object");
  CHECK(text_of(member_violation("context", "{}}", taken)) == "context: not valid JSON at byte 2");
}
