#include "guard.hpp"

#include <sys/random.h>

#include <array>
#include <stdexcept>

namespace page {

namespace {

// Takes as long for a wrong token as for one that is nearly right.
bool are_equal(const std::string& left, const std::string& right) {
  if (left.size() != right.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    difference |= static_cast<unsigned char>(left[i]) ^ static_cast<unsigned char>(right[i]);
  }
  return difference == 0;
}

bool is_read(const Visit& visit) {
  return visit.method == "GET" || visit.method == "HEAD";
}

// A link in a mail or a file leads here from another site. It opens the page, which holds no data;
// as a frame or a script of that site it is refused.
bool is_link(const Visit& visit) {
  return is_read(visit) && !is_api(visit.path) && visit.fetch_mode == "navigate" &&
         visit.fetch_dest == "document";
}

bool is_json(const std::string& content_type) {
  const std::string type = content_type.substr(0, content_type.find(';'));
  return type == "application/json" || type == "application/json ";
}

}  // namespace

Guard::Guard(int port, std::string token)
    : hosts_{"127.0.0.1:" + std::to_string(port), "localhost:" + std::to_string(port)},
      is_at_usual_port_{port == 80},
      authorization_{"Bearer " + std::move(token)} {}

bool Guard::is_own(const std::string& host) const {
  // Of the port that http:// means, browsers say nothing.
  if (is_at_usual_port_ && (host == "127.0.0.1" || host == "localhost")) return true;
  return host == hosts_[0] || host == hosts_[1];
}

std::optional<Refusal> Guard::refuse(const Visit& visit) const {
  // First of all, for files too: a name that someone lets point to this machine is not this page.
  if (!is_own(visit.host)) return Refusal{421, "this page is served at " + hosts_[0] + " only"};
  const bool is_from_here =
      visit.fetch_site.empty() || visit.fetch_site == "none" || visit.fetch_site == "same-origin";
  if (!is_from_here && !is_link(visit)) return Refusal{403, "another site may not call this page"};
  if (!is_read(visit)) {
    if (auto refusal = refuse_change(visit)) return refusal;
  }
  if (is_api(visit.path) && !are_equal(visit.authorization, authorization_)) {
    return Refusal{401, "open the link that `outbox serve` has printed"};
  }
  return std::nullopt;
}

std::optional<Refusal> Guard::refuse_change(const Visit& visit) const {
  if (visit.method != "POST" || !is_api(visit.path)) return Refusal{405, "GET it"};
  if (visit.origin != "http://" + visit.host) {
    return Refusal{
        403, "a change must come from this page: its header Origin is missing, or another one"};
  }
  if (!is_json(visit.content_type)) return Refusal{415, "send application/json"};
  return std::nullopt;
}

bool is_api(const std::string& path) {
  return path.rfind("/api/", 0) == 0;
}

std::string make_token() {
  std::array<unsigned char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error{"cannot draw random bytes for the token"};
  }
  constexpr auto digits = "0123456789abcdef";
  std::string token;
  for (const unsigned char byte : bytes) {
    token += digits[byte >> 4];
    token += digits[byte & 15];
  }
  return token;
}

}  // namespace page
