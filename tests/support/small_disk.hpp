#pragma once

// A disk that a test can fill: a small file system in memory, mounted on a folder of its own.

#include <sys/mount.h>

#include <cstdio>
#include <string>

#include "support/database.hpp"

namespace support {

class SmallDisk {
 public:
  explicit SmallDisk(const char* size = "size=2m")
      : is_mounted_{mount("none", folder_.path().c_str(), "tmpfs", 0, size) == 0} {}
  ~SmallDisk() {
    if (is_mounted_) umount2(folder_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  /// False: this user may not mount.
  bool is_there() const { return is_mounted_; }
  std::string file(const std::string& name) const { return folder_.file(name); }

  /// Takes all the space that is left; `release` gives it back.
  void fill() const {
    std::FILE* const ballast = std::fopen(file("ballast").c_str(), "a");
    const std::string block(512, 'x');
    std::setvbuf(ballast, nullptr, _IONBF, 0);
    while (std::fwrite(block.data(), 1, block.size(), ballast) == block.size()) {
    }
    std::fclose(ballast);
  }
  void release() const { std::remove(file("ballast").c_str()); }

 private:
  TemporaryFolder folder_;
  bool is_mounted_;
};

}  // namespace support
