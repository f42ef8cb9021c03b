#include "core/event/payload.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "outbox/errors.hpp"
#include "outbox/json.hpp"

using namespace outbox;

namespace {

constexpr core::Stamp stamp{
    .timestamp = "2024-10-20T15:51:35.059000Z", .event_id = {}, .bytes_max = 256 * 1024};

std::string text_of(const Event& event) {
  return core::payload_text(event, 0, stamp);
}

std::string error_of(const Event& event) {
  try {
    core::payload_text(event, 3, stamp);
    return "none";
  } catch (const invalid_event& error) {
    return error.what();
  }
}

InviteSent amy() {
  return {.user_id = "766b3aef-5904-46fe-af05-a293fee8h345",
          .group_id = "bp497d1a-0159-4009-9454-8a1b0e7c0a60",
          .invitee = {.email = "amy@achme.com",
                      .first_name = "Amy",
                      .last_name = "Frank",
                      .role = "Developer"},
          .feature_name = "CUSTOMER_JOURNEY"};
}

}  // namespace

TEST_CASE("an invite is written in the shape and order of the Track API's sample") {
  CHECK(text_of(amy()) ==
        R"({"event_name":"invite_sent","properties":{"invitee_email":"amy@achme.com",)"
        R"("invitee_first_name":"Amy","invitee_last_name":"Frank","invitee_role":"Developer",)"
        R"("feature_name":"CUSTOMER_JOURNEY"},"user_id":"766b3aef-5904-46fe-af05-a293fee8h345",)"
        R"("timestamp":"2024-10-20T15:51:35.059000Z",)"
        R"("context":{"group_id":"bp497d1a-0159-4009-9454-8a1b0e7c0a60"}})");
}

TEST_CASE("an invite to a team names the team") {
  InviteSent invite = amy();
  invite.team_name = "Platform";

  CHECK(nlohmann::json::parse(text_of(invite)).at("properties").at("team_name") == "Platform");
}

TEST_CASE("an invite without an account, a name or a feature leaves them out") {
  const InviteSent invite{.user_id = "u", .invitee = {.email = "a@b"}};

  CHECK(text_of(invite) ==
        R"({"event_name":"invite_sent","properties":{"invitee_email":"a@b"},"user_id":"u",)"
        R"("timestamp":"2024-10-20T15:51:35.059000Z","context":{}})");
}

TEST_CASE("more properties and context stand behind the typed ones, with their own bytes") {
  InviteSent invite{.user_id = "u", .invitee = {.email = "a@b"}};
  invite.properties = R"( { "amount": 1.10 } )";
  invite.context = json_text(nlohmann::json{{"source", "product"}});

  CHECK(
      text_of(invite) ==
      R"({"event_name":"invite_sent","properties":{"invitee_email":"a@b","amount": 1.10},)"
      R"("user_id":"u","timestamp":"2024-10-20T15:51:35.059000Z","context":{"source":"product"}})");
}

TEST_CASE("a property that has a field of its own may be given as text when the field is not set") {
  InviteSent invite = amy();
  invite.properties = R"({"team_name":"Platform"})";
  CHECK(nlohmann::json::parse(text_of(invite)).at("properties").at("team_name") == "Platform");
}

TEST_CASE("the examples of json.hpp are valid") {
  const TrackEvent track{.event_name = "signed_up",
                         .user_id = "u",
                         .properties = json_text({{"plan", "pro"}}),
                         .context = json_text(nlohmann::ordered_json{{"z", 1}, {"a", 2}})};
  CHECK(text_of(track).find(R"("properties":{"plan":"pro"})") != std::string::npos);
  CHECK(text_of(track).find(R"("context":{"z":1,"a":2})") != std::string::npos);
  CHECK(text_of(
            payload({{"event_name", "e"}, {"user_id", "u"}, {"timestamp", "2024-10-20T15:51:35Z"}}))
            .find("\"e\"") != std::string::npos);
  CHECK(payload(nlohmann::ordered_json{{"b", 1}, {"a", 2}}).text == R"({"b":1,"a":2})");
}

TEST_CASE("text that JSON escapes comes back as it was") {
  const std::string odd = "O'Brien \"the\" \\ \n \x01 \x7F grüß 🎉 </script>";
  InviteSent invite = amy();
  invite.invitee.first_name = odd;

  CHECK(nlohmann::json::parse(text_of(invite)).at("properties").at("invitee_first_name") == odd);
}

TEST_CASE("an open event has properties and context, empty if need be") {
  CHECK(text_of(TrackEvent{.event_name = "signed_up", .user_id = "u"}) ==
        R"({"event_name":"signed_up","properties":{},"user_id":"u",)"
        R"("timestamp":"2024-10-20T15:51:35.059000Z","context":{}})");
  CHECK(text_of(TrackEvent{.event_name = "signed_up",
                           .user_id = "u",
                           .timestamp = "2024-01-01T00:00:00Z",
                           .properties = R"({"plan":"pro"})",
                           .context = R"({"group_id":"g"})"}) ==
        R"({"event_name":"signed_up","properties":{"plan":"pro"},"user_id":"u",)"
        R"("timestamp":"2024-01-01T00:00:00Z","context":{"group_id":"g"}})");
}

