#include "core/file_system.hpp"

namespace outbox::core {

const char* network_file_system(std::int64_t magic) {
  switch (static_cast<std::uint32_t>(magic)) {
    case 0x6969:
      return "NFS";
    case 0x517B:
      return "SMB";
    case 0xFF534D42:
      return "CIFS";
    case 0xFE534D42:
      return "SMB2";
    case 0x01021997:
      return "9p";
    case 0x00C36400:
      return "Ceph";
    case 0x5346414F:
      return "AFS";
    case 0x73757245:
      return "Coda";
    case 0x564C:
      return "NCP";
    default:
      return nullptr;
  }
}

}  // namespace outbox::core
