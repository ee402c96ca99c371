/* SPDX-License-Identifier: MIT */
#include "raw_library.h"

#include <pthread.h>

#include "late.h"

struct raw_library raw_library;

static const struct late_symbol symbols[] = {
	{"libraw_init", &raw_library.init},
	{"libraw_open_file", &raw_library.open_file},
	{"libraw_unpack", &raw_library.unpack},
	{"libraw_COLOR", &raw_library.colour},
	{"libraw_strerror", &raw_library.strerror},
	{"libraw_close", &raw_library.close},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct err reason;

static void load(void)
{
	late_load(RAW_LIBRARY_FILE, symbols, sizeof symbols / sizeof symbols[0], &reason);
}

enum err_code raw_library_load(struct err *err)
{
	pthread_once(&once, load);
	return reason.code == ERR_OK ? ERR_OK : err_copy(err, &reason);
}
