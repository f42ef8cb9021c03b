// The program `power_cuts`: the power fails at a random write or sync of SQLite. What was not
// synced by then is kept, lost, or kept in part, at random: a device may do any of that. Each cut
// is a process of its own.
//
//     power_cuts COUNT SEED FULL|NORMAL
//
// With FULL, what was committed is there afterwards. With NORMAL the last commits may be lost, and
// are counted; the file is whole all the same, and no event is without its row.

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "faults/small_app.hpp"

using namespace std::chrono_literals;
using namespace faults;

namespace {

constexpr auto vfs_name = "outbox-power";
constexpr int cut_exit = 3;

struct Write {
  std::string path;
  sqlite3_int64 at;
  std::string before;  // what was there
  sqlite3_int64 size_before;
  std::string data;
};

// Of the child, which has one thread that writes.
struct Device {
  std::vector<Write> unsynced;
  std::int64_t calls_left = 0;
  std::mt19937_64 random;
};
Device device;

struct File {
  sqlite3_file base;
  std::string* path;
  sqlite3_file* real;
};

File* ours(sqlite3_file* file) {
  return reinterpret_cast<File*>(file);
}
sqlite3_file* real(sqlite3_file* file) {
  return ours(file)->real;
}

void write_all(const std::string& path, const std::string& data, sqlite3_int64 at) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return;  // it was deleted since
  if (pwrite(file, data.data(), data.size(), at) != ssize_t(data.size())) _exit(4);
  close(file);
}

// Back to what was synced, then some of the rest again, in order; of some of it only whole sectors.
[[noreturn]] void cut_power() {
  for (auto write = device.unsynced.rbegin(); write != device.unsynced.rend(); ++write) {
    write_all(write->path, write->before, write->at);
    if (truncate(write->path.c_str(), write->size_before) != 0 && errno != ENOENT) _exit(4);
  }
  const auto keeps_of_ten = device.random() % 11;
  for (const Write& write : device.unsynced) {
    if (device.random() % 10 >= keeps_of_ten) continue;
    std::string data = write.data;
    if (device.random() % 4 == 0) data.resize(data.size() / 1024 * 512);
    write_all(write.path, data, write.at);
  }
  _exit(cut_exit);
}

void spend_a_call() {
  if (--device.calls_left < 0) cut_power();
}

int on_close(sqlite3_file* file) {
  delete ours(file)->path;
  return real(file)->pMethods->xClose(real(file));
}
int on_read(sqlite3_file* file, void* data, int size, sqlite3_int64 at) {
  return real(file)->pMethods->xRead(real(file), data, size, at);
}
int on_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  spend_a_call();
  Write write{.path = *ours(file)->path, .at = at, .before = {}, .size_before = 0, .data = {}};
  real(file)->pMethods->xFileSize(real(file), &write.size_before);
  const sqlite3_int64 there = std::clamp<sqlite3_int64>(write.size_before - at, 0, size);
  write.before.resize(std::size_t(there));
  if (there > 0) real(file)->pMethods->xRead(real(file), write.before.data(), int(there), at);
  write.data.assign(static_cast<const char*>(data), std::size_t(size));
  device.unsynced.push_back(std::move(write));
  return real(file)->pMethods->xWrite(real(file), data, size, at);
}
int on_truncate(sqlite3_file* file, sqlite3_int64 size) {
  return real(file)->pMethods->xTruncate(real(file), size);
}
int on_sync(sqlite3_file* file, int) {
  spend_a_call();
  std::erase_if(device.unsynced,
                [&](const Write& write) { return write.path == *ours(file)->path; });
  return SQLITE_OK;
}
int on_file_size(sqlite3_file* file, sqlite3_int64* size) {
  return real(file)->pMethods->xFileSize(real(file), size);
}
int on_lock(sqlite3_file* file, int level) {
  return real(file)->pMethods->xLock(real(file), level);
}
int on_unlock(sqlite3_file* file, int level) {
  return real(file)->pMethods->xUnlock(real(file), level);
}
int on_check_reserved(sqlite3_file* file, int* result) {
  return real(file)->pMethods->xCheckReservedLock(real(file), result);
}
int on_control(sqlite3_file* file, int operation, void* argument) {
  return real(file)->pMethods->xFileControl(real(file), operation, argument);
}
int on_sector_size(sqlite3_file* file) {
  return real(file)->pMethods->xSectorSize(real(file));
}
int on_characteristics(sqlite3_file* file) {
  return real(file)->pMethods->xDeviceCharacteristics(real(file));
}
int on_shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** memory) {
  return real(file)->pMethods->xShmMap(real(file), page, size, extend, memory);
}
int on_shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}
void on_shm_barrier(sqlite3_file* file) {
  real(file)->pMethods->xShmBarrier(real(file));
}
int on_shm_unmap(sqlite3_file* file, int deletes) {
  return real(file)->pMethods->xShmUnmap(real(file), deletes);
}

