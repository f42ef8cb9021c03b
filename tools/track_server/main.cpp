// The program `track_server`: the stand-in of the Track API, to run beside an app in development.

#include <arpa/inet.h>
#include <pthread.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "server.hpp"

namespace {

constexpr int usage_exit = 2;

constexpr auto description =
    "  track_server --port 8080 --status 503 --rate 0.3\n\n"
    "serves the Track API on http://127.0.0.1:8080/api/track and fails three requests of ten.\n"
    "Without misbehaviours it accepts what the API accepts and refuses what the API refuses.\n"
    "Each request is one line on stderr: time, method, accepted events, status.\n";

struct Arguments {
  track_server::Options options = {.port = 8080};
  std::string token_file = {};
  bool allows_any_host = false;
  track_server::Misbehaviour misbehaviour = {};
  std::int64_t latency_ms = 0;
};

void add_places(CLI::App& app, Arguments& arguments) {
  app.add_option("--port", arguments.options.port, "Port; 0: any that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--host", arguments.options.host, "Address to listen on")->capture_default_str();
  app.add_flag("--allow-any-host", arguments.allows_any_host, "Allow a --host beyond loopback");
  app.add_option("--token-file", arguments.token_file,
                 "File with the only token to accept; without it any will do");
  app.add_option("--log", arguments.options.log_path,
                 "Append accepted events to this file (NDJSON)");
}

void add_misbehaviours(CLI::App& app, Arguments& arguments) {
  CLI::App& group = *app.add_option_group("Misbehaviours");
  track_server::Misbehaviour& bad = arguments.misbehaviour;
  group.add_option("--status", bad.status, "Answer this status")->check(CLI::Range(200, 599));
  group.add_option("--latency-ms", arguments.latency_ms, "Wait before answering")
      ->check(CLI::Range(0, 86'400'000));
  group.add_option("--retry-after", bad.retry_after, "Value of a Retry-After header");
  group.add_flag("--web-page", bad.is_web_page, "Answer a web page");
  group.add_flag("--close", bad.closes, "Close without an answer, accept nothing");
  group.add_flag("--lose-answer", bad.loses_answer, "Accept the events, close without an answer");
  group.add_option("--only-with", bad.only_with, "Only requests whose body holds this text");
  group.add_option("--rate", bad.rate, "Share of requests that misbehave")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  group.add_option("--misbehave-requests", bad.requests_max, "Behave after so many; -1: never")
      ->capture_default_str();
}

bool is_loopback(const std::string& host) {
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) == 1) return ntohl(address.s_addr) >> 24 == 127;
  return host == "localhost" || host == "::1";
}

// Throws: `std::invalid_argument` when the file cannot be read or holds nothing but white space.
std::string token_in(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  std::ostringstream content;
  content << file.rdbuf();
  const std::string text = content.str();
  constexpr auto white_space = " \t\r\n";
  const std::size_t first = text.find_first_not_of(white_space);
  if (first == std::string::npos) throw std::invalid_argument("no token in " + path);
  return text.substr(first, text.find_last_not_of(white_space) + 1 - first);
}

// Throws: `std::invalid_argument`.
void complete(Arguments& arguments) {
  if (!arguments.allows_any_host && !is_loopback(arguments.options.host)) {
    throw std::invalid_argument("--host " + arguments.options.host +
                                " is not loopback; --allow-any-host allows it");
  }
  if (!arguments.token_file.empty()) arguments.options.token = token_in(arguments.token_file);
  arguments.misbehaviour.latency = std::chrono::milliseconds{arguments.latency_ms};
}

// One line and one write, since requests are reported by several threads. Nothing in it comes from
// the request but its method: payloads and tokens are about people.
void print(const track_server::Request& request) {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 16> time{};
  std::strftime(time.data(), time.size(), "%H:%M:%SZ", &utc);
  const std::string status = request.status == 0 ? "closed" : std::to_string(request.status);
  const std::string line = std::string{time.data()} + " " + request.method + " " +
                           std::to_string(request.events) + " events " + status + "\n";
  std::fputs(line.c_str(), stderr);
}

sigset_t ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

void serve(Arguments arguments) {
  const sigset_t signals = ending_signals();
  // Before any thread is there, so that sigwait alone gets them.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  arguments.options.keeps_events = false;  // nobody here asks for them
  arguments.options.on_request = print;
  track_server::TrackServer server{std::move(arguments.options)};
  // Without any option this is the contract's answer.
  server.misbehave(arguments.misbehaviour);
  std::cout << "track_server listens on " << server.url() << std::endl;

  int signal = 0;
  sigwait(&signals, &signal);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{description, "track_server"};
  add_places(app, arguments);
  add_misbehaviours(app, arguments);
  try {
    app.parse(argc, argv);
    complete(arguments);
    serve(std::move(arguments));
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : usage_exit;  // --help is one too
  } catch (const std::invalid_argument& error) {
    std::cerr << "track_server: " << error.what() << '\n';
    return usage_exit;
  } catch (const std::exception& error) {
    std::cerr << "track_server: " << error.what() << '\n';
    return 1;
  }
}
