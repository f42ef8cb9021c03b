#include "core/event/event_check.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/event/limits.hpp"
#include "core/event/text.hpp"
#include "core/event/timestamp.hpp"

namespace outbox::core {

namespace {

using Json = nlohmann::json;

enum class Kind { string, object, other };

// Walks a JSON text and tells what it meets at which depth (1: a member of the outermost object).
// The outermost value must be an object.
class Walker : public Json::json_sax_t {
 public:
  explicit Walker(std::string_view field, std::size_t depth_allowed)
      : field_{field}, depth_allowed_{depth_allowed} {}

  std::optional<Violation> walk(std::string_view text) {
    if (const auto bad = first_invalid_utf8(text)) {
      return Violation{field_, "not UTF-8 at byte " + std::to_string(*bad)};
    }
    // The parser takes a NUL for the end, and skips a byte order mark: both would be sent.
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
      return Violation{field_, "holds a NUL at byte " + std::to_string(nul)};
    }
    const std::string_view value = trimmed(text);
    if (!value.empty() && value.front() != '{') return Violation{field_, "must be a JSON object"};
    Json::sax_parse(text.begin(), text.end(), this);
    if (violation_) return violation_;
    return at_end();
  }

  bool null() final { return value(Kind::other, {}); }
  bool boolean(bool) final { return value(Kind::other, {}); }
  bool number_integer(number_integer_t) final { return value(Kind::other, {}); }
  bool number_unsigned(number_unsigned_t) final { return value(Kind::other, {}); }
  bool number_float(number_float_t, const string_t&) final { return value(Kind::other, {}); }
  bool string(string_t& text) final { return value(Kind::string, text); }
  bool binary(binary_t&) final { return false; }
  bool start_object(std::size_t) final { return value(Kind::object, {}) && enter(); }
  bool end_object() final { return leave(); }
  bool start_array(std::size_t) final { return value(Kind::other, {}) && enter(); }
  bool end_array() final { return leave(); }
  bool key(string_t& name) final {
    if (depth_ <= 2) path_[depth_ - 1] = name;
    return depth_ != 1 || at_member(name);
  }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) final {
    // The parser's own message quotes the text, which may be about people.
    return refuse("", "not valid JSON at byte " + std::to_string(position > 0 ? position - 1 : 0));
  }

 protected:
  virtual bool at_member(const std::string& name) = 0;
  virtual bool at_value(std::string_view member, Kind kind, const std::string& text) = 0;
  // A value one level deeper, in the object that is `member`.
  virtual bool at_inner_value(std::string_view member, std::string_view inner, Kind kind,
                              const std::string& text) = 0;
  virtual std::optional<Violation> at_end() = 0;

  bool refuse(std::string_view path, std::string reason) {
    std::string field = field_;
    if (!path.empty()) field += (field.empty() ? "" : ".") + std::string{path};
    violation_ = Violation{std::move(field), std::move(reason)};
    return false;
  }

 private:
  bool value(Kind kind, const std::string& text) {
    if (depth_ == 0) return kind == Kind::object || refuse("", "must be a JSON object");
    if (depth_ == 1) return at_value(path_[0], kind, text);
    return depth_ != 2 || at_inner_value(path_[0], path_[1], kind, text);
  }
  bool enter() {
    return ++depth_ <= depth_allowed_ ||
           refuse("", "nested deeper than " + std::to_string(depth_max) + " levels");
  }
  bool leave() {
    if (depth_ <= 2) path_[depth_ - 1].clear();
    --depth_;
    return true;
  }

  std::string field_;
  std::size_t depth_allowed_;
  std::size_t depth_ = 0;
  std::string path_[2];
  std::optional<Violation> violation_;
};

// What is wrong with an invitee's address.
std::optional<std::string> invitee_problem(std::string_view text, Kind kind) {
  return kind == Kind::string ? address_problem(text) : "must be a string";
}

class EventWalker final : public Walker {
 public:
  explicit EventWalker(std::string_view kind)
      : Walker{"", depth_max},
        is_group_{kind == event_kind::group},
        is_known_{kind.empty() || kind == event_kind::track || kind == event_kind::identify ||
                  is_group_} {
    if (!is_known_) return;
    if (is_group_) required_.push_back({"group_id"});
    if (!is_group_ && kind != event_kind::identify) required_.push_back({"event_name"});
    required_.push_back({"user_id"});
    required_.push_back({"timestamp"});
  }

  bool is_invite() const { return is_invite_; }
  const std::optional<std::string>& address_problem_found() const { return address_problem_; }

 private:
  struct Required {
    std::string_view name;
    bool is_there = false;
  };

  bool at_member(const std::string& name) override {
    if (!is_known_) return true;
    if (name == "event") has_old_name_ = true;
    const auto known = std::find(seen_.begin(), seen_.end(), name);
    if (known != seen_.end()) return refuse(name, "there twice");
    if (is_named(name)) seen_.push_back(name);
    return true;
  }

