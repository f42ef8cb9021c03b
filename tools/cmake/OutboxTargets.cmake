# What every target of this project's own code shares: the language and the warnings.

function(outbox_own_code target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast
    $<$<BOOL:${OUTBOX_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()
