/* SPDX-License-Identifier: MIT */
/* The headers that tell who is talked to and from which page.  Input: Host, line end, Origin. */
#include "fuzz.h"
#include "http_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http_guard guard = {.host_name = "pier",
		.host_full = "pier.example.org",
		.server_name = "focusd",
		.allowed = "scope.example.org, dome"};
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t len = end != NULL ? (size_t)(end - data) : size;
	char *host = fuzz_string(data, len);
	char *origin = end != NULL ? fuzz_string(end + 1, size - len - 1) : NULL;
	if (http_guard_host_ok(&guard, host)) {
		/* Nothing but letters of the names above, or characters of an address. */
		struct span name = http_guard_host(host);
		FUZZ_CHECK(name.len > 0 && name.data >= host &&
			   name.data + name.len <= host + strlen(host));
		FUZZ_CHECK(memchr(name.data, '/', name.len) == NULL &&
			   memchr(name.data, '@', name.len) == NULL);
	}
	if (http_guard_origin_ok(&guard, host, origin, NULL) && origin != NULL) {
		FUZZ_CHECK(strstr(origin, "://") != NULL);
	}
	FUZZ_CHECK(!http_guard_origin_ok(&guard, host, origin, "cross-site"));
	/* A page that is not allowed by name reads only as our own, or as a person who goes to a page. */
	struct http_fetch fetch = {.host = host, .origin = origin, .site = "cross-site"};
	bool is_allowed = http_guard_origin_is_allowed(&guard, origin);
	FUZZ_CHECK(http_guard_read_ok(&guard, &fetch, true) == is_allowed);
	fetch.site = NULL;
	fetch.upgrade = "1";
	FUZZ_CHECK(http_guard_read_ok(&guard, &fetch, true));
	FUZZ_CHECK(!is_allowed || http_guard_read_ok(&guard, &fetch, false));
	free(origin);
	free(host);
	return 0;
}
