# Writes OUTPUT, a C++ file with the FILES of the page (of the folder ASSETS) as arrays.
# Bytes, since a string literal has a limit of its own in each compiler.

set(types_.html "text/html; charset=utf-8")
set(types_.css "text/css; charset=utf-8")
set(types_.js "text/javascript; charset=utf-8")
set(types_.svg "image/svg+xml")

set(arrays "")
set(rows "")
set(count 0)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  get_filename_component(extension ${file} LAST_EXT)
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "constexpr unsigned char file_${count}[] = {${bytes}};\n")
  string(APPEND rows "    {\"/${name}\", \"${types_${extension}}\", view(file_${count})},\n")
  math(EXPR count "${count} + 1")
endforeach()

file(WRITE ${OUTPUT} "// Made by embed.cmake.
#include \"assets.hpp\"

namespace page {
namespace {

${arrays}
template <std::size_t size>
std::string_view view(const unsigned char (&bytes)[size]) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

std::span<const Asset> assets() {
  static const Asset all[] = {
${rows}  };
  return all;
}

}  // namespace page
")
