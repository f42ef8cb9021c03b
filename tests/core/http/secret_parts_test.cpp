#include "core/http/secret_parts.hpp"

#include <doctest/doctest.h>

#include "core/encoding.hpp"

using outbox::core::secrets_in_header;
using outbox::core::secrets_in_url;

using Texts = std::vector<std::string>;

TEST_CASE("what stands behind a header's scheme is a secret by itself") {
  CHECK(secrets_in_header("s3cret") == Texts{"s3cret"});
  CHECK(secrets_in_header(" s3cret ") == Texts{"s3cret"});
  CHECK(secrets_in_header("Bearer s3cret") == Texts{"Bearer s3cret", "s3cret"});
  CHECK(secrets_in_header("Token token=\"s3cret\"") ==
        Texts{"Token token=\"s3cret\"", "token=\"s3cret\"", "s3cret"});
  CHECK(secrets_in_header("basic " + outbox::core::base64("svc:s3cret")) ==
        Texts{"basic c3ZjOnMzY3JldA==", "c3ZjOnMzY3JldA==", "=", "s3cret", "svc:s3cret"});
  CHECK(secrets_in_header("Basic c3ZjOnMzY3JldA").back() == "svc:s3cret");  // without padding
  CHECK(secrets_in_header("Basic c3ZjOnMzY3JldGE").back() == "svc:s3creta");
  CHECK(secrets_in_header("Basic ???").size() == 2);
}

TEST_CASE("what may be a secret in a URL is told from the words around it") {
  struct Row {
    std::string text;
    Texts secrets;
  };
  const Row rows[] = {
      {"", {}},
      {"/", {}},
      {"/api/v1/notifications", {}},
      {"/Orders/order-created-v2/2026-10-01/incoming_webhooks/hook2026?api-version=2024", {}},
      {"/services/T02/B03/s3cretPath9f8e7d", Texts(2, "s3cretPath9f8e7d")},
      {"/hooks/T024BE7LD/x?sig=S1gnatureZZ",
       {"T024BE7LD/x?sig=S1gnatureZZ", "T024BE7LD", "S1gnatureZZ"}},
      {"/notifications-sk_live_9f8e7d6c5b", Texts(2, "9f8e7d6c5b")},  // without the words before
      {"/a1b2/c3d4/e5f6", {"a1b2/c3d4/e5f6"}},                        // short ones: together only
      {"?sp=%2Ftriggers%2Fmanual%2Frun&sig=Ab3%2BdEf-9_xYz", Texts(2, "dEf-9_xYz")},
      {"/correct-horse-battery-staple", {}},  // nobody can tell it from a name
      {"/123456789012", Texts(2, "123456789012")}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(secrets_in_url(row.text) == row.secrets);
  }
}
