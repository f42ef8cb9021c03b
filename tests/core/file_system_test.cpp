#include "core/file_system.hpp"

#include <doctest/doctest.h>

#include <string>

using outbox::core::network_file_system;

TEST_CASE("network file systems are known by their numbers, local ones pass") {
  CHECK(std::string{network_file_system(0x6969)} == "NFS");
  CHECK(std::string{network_file_system(0xFF534D42)} == "CIFS");
  CHECK(std::string{network_file_system(static_cast<std::int32_t>(0xFF534D42))} == "CIFS");
  CHECK(network_file_system(0xEF53) == nullptr);      // ext4
  CHECK(network_file_system(0x01021994) == nullptr);  // tmpfs
  CHECK(network_file_system(0x794c7630) == nullptr);  // overlay
}
