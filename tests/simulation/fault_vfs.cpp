#include "simulation/fault_vfs.hpp"

#include <sqlite3.h>

#include <cstring>
#include <mutex>

namespace simulation {

namespace {

sqlite3_vfs* real_vfs() {
  static sqlite3_vfs* const found = sqlite3_vfs_find(nullptr);
  return found;
}

// A file of ours; the real one lies right behind it in the memory that SQLite gives.
struct File {
  sqlite3_file base;
  sqlite3_file* real;
};

sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<File*>(file)->real;
}

bool fails_with_io_error() {
  return faults().strikes(faults().kind == Faults::Kind::io_error);
}
bool fails_as_full() {
  return faults().strikes(faults().kind == Faults::Kind::full);
}
bool fails_as_busy() {
  return faults().strikes(faults().kind == Faults::Kind::busy_lock);
}

int on_close(sqlite3_file* file) {
  return real(file)->pMethods->xClose(real(file));
}
int on_read(sqlite3_file* file, void* data, int size, sqlite3_int64 at) {
  if (fails_with_io_error()) return SQLITE_IOERR_READ;
  return real(file)->pMethods->xRead(real(file), data, size, at);
}
int on_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  if (fails_with_io_error()) return SQLITE_IOERR_WRITE;
  if (fails_as_full()) return SQLITE_FULL;
  return real(file)->pMethods->xWrite(real(file), data, size, at);
}
int on_truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (fails_with_io_error()) return SQLITE_IOERR_TRUNCATE;
  return real(file)->pMethods->xTruncate(real(file), size);
}
int on_sync(sqlite3_file*, int) {
  return fails_with_io_error() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}
int on_file_size(sqlite3_file* file, sqlite3_int64* size) {
  if (fails_with_io_error()) return SQLITE_IOERR_FSTAT;
  return real(file)->pMethods->xFileSize(real(file), size);
}
int on_lock(sqlite3_file* file, int level) {
  if (fails_as_busy()) return SQLITE_BUSY;
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
  if (fails_with_io_error()) return SQLITE_IOERR_SHMMAP;
  return real(file)->pMethods->xShmMap(real(file), page, size, extend, memory);
}
int on_shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  if ((flags & SQLITE_SHM_LOCK) != 0 && fails_as_busy()) return SQLITE_BUSY;
  return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}
void on_shm_barrier(sqlite3_file* file) {
  real(file)->pMethods->xShmBarrier(real(file));
}
int on_shm_unmap(sqlite3_file* file, int deletes) {
  return real(file)->pMethods->xShmUnmap(real(file), deletes);
}

// Version 2: without memory-mapped reads, which the library turns off anyway.
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

int on_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  auto* const ours = reinterpret_cast<File*>(file);
  ours->base.pMethods = nullptr;
  if (fails_with_io_error()) return SQLITE_CANTOPEN;
  ours->real = reinterpret_cast<sqlite3_file*>(ours + 1);
  std::memset(ours->real, 0, static_cast<std::size_t>(real_vfs()->szOsFile));
  const int code = real_vfs()->xOpen(real_vfs(), name, ours->real, flags, flags_out);
  if (ours->real->pMethods != nullptr) ours->base.pMethods = &methods;
  return code;
}

}  // namespace

Faults& faults() {
  thread_local Faults own;
  return own;
}

void register_fault_vfs() {
  static std::once_flag once;
  std::call_once(once, [] {
    static sqlite3_vfs vfs = *real_vfs();  // all but the opening is SQLite's
    vfs.szOsFile = static_cast<int>(sizeof(File)) + real_vfs()->szOsFile;
    vfs.pNext = nullptr;
    vfs.zName = fault_vfs;
    vfs.xOpen = on_open;
    sqlite3_vfs_register(&vfs, 0);
  });
}

}  // namespace simulation
