#include "core/event/uuid.hpp"

#include <doctest/doctest.h>

using namespace outbox::core;

TEST_CASE("an event id is a UUID of version 7 with the time in front") {
  // The example of RFC 9562, A.6: 2022-02-22 19:22:22 GMT, random bits 0x0CC3 and
  // 0x18C4DC0C0C07398F.
  const Instant now{std::chrono::milliseconds{0x017F22E279B0}};
  CHECK(uuid7(now, {0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F}) ==
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

TEST_CASE("random bits never change version and variant") {
  const std::string all_set = uuid7(Instant{}, {255, 255, 255, 255, 255, 255, 255, 255, 255, 255});
  CHECK(all_set == "00000000-0000-7fff-bfff-ffffffffffff");
}
