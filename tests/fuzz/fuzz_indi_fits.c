/* SPDX-License-Identifier: MIT */
/* A picture from an INDI server: the reader of plain files.  The first byte says in pieces of which size it comes. */
#include "fuzz.h"
#include "indi_fits.h"

static long handed;
static int32_t next_row, next_plane;

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
	FUZZ_CHECK(plane == next_plane && first == next_row && rows > 0 && first + rows <= facts->height);
	handed += rows;
	next_row = first + rows == facts->height ? 0 : first + rows;
	next_plane += next_row == 0;
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
	struct err err;
	if (size == 0) {
		return 0;
	}
	size_t piece = 1 + data[0] * 16u;
	handed = 0;
	next_row = 0;
	next_plane = 0;
	if (indi_fits_create(&handlers, NULL, &fits, &err) != ERR_OK) {
		FUZZ_CHECK(fuzz_starved());
		return 0;
	}
	enum err_code code = ERR_OK;
	for (size_t at = 1; at < size && code == ERR_OK; at += piece) {
		code = indi_fits_feed(fits, data + at, size - at < piece ? size - at : piece, &err);
	}
	FUZZ_CHECK(!indi_fits_whole(fits) || handed > 0);
	indi_fits_destroy(fits);
	return 0;
}