  bool at_value(std::string_view path, Kind kind, const std::string& text) override {
    if (!is_known_) return true;
    for (Required& field : required_) {
      if (path != field.name) continue;
      if (kind != Kind::string) return refuse(path, "must be a string");
      field.is_there = !text.empty();
    }
    if (path == "event_name") is_invite_ = text == "invite_sent";
    if (path == "group_id") group_ = text;
    if (path == "timestamp") timestamp_problem_ = timestamp_problem(text);
    const bool is_object = path == "properties" || path == "traits" || path == "context";
    if (is_object && kind != Kind::object) {
      return refuse(path, "must be an object");
    }
    return true;
  }

  bool at_inner_value(std::string_view member, std::string_view inner, Kind kind,
                      const std::string& text) override {
    if (member == "properties" && inner == "invitee_email") {
      address_problem_ = invitee_problem(text, kind);
    }
    if (member == "context" && inner == "group_id") context_group_ = text;
    return true;
  }

  std::optional<Violation> at_end() override {
    for (const Required& field : required_) {
      if (field.is_there) continue;
      const bool is_old = field.name == "event_name" && has_old_name_;
      return Violation{std::string{field.name},
                       is_old ? "required (\"event\" is no field of the Track API)" : "required"};
    }
    if (timestamp_problem_) return Violation{"timestamp", *timestamp_problem_};
    if (is_group_ && context_group_ != group_) {
      return Violation{"context.group_id", "must be the group_id"};
    }
    return std::nullopt;
  }

  static bool is_named(std::string_view name) {
    return name == "event_name" || name == "user_id" || name == "timestamp" || name == "group_id" ||
           name == "properties" || name == "traits" || name == "context";
  }

  bool is_group_;
  bool is_known_;
  std::vector<Required> required_;
  std::vector<std::string> seen_;
  std::string group_;
  std::string context_group_;
  bool has_old_name_ = false;
  bool is_invite_ = false;
  std::optional<std::string>
      timestamp_problem_;  // what is missing is told before what is malformed
  std::optional<std::string> address_problem_;
};

class MemberWalker : public Walker {
 public:
  // One level is taken by the event around the member.
  MemberWalker(std::string_view field, std::span<const std::string_view> taken)
      : Walker{field, depth_max - 1}, taken_{taken} {}

 private:
  bool at_member(const std::string& name) override {
    return std::find(taken_.begin(), taken_.end(), name) == taken_.end() ||
           refuse(name, "already set by a field of the event");
  }
  bool at_value(std::string_view, Kind, const std::string&) override { return true; }
  bool at_inner_value(std::string_view, std::string_view, Kind, const std::string&) override {
    return true;
  }
  std::optional<Violation> at_end() override { return std::nullopt; }

  std::span<const std::string_view> taken_;
};

class InvitePropertiesWalker final : public MemberWalker {
 public:
  InvitePropertiesWalker() : MemberWalker{"properties", {}} {}

 private:
  bool at_value(std::string_view member, Kind kind, const std::string& text) override {
    if (member == "invitee_email") problem_ = invitee_problem(text, kind);
    return true;
  }
  std::optional<Violation> at_end() override {
    if (!problem_) return std::nullopt;
    return Violation{"properties.invitee_email", *problem_};
  }

  std::optional<std::string> problem_;
};

}  // namespace

std::optional<Violation> event_violation(std::string_view payload, std::string_view kind) {
  return EventWalker{kind}.walk(payload);
}

std::optional<Violation> object_violation(std::string_view payload) {
  return EventWalker{"any"}.walk(payload);
}

std::optional<Violation> new_event_violation(std::string_view payload, std::string_view kind) {
  EventWalker walker{kind};
  if (auto violation = walker.walk(payload)) return violation;
  if (walker.is_invite() && walker.address_problem_found()) {
    return Violation{"properties.invitee_email", *walker.address_problem_found()};
  }
  return std::nullopt;
}

std::optional<Violation> member_violation(std::string_view field, std::string_view object,
                                          std::span<const std::string_view> taken) {
  return MemberWalker{field, taken}.walk(object);
}

std::optional<Violation> invite_properties_violation(std::string_view properties) {
  return InvitePropertiesWalker{}.walk(properties);
}

std::optional<std::string> address_problem(std::string_view address) {
  if (address.size() > 320)
    return "longer than 320 bytes";  // 64 + 1 + 255, RFC 3696 and its erratum
  const std::size_t at = address.find('@');
  const bool is_address = at != std::string_view::npos && at > 0 && at + 1 < address.size() &&
                          address.find('@', at + 1) == std::string_view::npos;
  if (!is_address) return "must have one @ with something on both sides";
  const bool is_clean = std::all_of(address.begin(), address.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7F;
  });
  if (!is_clean) return "must not hold spaces or control characters";
  return std::nullopt;
}

}  // namespace outbox::core
