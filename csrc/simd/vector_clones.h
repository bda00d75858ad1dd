// Compiles a function once more for each wider vector unit and picks one when the program starts.
#pragma once

#include <cstddef>  // defines __GLIBC__ where the C library is glibc

// Needs an ELF loader with indirect functions (glibc). Elsewhere, and under sanitizers, whose
// runtimes start after such functions are resolved, the baseline alone is compiled. Products and
// sums keep their written order and are never contracted: every clone gives the same bits.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__) && (defined(__GNUC__) && !defined(__clang__))
#define EDGE_SER_VECTOR_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define EDGE_SER_VECTOR_CLONES
#endif
