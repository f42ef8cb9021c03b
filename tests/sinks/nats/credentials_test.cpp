// Who the app is to the real server: token, creds, certificates.

#include <doctest/doctest.h>

#include <fstream>

#include "sinks/nats/jwt.hpp"
#include "sinks/nats/support.hpp"
#include "support/process.hpp"

using namespace outbox;
using namespace support;

namespace {

SecretSource given(const std::string& secret) {
  return from_callback([secret] { return secret; });
}

// A certificate of `name` that the authority in `folder` has signed; the authority signs itself.
void make_certificate(const TemporaryFolder& folder, const std::string& name) {
  const auto openssl = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"/usr/bin/env", "openssl"});
    const Finished finished = run(arguments);
    CAPTURE(finished.err);
    REQUIRE(finished.code == 0);
  };
  const std::string key = folder.file(name + ".key");
  const std::string certificate = folder.file(name + ".pem");
  std::vector<std::string> request = {
      "req",    "-x509",   "-newkey",    "ec",   "-pkeyopt",  "ec_paramgen_curve:P-256",
      "-nodes", "-keyout", key,          "-out", certificate, "-days",
      "2",      "-subj",   "/CN=" + name};
  if (name != "authority") {
    request.insert(
        request.end(),
        {"-CA", folder.file("authority.pem"), "-CAkey", folder.file("authority.key"), "-addext",
         "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"});
  }
  openssl(request);
}

struct Certificates {
  Certificates() {
    for (const char* name : {"authority", "server", "client"}) {
      make_certificate(folder, name);
    }
  }
  std::string config() const {
    return "tls { cert_file: \"" + folder.file("server.pem") + "\", key_file: \"" +
           folder.file("server.key") + "\", ca_file: \"" + folder.file("authority.pem") +
           "\", verify: true, timeout: 10 }";
  }
  TemporaryFolder folder;
};

}  // namespace

TEST_CASE("a token is asked for, and one that is read again is sent again") {
  NatsProcess server{"authorization { token: right }"};
  NatsOptions options = nats_options(server);
  CHECK(connection_problem(options) != "");
  options.credentials = nats_token(given("wr0ng"));
  CHECK(connection_problem(options).find("wr0ng") == std::string::npos);
  CHECK(connection_problem(options) != "");
  options.credentials = nats_token(given("right"));
  CHECK(connection_problem(options) == "");
}

TEST_CASE("creds of an operator's user: the server's nonce is signed, the seed stays here") {
  NatsProcess server{jwt::server_config()};
  AppDatabase app;
  std::ofstream{app.folder().file("app.creds")} << jwt::creds();
  NatsOptions options = nats_options(server);
  CHECK(connection_problem(options) != "");
  options.credentials = nats_creds(from_file(app.folder().file("app.creds")));
  options.stream = "OUT";
  options.create_stream = NatsStream{};
  enqueue_numbers(app, 3);
  CHECK(deliver(app, options).delivered == 3);
  std::ofstream{app.folder().file("app.creds")} << "-----BEGIN NATS USER JWT-----\nx\n---";
  CHECK(connection_problem(options) == "the creds hold no user JWT with its NKEY seed");
}

TEST_CASE("TLS: the server's certificate is verified, and the client's own is shown") {
  const Certificates certificates;
  NatsProcess server{certificates.config()};
  NatsOptions options = nats_options(server);
  options.url.replace(0, 4, "tls");
  options.connect_timeout = std::chrono::seconds{20};
  const auto problem = [&] { return connection_problem(options); };
  CHECK(problem() != "");  // an authority that nobody knows
  options.ca_file = certificates.folder.file("authority.pem");
  CHECK(problem() != "");  // no certificate of the client's
  options.certificate_file = certificates.folder.file("client.pem");
  options.key_file = certificates.folder.file("client.key");
  CHECK(problem() == "");
  NatsOptions by_name = options;
  by_name.url.replace(by_name.url.find("127.0.0.1"), 9, "localhost");
  CHECK(connection_problem(by_name) != "");  // the certificate is for the address alone
  options.ca_file = certificates.folder.file("client.pem");
  CHECK(problem() != "");
  options.ca_file = certificates.folder.file("no such file");
  CHECK(problem() != "");
}

TEST_CASE("a server that wants TLS is not spoken to without, nor the other way round") {
  const Certificates certificates;
  NatsProcess secure{certificates.config()};
  CHECK(connection_problem(nats_options(secure)) != "");
  NatsProcess plain;
  NatsOptions options = nats_options(plain);
  options.url.replace(0, 4, "tls");
  CHECK(connection_problem(options).find("could not connect") != std::string::npos);
}
