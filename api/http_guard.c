/* SPDX-License-Identifier: MIT */
#include "http_guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

void http_guard_init(struct http_guard *guard, const char *server_name, const char *allowed)
{
	memset(guard, 0, sizeof *guard);
	if (gethostname(guard->host_full, sizeof guard->host_full - 1) != 0) {
		guard->host_full[0] = '\0';
	}
	size_t label = strcspn(guard->host_full, ".");
	if (label < sizeof guard->host_name) {
		memcpy(guard->host_name, guard->host_full, label);
	}
	snprintf(guard->server_name, sizeof guard->server_name, "%s",
		server_name != NULL ? server_name : "");
	snprintf(guard->allowed, sizeof guard->allowed, "%s", allowed != NULL ? allowed : "");
}

struct span http_guard_host(const char *header)
{
	struct span none = {.data = "", .len = 0};
	if (header[0] == '[') {
		const char *end = strchr(header, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
			return none;
		}
		return (struct span){.data = header + 1, .len = (size_t)(end - header - 1)};
	}
	size_t len = strcspn(header, ":");
	if (header[len] == ':' &&
		strspn(header + len + 1, "0123456789") != strlen(header + len + 1)) {
		return none;
	}
	if (len > 0 && header[len - 1] == '.') {
		len--;
	}
	return (struct span){.data = header, .len = len};
}

static bool is_literal(struct span host)
{
	char text[INET6_ADDRSTRLEN + 1];
	unsigned char bytes[sizeof(struct in6_addr)];
	/* A zone ("%eth0" or "%25eth0") follows a link-local address. */
	size_t len = 0;
	while (len < host.len && host.data[len] != '%') {
		len++;
	}
	if (len == 0 || len >= sizeof text) {
		return false;
	}
	memcpy(text, host.data, len);
	text[len] = '\0';
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* The name itself, or the name with .local behind it as multicast DNS gives it out. */
static bool is_own(struct span host, const char *name)
{
	size_t len = strlen(name);
	if (len == 0) {
		return false;
	}
	if (span_equal_nocase(host, name)) {
		return true;
	}
	struct span tail = {.data = host.data + len, .len = host.len - len};
	return host.len == len + 6 && strncasecmp(host.data, name, len) == 0 &&
	       span_equal_nocase(tail, ".local");
}

static bool is_listed(struct span host, const char *list)
{
	while (*list != '\0') {
		list += strspn(list, ", \t");
		size_t len = strcspn(list, ", \t");
		if (len > 0 && len == host.len && strncasecmp(list, host.data, len) == 0) {
			return true;
		}
		list += len;
	}
	return false;
}

bool http_guard_host_ok(const struct http_guard *guard, const char *header)
{
	if (header == NULL) {
		return true;
	}
	struct span host = http_guard_host(header);
	return host.len > 0 &&
	       (is_literal(host) || span_equal_nocase(host, "localhost") ||
		       is_own(host, guard->host_name) || is_own(host, guard->host_full) ||
		       is_own(host, guard->server_name) || is_listed(host, guard->allowed));
}

bool http_guard_origin_ok(
	const struct http_guard *guard, const char *host, const char *origin, const char *site)
{
	if (site != NULL && strcasecmp(site, "cross-site") == 0) {
		return false;
	}
	if (origin == NULL) {
		return true;
	}
	const char *rest = strstr(origin, "://");
	if (rest == NULL) {
		return false; /* "null": a sandboxed or local page */
	}
	rest += 3;
	if (host != NULL && strcasecmp(rest, host) == 0) {
		return true;
	}
	return is_listed(http_guard_host(rest), guard->allowed);
}
