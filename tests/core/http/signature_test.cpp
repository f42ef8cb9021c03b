#include "core/http/signature.hpp"
#include "core/encoding.hpp"

#include <doctest/doctest.h>

#include "core/http/sha256.hpp"

using namespace outbox::core;

namespace {

std::string hex(const Digest& digest) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += digits[byte / 16];
    text += digits[byte % 16];
  }
  return text;
}

}  // namespace

TEST_CASE("SHA-256 gives the digests of NIST's examples") {
  CHECK(hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hex(sha256(std::string(1'000'000, 'a'))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// RFC 4231, 4.2 to 4.8.
TEST_CASE("HMAC-SHA-256 gives the codes of RFC 4231, with long keys too") {
  CHECK(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex(hmac_sha256(std::string(131, '\xaa'),
                        "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

// RFC 4648, 10.
TEST_CASE("base64 is that of RFC 4648, both ways") {
  const std::pair<const char*, const char*> pairs[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : pairs) {
    CHECK(base64(bytes) == text);
    CHECK(base64_bytes(text) == bytes);
  }
  CHECK_FALSE(base64_bytes("Zg"));
  CHECK_FALSE(base64_bytes("Z!=="));
}

TEST_CASE("a signing key is whsec_ and 24 to 64 bytes of base64") {
  const auto written = [](std::size_t bytes) { return "whsec_" + base64(std::string(bytes, 'k')); };
  CHECK(signing_key(written(24)) == std::string(24, 'k'));
  CHECK(signing_key(written(64)));
  CHECK_FALSE(signing_key(written(23)));
  CHECK_FALSE(signing_key(written(65)));
  CHECK_FALSE(signing_key(base64(std::string(24, 'k'))));
  CHECK_FALSE(signing_key("whsec_no base64"));
}

TEST_CASE("the signature is over id, second and body") {
  const Instant sent_at{std::chrono::milliseconds{1'614'265'330'999}};
  const std::string key = *signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  CHECK(webhook_timestamp(sent_at) == "1614265330");
  CHECK(
      webhook_signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", sent_at, R"({"test": 2432232314})") ==
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_CASE("an event id that no header can hold is sent as its digest") {
  const auto is_digest = [](const std::string& id) {
    return id.size() == 6 + 64 && id.starts_with("event_") &&
           id.find_first_not_of("0123456789abcdef", 6) == std::string::npos;
  };
  CHECK(message_id("01931a7e-0f4c-7c6d-b1a1-5d7f0c8f2f10") ==
        "01931a7e-0f4c-7c6d-b1a1-5d7f0c8f2f10");
  CHECK(message_id("!~") == "!~");
  CHECK(message_id(std::string(128, 'a')) == std::string(128, 'a'));
  CHECK(is_digest(message_id(std::string(129, 'a'))));
  CHECK(is_digest(message_id("")));
  CHECK(is_digest(message_id("a b")));
  CHECK(is_digest(message_id("a\r\nX-Injected: yes")));
  CHECK(is_digest(message_id("a\x7f")));
  CHECK(is_digest(message_id("\xc3\xa9")));
  CHECK(is_digest(message_id(std::string_view{"a\0b", 3})));
  CHECK(message_id("a b") == message_id("a b"));
  CHECK(message_id("a b") != message_id("a  b"));
  CHECK(webhook_id({"a b"}) == message_id("a b"));
}

TEST_CASE("a batch's id is the same for the same events, and another for a part of them") {
  CHECK(webhook_id({"a"}) == "a");
  CHECK(webhook_id({"a", "b"}) == webhook_id({"a", "b"}));
  CHECK(webhook_id({"a", "b"}) != webhook_id({"a", "b", "c"}));
  CHECK(webhook_id({"ab", "c"}) != webhook_id({"a", "bc"}));
}
