# Writes OUTPUT, a C++ file that holds the text of each of FILES. Run with cmake -P.

set(entries "")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME_WE)
  string(SUBSTRING ${name} 0 4 number)
  math(EXPR version "1${number} - 10000") # CMake would read a leading zero as octal
  file(READ ${file} sql)
  string(APPEND entries "    {${version}, \"${name}\", R\"sql(${sql})sql\"},\n")
endforeach()

file(WRITE ${OUTPUT}
"// Made from migrations/*.sql by migrations/embed.cmake.
#include \"storage/sqlite/migrations.hpp\"

namespace outbox::storage {

namespace {
constexpr Migration embedded[] = {
${entries}};
}  // namespace

std::span<const Migration> migrations() { return embedded; }

}  // namespace outbox::storage
")
