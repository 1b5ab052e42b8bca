/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzers share: taking values from the input, and rules whose breach ends the run.
 *
 * An input that is too short for a value gives zeros; every fuzzer ends with its input.
 */
#ifndef _FUZZ_H
#define _FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

static inline void fuzz_take(struct fuzz_input *input, void *to, size_t size)
{
	size_t there = size < input->size ? size : input->size;

	memset(to, 0, size);
	memcpy(to, input->data, there);
	input->data += there;
	input->size -= there;
}

#define FUZZ_TAKE(type)						\
static inline type fuzz_##type(struct fuzz_input *input)	\
{								\
	type value;						\
								\
	fuzz_take(input, &value, sizeof(value));		\
	return value;						\
}

FUZZ_TAKE(u8)
FUZZ_TAKE(u16)
FUZZ_TAKE(u32)
FUZZ_TAKE(u64)

/* libFuzzer writes the input to a file and says which. */
#define FUZZ_EXPECT(cond, ...)							\
do {										\
	if (!(cond)) {								\
		fprintf(stderr, "%s:%d: broken: %s: ", __FILE__, __LINE__, #cond);	\
		fprintf(stderr, __VA_ARGS__);					\
		fprintf(stderr, "\n");						\
		abort();							\
	}									\
} while (0)

#define FUZZ_EXPECT_EQ(got, want, ...)						\
do {										\
	u64 __got = (got), __want = (want);					\
										\
	if (__got != __want) {							\
		fprintf(stderr, "%s:%d: %s is %#llx, not %#llx: ", __FILE__, __LINE__,	\
			#got, __got, __want);					\
		fprintf(stderr, __VA_ARGS__);					\
		fprintf(stderr, "\n");						\
		abort();							\
	}									\
} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
