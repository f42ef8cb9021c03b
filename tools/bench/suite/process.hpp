#pragma once

// Processes: the folder that is removed whatever happens, and runs whose time and memory are taken.

#include <functional>
#include <string>
#include <vector>

namespace bench {

/// Runs `work` in a child, with TMPDIR set to a new folder below the present one, and removes that
/// folder when the child has ended: also after SIGINT, SIGTERM or a crash. Returns the exit code.
int with_scratch_folder(const std::function<int()>& work);

/// Runs `work` in a child, so that the memory that it takes is given back, and is not counted as
/// the peak of processes that are started later: a child's peak begins with that of its parent.
/// Throws: `std::runtime_error` when it fails.
void in_child(const std::function<void()>& work);

struct ProcessRun {
  double seconds = 0;  ///< From the start to the end, loading included.
  double peak_mb = 0;  ///< Peak resident memory, in 10^6 bytes.
  int exit_code = 0;
};

/// Runs a program without its output, and waits for it.
ProcessRun run_process(const std::vector<std::string>& arguments);
/// The path of this very program.
std::string own_path();

/// Makes the kernel end this process when its parent is gone.
void end_with_parent();

}  // namespace bench