TEST_CASE("a payload keeps its bytes but for white space around it") {
  const std::string text = R"({ "user_id" : "u", "n": 12345678901234567890123, "event_name":"e",)"
                           "\n \"timestamp\":\"2024-10-20T15:51:35Z\" }";
  CHECK(text_of(Payload{.text = " \n" + text + "\n"}) == text);
}

TEST_CASE("a nlohmann value becomes a payload") {
  const nlohmann::json event = {
      {"event_name", "e"}, {"user_id", "u"}, {"timestamp", "2024-10-20T15:51:35Z"}};
  CHECK(nlohmann::json::parse(text_of(payload(event))) == event);
}

TEST_CASE("the event id goes into the context when it is asked for") {
  core::Stamp with_id = stamp;
  with_id.event_id = "id-1";

  const auto json = nlohmann::json::parse(core::payload_text(amy(), 0, with_id));

  CHECK(json.at("context") == nlohmann::json{{"group_id", amy().group_id}, {"event_id", "id-1"}});
}

TEST_CASE("a broken rule names the element and the field, and never the value") {
  const auto changed = [](auto change) {
    InviteSent invite = amy();
    change(invite);
    return Event{invite};
  };
  struct Row {
    Event event;
    const char* error;
  };
  const Row rows[] = {
      {changed([](InviteSent& i) { i.user_id.clear(); }), "events[3].user_id: required"},
      {changed([](InviteSent& i) { i.invitee.email.clear(); }),
       "events[3].properties.invitee_email: required"},
      {changed([](InviteSent& i) { i.invitee.email = "amy"; }),
       "events[3].properties.invitee_email: must have one @ with something on both sides"},
      {changed([](InviteSent& i) { i.invitee.first_name = "\xFF"; }),
       "events[3].properties.invitee_first_name: not UTF-8 at byte 0"},
      {changed([](InviteSent& i) { i.invitee.last_name = "\xFF"; }),
       "events[3].properties.invitee_last_name: not UTF-8 at byte 0"},
      {changed([](InviteSent& i) { i.invitee.role = "\xFF"; }),
       "events[3].properties.invitee_role: not UTF-8 at byte 0"},
      {changed([](InviteSent& i) { i.feature_name = "\xFF"; }),
       "events[3].properties.feature_name: not UTF-8 at byte 0"},
      {changed([](InviteSent& i) { i.team_name = "\xFF"; }),
       "events[3].properties.team_name: not UTF-8 at byte 0"},
      {changed([](InviteSent& i) { i.group_id = "a\xC0"; }),
       "events[3].context.group_id: not UTF-8 at byte 1"},
      {changed([](InviteSent& i) { i.timestamp = "20-11-23T22:28:55.111Z"; }),
       "events[3].timestamp: must be an ISO 8601 instant such as 2024-10-20T15:51:35.059000Z"},
      {changed([](InviteSent& i) { i.properties = R"({"invitee_role":"x"})"; }),
       "events[3].properties.invitee_role: already set by a field of the event"},
      {changed([](InviteSent& i) { i.context = R"({"group_id":"x"})"; }),
       "events[3].context.group_id: already set by a field of the event"},
      {changed([](InviteSent& i) { i.properties = "{"; }),
       "events[3].properties: not valid JSON at byte 1"},
      {TrackEvent{.user_id = "u"}, "events[3].event_name: required"},
      {TrackEvent{.event_name = "e"}, "events[3].user_id: required"},
      {TrackEvent{
           .event_name = "invite_sent", .user_id = "u", .properties = R"({"invitee_email":"x"})"},
       "events[3].properties.invitee_email: must have one @ with something on both sides"},
      {Payload{.text = "[1]"}, "events[3]: must be a JSON object"},
      {Payload{.text = R"({"event_name":"e","user_id":"u"})"}, "events[3].timestamp: required"},
      {Payload{}, "events[3]: not valid JSON at byte 0"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.error);
    CHECK(error_of(row.event) == row.error);
  }
}

TEST_CASE("an event may be as large as the limit and not one byte larger") {
  TrackEvent event{.event_name = "e", .user_id = "u"};
  core::Stamp limited = stamp;
  limited.bytes_max = text_of(event).size();
  CHECK_NOTHROW(core::payload_text(event, 0, limited));

  event.user_id += "u";
  CHECK_THROWS_WITH_AS(core::payload_text(event, 0, limited),
                       "events[0]: is 104 bytes; at most 103 are allowed", invalid_event);
}

TEST_CASE("64 levels count the event and the member that holds them") {
  const auto with_arrays = [](std::size_t arrays) {
    return TrackEvent{
        .event_name = "e",
        .user_id = "u",
        .properties = R"({"x":)" + std::string(arrays, '[') + std::string(arrays, ']') + "}"};
  };
  CHECK(error_of(with_arrays(62)) == "none");
  CHECK(error_of(with_arrays(63)) == "events[3].properties: nested deeper than 64 levels");
}
