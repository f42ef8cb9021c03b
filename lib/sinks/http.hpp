#pragma once

// The only libcurl: one POST (HttpTransfer), and what libcurl needs once (start, URL checks).

#include <curl/curl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/http/answer.hpp"
#include "sinks/sockets.hpp"

namespace outbox::sinks {

/// Where requests go, and how long they may take.
struct HttpTarget {
  std::string url;
  std::chrono::milliseconds connect_timeout;
  std::chrono::milliseconds timeout;
  std::string ca_file;
  std::string proxy;  // as in TrackApi
};

/// Starts libcurl, once in a process and before anything else of it. Never stopped: a host may use
/// libcurl too. Throws: `std::runtime_error`.
void start_curl();

/// Connects, TLS included, and sends nothing. Returns what is wrong; empty: nothing is.
std::string connection_problem(const HttpTarget& target);

/// What `require_url` found out.
struct UrlFacts {
  bool is_https = false;
  bool is_loopback = false;
};

/// Throws: `std::invalid_argument` unless `url` is http(s) with a host and without user, password
/// or fragment.
UrlFacts require_url(const std::string& url, const std::string& option = "url");

/// Whether a proxy is used for `target`: its own or the environment's. The error names the setting
/// and never its value, which may hold a password.
///
/// Throws: `std::invalid_argument` when that proxy is no URL.
bool require_proxy(const HttpTarget& target);

/// A POST under way, from its body to its answer.
/// Lifetime: must be out of every multi handle before it is destroyed; `sockets` outlives it. Does
/// not move: libcurl points into it.
class HttpTransfer {
 public:
  HttpTransfer(HttpTarget target, Sockets& sockets);
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  /// Prepares the next request on the same handle, to `url` with these header lines. The answer
  /// must not quote `secrets`.
  void prepare(std::uint64_t token, const std::string& url, std::string body,
               const std::vector<std::string>& header_lines, std::vector<std::string> secrets);

  /// The next request opens a connection of its own.
  void avoid_idle_connections(bool avoids);

  CURL* handle() const { return easy_.get(); }
  std::uint64_t token() const { return token_; }
  /// Of the connection that it uses; 0 before it has one.
  long local_port() const;

  /// The facts of the finished transfer. Requires: libcurl said that it is done, with `result`.
  core::Answer answer(CURLcode result);

 private:
  std::string words_for(CURLcode result) const;
  bool is_complete(CURLcode result) const;
  bool may_be_cut() const;
  template <class Look>
  void for_each_header(const char* name, Look look) const;
  struct CloseEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  template <bool (HttpTransfer::*read)(std::string_view)>
  static std::size_t on_bytes(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  bool read_body(std::string_view bytes);
  bool read_header(std::string_view line);
  template <class Value>
  void set(CURLoption option, Value value);
  void set_up();
  void set_url();

  HttpTarget target_;  // with the URL of the newest request
  Sockets& sockets_;
  bool has_proxy_ = false;
  std::unique_ptr<CURL, CloseEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  char error_[CURL_ERROR_SIZE] = {};
  std::uint64_t token_ = 0;
  std::string body_;
  std::vector<std::string> secrets_;
  std::size_t received_ = 0;        // bytes of the answer's body
  std::size_t header_bytes_ = 0;    // of all header lines, those of 1xx and trailers too
  bool has_headers_ended_ = false;  // of the final answer
  bool is_early_ = false;           // the answer came before all of the request had left
  bool is_out_of_memory_ = false;   // the answer could not be kept
  core::Answer answer_;
};

}  // namespace outbox::sinks
