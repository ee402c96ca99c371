/* SPDX-License-Identifier: MIT */
/* The text of a configuration file, read and checked. */
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "fuzz.h"

static const struct config_driver focusers[] = {
	{.name = "simulator", .quirks = ""},
	{.name = "moonlite", .quirks = "no-version, no-temperature", .uses_port = true, .sets_speed = true},
	{.name = NULL},
};
static const struct config_driver cameras[] = {
	{.name = "simulator", .quirks = ""},
	{.name = "replay", .quirks = "", .uses_path = true},
	{.name = NULL},
};
static const struct config_drivers drivers = {.focusers = focusers, .cameras = cameras};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("config", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(write(fd, data, size) == (ssize_t)size);
	/* No folder of drop-ins lies beside it. */
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	bool before = fuzz_spare(true);
	struct config *config = calloc(1, sizeof *config);
	fuzz_spare(before);
	FUZZ_CHECK(config != NULL);
	config_defaults(config);
	struct buf errors;
	buf_init(&errors, 1 << 20);
	enum err_code code = config_read(config, path, &errors);
	/* A complaint without a failure, or a failure without a complaint, leaves people alone; a failure
	 * for want of memory may have lost its complaint. */
	FUZZ_CHECK((code == ERR_OK) == (errors.len == 0) || errors.failed);
	if (code == ERR_OK) {
		code = config_check(config, &drivers, &errors);
		FUZZ_CHECK((code == ERR_OK) == (errors.len == 0) || errors.failed);
	}
	if (code == ERR_OK) {
		FUZZ_CHECK(config->server.port >= 0 && config->server.port <= 65535);
		FUZZ_CHECK(memchr(config->server.name, '\0', sizeof config->server.name) != NULL);
	}
	if (code == ERR_OK && fuzz_starved()) {
		/* What was read for want of memory without a complaint must be all that there is. */
		before = fuzz_spare(true);
		struct config *whole = calloc(1, sizeof *whole);
		FUZZ_CHECK(whole != NULL);
		config_defaults(whole);
		struct buf none;
		buf_init(&none, 1 << 20);
		FUZZ_CHECK(config_read(whole, path, &none) == ERR_OK);
		FUZZ_CHECK(memcmp(whole, config, sizeof *whole) == 0);
		buf_fini(&none);
		free(whole);
		fuzz_spare(before);
	}
	struct span said = {.data = buf_text(&errors), .len = errors.len};
	FUZZ_CHECK(text_is_utf8(said) || errors.failed);
	buf_fini(&errors);
	free(config);
	close(fd);
	return 0;
}
