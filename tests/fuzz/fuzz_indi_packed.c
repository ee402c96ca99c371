/* SPDX-License-Identifier: MIT */
/*
 * A packed picture from an INDI server, as far as it is unpacked in this process.  The first byte says in pieces of
 * which size it comes, the second how it is packed.
 */
#include "fuzz.h"
#include "indi_packed.h"

static long handed;

static bool on_header(void *ctx, const struct indi_fits_facts *facts)
{
	(void)ctx;
	FUZZ_CHECK(facts->width > 0 && facts->height > 0 && (facts->planes == 1 || facts->planes == 3));
	return true;
}

static void on_rows(void *ctx, const struct indi_fits_facts *facts, int32_t plane, int32_t first, int32_t rows,
	const void *data)
{
	(void)ctx;
	FUZZ_CHECK(plane < facts->planes && rows > 0 && first + rows <= facts->height);
	handed += rows;
	/* All of it may be looked at. */
	volatile double sum = 0;
	for (size_t i = 0; i < (size_t)rows * (size_t)facts->width; i++) {
		sum += image_element(data, facts->type, i);
	}
}

static const struct indi_fits_handlers handlers = {.header = on_header, .rows = on_rows};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct indi_fits *fits = NULL;
	struct indi_packed *packed = NULL;
	struct err err;
	if (size < 2) {
		return 0;
	}
	size_t piece = 1 + data[0] * 16u;
	handed = 0;
	enum err_code code = indi_fits_create(&handlers, NULL, &fits, &err);
	if (code == ERR_OK) {
		code = indi_packed_begin(&packed, data[1] % 2 == 0 ? ".fits.z" : ".fits.gz", fits, &err);
	}
	FUZZ_CHECK(code == ERR_OK || fuzz_starved());
	for (size_t at = 2; at < size && code == ERR_OK; at += piece) {
		code = indi_packed_feed(packed, data + at, size - at < piece ? size - at : piece, &err);
	}
	if (code == ERR_OK) {
		code = indi_packed_end(packed, -1, &err);
	}
	FUZZ_CHECK(code != ERR_OK || !indi_fits_whole(fits) || handed > 0);
	indi_packed_destroy(packed);
	indi_fits_destroy(fits);
	return 0;
}
