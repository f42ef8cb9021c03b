#include "suite/machine.hpp"

#include <curl/curl.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sqlite3.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>

#include "suite/backlog.hpp"
#include "suite/table.hpp"

namespace bench {

namespace {

std::string file_system() {
  struct statfs facts {};
  const std::string folder = std::filesystem::temp_directory_path().native();
  if (statfs(folder.c_str(), &facts) != 0) return "unknown";
  constexpr long xfs = 0x58465342;
  constexpr long zfs = 0x2fc12fc1;
  switch (static_cast<long>(facts.f_type)) {
    case EXT4_SUPER_MAGIC:
      return "ext4";
    case BTRFS_SUPER_MAGIC:
      return "btrfs";
    case TMPFS_MAGIC:
      return "tmpfs (no disk: FULL costs nothing here)";
    case OVERLAYFS_SUPER_MAGIC:
      return "overlay";
    case xfs:
      return "xfs";
    case zfs:
      return "zfs";
    default:
      return "type " + std::to_string(facts.f_type);
  }
}

// As a commit does: appends a page and a frame header to a file.
double fdatasync_us() {
  const std::string path = scratch_path("sync");
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) throw std::runtime_error{"cannot write " + path};
  const std::array<char, 4096 + 24> page{};
  std::vector<double> took_us;
  for (int i = 0; i < 300; ++i) {
    const auto begin = Clock::now();
    if (write(descriptor, page.data(), page.size()) < 0 || fdatasync(descriptor) != 0) break;
    took_us.push_back(seconds_since(begin) * 1e6);
  }
  close(descriptor);
  std::filesystem::remove(path);
  return median(took_us);
}

}  // namespace

void print_machine() {
  std::cout << "machine\tFile system\t" << file_system() << "\n"
            << "machine\tWrite and fdatasync of a page, median\t"
            << static_cast<long>(fdatasync_us()) << " us\n"
            << "machine\tSQLite\t" << sqlite3_libversion() << "\n"
            << "machine\tlibcurl\t" << curl_version_info(CURLVERSION_NOW)->version << std::endl;
}

}  // namespace bench
