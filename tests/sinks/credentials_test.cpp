#include "sinks/credentials.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "sinks/short_lived_secret.hpp"
#include "support/database.hpp"

using namespace outbox;

namespace {

std::optional<std::string> header_line(const Credentials& credentials) {
  const auto header = sinks::header_of(credentials);
  return header ? std::optional{header->line} : std::nullopt;
}

void write(const std::string& path, const std::string& text) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << text;
}

std::string problem_of(const Credentials& credentials) {
  try {
    header_line(credentials);
    return "none";
  } catch (const sinks::CredentialProblem& problem) {
    return problem.what();
  }
}

}  // namespace

TEST_CASE("each scheme has its header") {
  CHECK(header_line(bearer("abc.DEF-1_2~3+4/5==")) == "Authorization: Bearer abc.DEF-1_2~3+4/5==");
  CHECK(header_line(x_api_key("k:1!")) == "x-api-key: k:1!");
  CHECK(header_line(bearer(from_callback([] { return "t"; }))) == "Authorization: Bearer t");
  CHECK(header_line(x_api_key(from_callback([] { return "k"; }))) == "x-api-key: k");
  CHECK_FALSE(header_line(Credentials{}));
}

TEST_CASE("a secret that could write headers of its own is refused, and not quoted") {
  for (const std::string& secret :
       {std::string{}, std::string{"a\r\nX: y"}, std::string{"a b"}, std::string{"a\n"},
        std::string{"gr\xC3\xBC"}, std::string{"a\0b", 3}, std::string{"="}, std::string{"a=b"},
        std::string(8 * 1024 + 1, 'a')}) {
    CAPTURE(secret);
    CHECK_THROWS_AS(bearer(secret), std::invalid_argument);
    const std::string problem = problem_of(bearer(from_callback([&] { return secret; })));
    CHECK(problem.rfind("the token ", 0) == 0);
    CHECK((secret.size() < 3 || problem.find(secret) == std::string::npos));
  }
  CHECK_THROWS_AS(x_api_key("a b"), std::invalid_argument);
  CHECK_THROWS_AS(x_api_key(""), std::invalid_argument);
}

TEST_CASE("a token file is read without the white space around it, and again when it changes") {
  support::TemporaryFolder folder;
  const std::string path = folder.file("token");
  const Credentials credentials = bearer_from_file(path);
  CHECK(problem_of(credentials) == "the secret file cannot be opened: No such file or directory");

  write(path, "  first\r\n");
  CHECK(header_line(credentials) == "Authorization: Bearer first");
  write(path, "second-one\n");
  CHECK(header_line(credentials) == "Authorization: Bearer second-one");
  write(path + ".new", "renamed-x\n");
  std::filesystem::rename(path + ".new", path);
  CHECK(header_line(credentials) == "Authorization: Bearer renamed-x");
  std::filesystem::remove(path);
  CHECK(problem_of(credentials) == "the secret file cannot be opened: No such file or directory");
}