// Version 2: without memory-mapped files, whose writes nobody would see.
const sqlite3_io_methods methods = {2,
                                    on_close,
                                    on_read,
                                    on_write,
                                    on_truncate,
                                    on_sync,
                                    on_file_size,
                                    on_lock,
                                    on_unlock,
                                    on_check_reserved,
                                    on_control,
                                    on_sector_size,
                                    on_characteristics,
                                    on_shm_map,
                                    on_shm_lock,
                                    on_shm_barrier,
                                    on_shm_unmap,
                                    nullptr,
                                    nullptr};

sqlite3_vfs* const system_vfs = sqlite3_vfs_find(nullptr);

int on_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  File* const own = ours(file);
  own->base.pMethods = nullptr;
  own->real = reinterpret_cast<sqlite3_file*>(own + 1);
  std::memset(own->real, 0, std::size_t(system_vfs->szOsFile));
  const int code = system_vfs->xOpen(system_vfs, name, own->real, flags, flags_out);
  if (own->real->pMethods == nullptr) return code;
  own->path = new std::string{name != nullptr ? name : ""};
  own->base.pMethods = &methods;
  return code;
}

void register_vfs() {
  static sqlite3_vfs vfs = *system_vfs;
  vfs.szOsFile = int(sizeof(File)) + system_vfs->szOsFile;
  vfs.pNext = nullptr;
  vfs.zName = vfs_name;
  vfs.xOpen = on_open;
  sqlite3_vfs_register(&vfs, 0);
}

// The life of the child: it says on `committed` how many transactions it has committed.
void live(const std::string& path, const outbox::Endpoint& endpoint, const std::string& level,
          int committed) {
  SQLite::Database db = open_app(path, vfs_name);
  db.exec("pragma wal_autocheckpoint = 12; pragma synchronous = " + level);
  for (int i = 0; i < 12; ++i) {
    enqueue(db, "u" + std::to_string(i));
    if (write(committed, "x", 1) != 1) _exit(4);
    if (i % 4 == 3) outbox::deliver_once({path, vfs_name}, endpoint, options(), 2s);
    if (i % 6 == 5) outbox::prune({path, vfs_name}, {.older_than = 0ms});
  }
}

struct Cut {
  int code = 0;
  int committed = 0;
};

Cut child(const std::string& path, const outbox::Endpoint& endpoint, const std::string& level,
          std::uint64_t seed) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error{"no pipe"};
  const pid_t pid = fork();
  if (pid == 0) {
    device.random.seed(seed);
    device.calls_left = std::int64_t(device.random() % 220);
    try {
      live(path, endpoint, level, ends[1]);
    } catch (const std::exception& error) {
      std::cerr << error.what() << std::endl;
      _exit(5);
    }
    cut_power();
  }
  close(ends[1]);
  Cut cut;
  for (char byte = 0; read(ends[0], &byte, 1) == 1;) ++cut.committed;
  close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  cut.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return cut;
}

}  // namespace

int main(int argc, char** argv) try {
  const int count = argc > 1 ? std::stoi(argv[1]) : 100;
  const std::uint64_t seed = argc > 2 ? std::stoull(argv[2]) : 1;
  const std::string level = argc > 3 ? argv[3] : "FULL";
  register_vfs();
  Bench bench;
  int failures = 0;
  int lost = 0;
  int commits = 0;
  for (int i = 0; i < count; ++i) {
    const std::string path = bench.new_path();
    {
      SQLite::Database db = open_app(path);
      outbox::migrate(db);
    }
    const Cut cut = child(path, bench.endpoint(), level, seed + std::uint64_t(i));
    commits += cut.committed;
    std::string fault;
    if (cut.code != cut_exit) fault = "the process ended with " + std::to_string(cut.code);
    int there = 0;
    if (fault.empty()) {
      fault = fault_after(path, bench, {.may_lose_commits = level != "FULL"});
      SQLite::Database db = open_app(path);
      there = db.execAndGet("select count(*) / 2 from notes").getInt();
    }
    lost += std::max(cut.committed - there, 0);
    if (fault.empty() && level == "FULL" && there < cut.committed) fault = "commits are lost";
    if (!fault.empty()) {
      ++failures;
      std::cout << "FAILURE seed " << seed + std::uint64_t(i) << ": " << fault << std::endl;
    }
    bench.remove(path);
  }
  std::cout << "torture: count=" << count << " failures=" << failures << " seed=" << seed
            << " note=" << level << ",_" << commits << "_commits,_" << lost << "_lost" << std::endl;
  return failures == 0 && count > 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "power_cuts: " << error.what() << "\n";
  return 1;
}
