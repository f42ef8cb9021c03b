#pragma once

// Who may talk to the page at all. Any web page that the person has open can send requests to a
// port of this machine, and so can every other user of it: docs/page.md says what each check keeps
// out.

#include <optional>
#include <string>

namespace page {

/// Of a request, what the guard looks at; a header that is not there is empty.
struct Visit {
  std::string method = {};
  std::string path = {};
  std::string host = {};
  std::string authorization = {};
  std::string origin = {};
  std::string content_type = {};
  std::string fetch_site = {};
  std::string fetch_mode = {};
  std::string fetch_dest = {};
};

/// Why a visit is refused, for the answer.
struct Refusal {
  int status = 403;
  std::string detail = {};
};

class Guard {
 public:
  Guard(int port, std::string token);

  /// None: it may come in.
  std::optional<Refusal> refuse(const Visit& visit) const;

 private:
  std::optional<Refusal> refuse_change(const Visit& visit) const;
  bool is_own(const std::string& host) const;

  std::string hosts_[2];
  bool is_at_usual_port_;
  std::string authorization_;
};

/// Whether `path` is of the interface, and not of the files that hold no data.
bool is_api(const std::string& path);

/// 128 bits of the system's randomness, as hex digits.
std::string make_token();

}  // namespace page
