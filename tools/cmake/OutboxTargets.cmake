# What every target of this project's own code shares: the language and the warnings.

function(outbox_own_code target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast
    # GCC 12 and 13 see overlaps in `"text" + string` that are not there (gcc.gnu.org/PR105651).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
    $<$<BOOL:${OUTBOX_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()
