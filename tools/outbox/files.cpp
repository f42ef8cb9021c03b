#include "files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "exit_code.hpp"

namespace cli {

void write_whole(const std::string& path, const std::string& text) {
  const std::string draft = path + "." + std::to_string(getpid()) + ".tmp";
  std::ofstream file{draft, std::ios::binary | std::ios::trunc};
  file << text << std::flush;
  file.close();
  const bool is_written = file.good() && chmod(draft.c_str(), 0644) == 0 &&
                          std::rename(draft.c_str(), path.c_str()) == 0;
  if (is_written) return;
  const int error = errno;
  std::remove(draft.c_str());
  throw Failure{failed, "cannot write " + path + ": " + std::strerror(error)};
}

}  // namespace cli