TEST_CASE("a token file that holds no token is a problem, whatever it is") {
  support::TemporaryFolder folder;
  const std::string path = folder.file("token");
  write(path, "\n");
  CHECK(problem_of(bearer_from_file(path)) == "the token is empty");
  write(path, std::string(9'000, 'a'));
  CHECK(problem_of(bearer_from_file(path)) == "the token is longer than 8 KiB");
  write(path, std::string(8 * 1024, 'a') + "\n");
  CHECK(problem_of(bearer_from_file(path)) == "none");
  CHECK(
      problem_of(bearer_from_file(folder.path().native())) ==
      "the secret file is no regular file; a secret from a pipe goes into an environment variable");
  REQUIRE(mkfifo((path + ".fifo").c_str(), 0600) == 0);
  CHECK(
      problem_of(bearer_from_file(path + ".fifo")) ==
      "the secret file is no regular file; a secret from a pipe goes into an environment variable");
}

TEST_CASE("a token can come from the environment") {
  setenv("OUTBOX_TEST_TOKEN", " from-env\n", 1);
  CHECK(header_line(bearer(from_env("OUTBOX_TEST_TOKEN"))) == "Authorization: Bearer from-env");
  CHECK(header_line(x_api_key(from_env("OUTBOX_TEST_TOKEN"))) == "x-api-key: from-env");
  unsetenv("OUTBOX_TEST_TOKEN");
  CHECK_THROWS_AS(bearer(from_env("OUTBOX_TEST_TOKEN")), std::invalid_argument);
}

TEST_CASE("what a callback throws goes no further, since it may quote the token") {
  CHECK(problem_of(bearer(from_callback([]() -> std::string {
          throw std::runtime_error{"s3cret"};
        }))) == "the credential callback failed");
  CHECK(problem_of(bearer(from_callback([]() -> std::string { throw 7; }))) ==
        "the credential callback failed");
}

TEST_CASE("a source without a function is an error, and not a request without credentials") {
  CHECK_THROWS_AS(from_callback({}), std::invalid_argument);
  CHECK_THROWS_AS(outbox::from_short_lived({}), std::invalid_argument);
  CHECK_THROWS_AS(bearer(outbox::SecretSource{}), std::invalid_argument);
  CHECK_THROWS_AS(x_api_key(outbox::SecretSource{}), std::invalid_argument);
  CHECK_THROWS_AS(outbox::from_env(nullptr), std::invalid_argument);
}

TEST_CASE("a secret's file must be named") {
  CHECK_THROWS_WITH_AS(outbox::from_file(""), doctest::Contains("from_file: the path"),
                       std::invalid_argument);
}

TEST_CASE("a short-lived token is asked for before it expires, and when it was refused") {
  int asked = 0;
  std::chrono::seconds lifetime{3600};
  const Credentials credentials = bearer(from_short_lived([&] {
    return ShortLived{"token-" + std::to_string(++asked), lifetime};
  }));
  CHECK(header_line(credentials) == "Authorization: Bearer token-1");
  CHECK(header_line(credentials) == "Authorization: Bearer token-1");
  sinks::note_refusal(credentials.source);
  lifetime = std::chrono::seconds{0};
  CHECK(header_line(credentials) == "Authorization: Bearer token-2");
  CHECK(header_line(credentials) == "Authorization: Bearer token-3");
  lifetime = std::chrono::seconds::max();  // no overflow
  header_line(credentials);
  CHECK(header_line(credentials) == header_line(credentials));
  CHECK(header_line(x_api_key(from_short_lived([] {
          return ShortLived{"k", {}};
        }))) == "x-api-key: k");
}

TEST_CASE("a short-lived token that cannot be had is asked for again") {
  int asked = 0;
  const Credentials credentials = bearer(from_short_lived([&]() -> ShortLived {
    if (++asked == 1) throw std::runtime_error{"secret"};
    return {"t", std::chrono::seconds{60}};
  }));
  CHECK(problem_of(credentials) == "the credential callback failed");
  CHECK(header_line(credentials) == "Authorization: Bearer t");
}

TEST_CASE("a short-lived token is used to its end while a new one cannot be had") {
  auto now = std::chrono::steady_clock::time_point{std::chrono::hours{1}};
  bool is_away = false;
  sinks::ShortLivedSecret token{[&]() -> ShortLived {
                                  if (is_away) throw std::runtime_error{"away"};
                                  return {"t", std::chrono::seconds{100}};
                                },
                                [&] { return now; }};
  CHECK(token.secret() == "t");
  is_away = true;
  now += std::chrono::seconds{99};
  CHECK(token.secret() == "t");
  now += std::chrono::seconds{1};
  CHECK_THROWS(token.secret());
  is_away = false;
  CHECK(token.secret() == "t");
  is_away = true;
  token.forget();  // it was refused
  CHECK_THROWS(token.secret());
}

TEST_CASE("a token file is read again after a refusal, and a change of it is noticed") {
  support::TemporaryFolder folder;
  const std::string path = folder.file("token");
  const Credentials credentials = bearer_from_file(path);
  CHECK_FALSE(sinks::is_renewed(credentials.source));  // it is not there, and never was

  write(path, "first");
  CHECK(sinks::is_renewed(credentials.source));
  CHECK(header_line(credentials) == "Authorization: Bearer first");
  sinks::note_refusal(credentials.source);
  CHECK_FALSE(sinks::is_renewed(credentials.source));

  write(path, "second-one");
  CHECK(sinks::is_renewed(credentials.source));
  CHECK(header_line(credentials) == "Authorization: Bearer second-one");
}

TEST_CASE("a token file that was refused before anyone read it is not another one") {
  support::TemporaryFolder folder;
  write(folder.file("token"), "first");
  const Credentials credentials = bearer_from_file(folder.file("token"));
  sinks::note_refusal(credentials.source);  // together with one that could not be read
  CHECK_FALSE(sinks::is_renewed(credentials.source));
}

TEST_CASE("a changed file that nobody reads is news once, and not at each refusal") {
  support::TemporaryFolder folder;
  write(folder.file("token"), "first");
  const Credentials credentials = bearer_from_file(folder.file("token"));
  CHECK(header_line(credentials) == "Authorization: Bearer first");
  write(folder.file("token"), "second-one");
  sinks::note_refusal(credentials.source);
  CHECK(sinks::is_renewed(credentials.source));
  sinks::note_refusal(credentials.source);  // of what was read before, again
  CHECK_FALSE(sinks::is_renewed(credentials.source));
}

TEST_CASE("a changed token file ends the wait of each endpoint that shares it") {
  support::TemporaryFolder folder;
  const std::string path = folder.file("token");
  write(path, "first");
  const Credentials mine = bearer_from_file(path);
  const Credentials yours = mine;
  for (const Credentials* each : {&mine, &yours}) {
    CHECK(header_line(*each) == "Authorization: Bearer first");
    sinks::note_refusal(each->source);
  }

  write(path, "second-one");
  CHECK(header_line(mine) == "Authorization: Bearer second-one");
  CHECK(sinks::is_renewed(yours.source));
}

// The thread sanitizer sees an access without a lock.
TEST_CASE("endpoints that share a secret may ask for it and refuse it at the same time") {
  support::TemporaryFolder folder;
  write(folder.file("token"), "t0ken");
  const auto renewed = [] { return ShortLived{"t0ken", std::chrono::seconds{60}}; };
  for (const Credentials& shared :
       {bearer_from_file(folder.file("token")), bearer(from_short_lived(renewed))}) {
    const auto use = [&shared] {
      const Credentials own = shared;
      for (int i = 0; i < 500; ++i) {
        CHECK(header_line(own) == "Authorization: Bearer t0ken");
        sinks::note_refusal(own.source);
        sinks::is_renewed(own.source);
      }
    };
    std::thread other{use};
    use();
    other.join();
  }
}

TEST_CASE("what a host's own functions throw about a refusal goes no further") {
  const Credentials credentials = bearer(SecretSource{.secret = [] { return "t"; },
                                                      .refused = [] { throw 1; },
                                                      .is_renewed = []() -> bool { throw 1; }});
  sinks::note_refusal(credentials.source);
  CHECK_FALSE(sinks::is_renewed(credentials.source));
  CHECK_FALSE(sinks::is_renewed(bearer("t").source));
}
