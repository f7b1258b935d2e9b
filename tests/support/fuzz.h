/* fuzz.h: what a fuzz target defines.
 *
 * One target is one file, tests/fuzz/fuzz_<name>.c, with seeds in tests/fuzz/corpus/<name>/. It must
 * neither crash nor leak nor run long on any input; what else must hold it asserts itself. */
#ifndef TARN_TEST_FUZZ_H
#define TARN_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0. The name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
