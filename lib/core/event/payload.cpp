#include "core/event/payload.hpp"

#include "core/event/event_check.hpp"
#include "core/event/event_value.hpp"
#include "core/event/payload_writer.hpp"
#include "core/event/text.hpp"

namespace outbox::core {

namespace {

std::string text_of(const InviteSent& invite, const Rules& rules, const Stamp& stamp) {
  const Field properties[] = {{"invitee_email", invite.invitee.email},
                              {"invitee_first_name", invite.invitee.first_name},
                              {"invitee_last_name", invite.invitee.last_name},
                              {"invitee_role", invite.invitee.role},
                              {"feature_name", invite.feature_name},
                              {"team_name", invite.team_name}};
  const Field context[] = {{"group_id", invite.group_id}, {"event_id", stamp.event_id}};
  rules.required("user_id", invite.user_id);
  rules.address("properties.invitee_email", invite.invitee.email);
  rules.text("properties.invitee_first_name", invite.invitee.first_name);
  rules.text("properties.invitee_last_name", invite.invitee.last_name);
  rules.text("properties.invitee_role", invite.invitee.role);
  rules.text("properties.feature_name", invite.feature_name);
  rules.text("properties.team_name", invite.team_name);
  rules.text("context.group_id", invite.group_id);
  rules.timestamp(invite.timestamp.text());
  rules.members("properties", invite.properties, properties);
  rules.members("context", invite.context, context);

  std::string json;
  json.reserve(512);
  Members event{json};
  event.add("event_name", "invite_sent");
  event.add_object("properties", properties, invite.properties);
  event.add("user_id", invite.user_id);
  event.add("timestamp", timestamp_of(invite.timestamp, stamp));
  event.add_object("context", context, invite.context);
  event.end();
  return json;
}

std::string text_of(const TrackEvent& track, const Rules& rules, const Stamp& stamp) {
  const Field context[] = {{"event_id", stamp.event_id}};
  rules.required("event_name", track.event_name);
  rules.required("user_id", track.user_id);
  rules.timestamp(track.timestamp.text());
  if (track.event_name == "invite_sent") {  // the address is looked at, however it is written
    rules.invite_properties(track.properties);
  } else {
    rules.members("properties", track.properties, {});
  }
  rules.members("context", track.context, context);

  std::string json;
  json.reserve(256 + track.properties.size() + track.context.size());
  Members event{json};
  event.add("event_name", track.event_name);
  event.add_object("properties", {}, track.properties);
  event.add("user_id", track.user_id);
  event.add("timestamp", timestamp_of(track.timestamp, stamp));
  event.add_object("context", context, track.context);
  event.end();
  return json;
}

std::string text_of(const Identify& user, const Rules& rules, const Stamp& stamp) {
  const Field traits[] = {{"user_email", user.email}, {"user_name", user.name}};
  const Field context[] = {{"event_id", stamp.event_id}};
  rules.required("user_id", user.user_id);
  rules.timestamp(user.timestamp.text());
  if (!user.email.empty()) rules.address("traits.user_email", user.email);
  rules.text("traits.user_name", user.name);
  rules.members("traits", user.traits, traits);
  rules.members("context", user.context, context);

  std::string json;
  json.reserve(256 + user.traits.size() + user.context.size());
  Members event{json};
  event.add("user_id", user.user_id);
  event.add_object("traits", traits, user.traits);
  event.add("timestamp", timestamp_of(user.timestamp, stamp));
  event.add_object("context", context, user.context);
  event.end();
  return json;
}

std::string text_of(const Group& group, const Rules& rules, const Stamp& stamp) {
  const Field traits[] = {
      {"group_type", group.type}, {"account_name", group.name}, {"account_domain", group.domain}};
  const Field context[] = {
      {"group_id", group.group_id}, {"group_type", group.type}, {"event_id", stamp.event_id}};
  rules.required("group_id", group.group_id);
  rules.required("user_id", group.user_id);
  rules.timestamp(group.timestamp.text());
  rules.text("traits.group_type", group.type);
  rules.text("traits.account_name", group.name);
  rules.text("traits.account_domain", group.domain);
  rules.members("traits", group.traits, traits);
  rules.members("context", group.context, context);

  std::string json;
  json.reserve(320 + group.traits.size() + group.context.size());
  Members event{json};
  event.add("group_id", group.group_id);
  event.add("user_id", group.user_id);
  event.add_object("traits", traits, group.traits);
  event.add("timestamp", timestamp_of(group.timestamp, stamp));
  event.add_object("context", context, group.context);
  event.end();
  return json;
}

std::string text_of(const Payload& payload, const Rules& rules, const Stamp& stamp) {
  const std::string_view text = trimmed(payload.text);
  if (const auto violation = new_event_violation(text, stamp.kind)) {
    rules.refuse(violation->field, violation->reason);
  }
  return std::string{text};
}

}  // namespace

std::string_view kind_of(const Event& event) {
  if (is_a<Identify>(event)) return event_kind::identify;
  if (is_a<Group>(event)) return event_kind::group;
  return {};
}

std::string payload_text(const Event& event, std::size_t element, const Stamp& stamp) {
  const Rules rules{element};
  std::string json =
      std::visit([&](const auto& any) { return text_of(any, rules, stamp); }, event.value().any);
  if (json.size() > stamp.bytes_max) {
    rules.refuse("", "is " + std::to_string(json.size()) + " bytes; at most " +
                         std::to_string(stamp.bytes_max) + " are allowed");
  }
  return json;
}

}  // namespace outbox::core
