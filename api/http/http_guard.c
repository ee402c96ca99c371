/* SPDX-License-Identifier: MIT */
#include "http_guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
/* The resolver's header needs the types of the others. */
#include <resolv.h>

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

void http_guard_add_domains(struct http_guard *guard)
{
	struct __res_state resolver;
	memset(&resolver, 0, sizeof resolver);
	guard->domains[0] = '\0';
	if (res_ninit(&resolver) != 0) {
		return;
	}
	size_t used = 0;
	for (int i = 0; i < MAXDNSRCH && resolver.dnsrch[i] != NULL; i++) {
		const char *domain = resolver.dnsrch[i] + strspn(resolver.dnsrch[i], ".");
		size_t len = strlen(domain);
		/* The root is written as "." and means no domain. */
		if (len > 0 && used + len + 2 <= sizeof guard->domains) {
			memcpy(guard->domains + used, domain, len);
			guard->domains[used + len] = ' ';
			used += len + 1;
		}
	}
	guard->domains[used] = '\0';
	res_nclose(&resolver);
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

/* Whether the host is the machine's name with one of the search domains behind it. */
static bool is_own_in_domain(struct span host, const struct http_guard *guard)
{
	size_t len = strlen(guard->host_name);
	if (len == 0 || host.len < len + 2 || host.data[len] != '.' ||
		strncasecmp(host.data, guard->host_name, len) != 0) {
		return false;
	}
	struct span domain = {.data = host.data + len + 1, .len = host.len - len - 1};
	return is_listed(domain, guard->domains);
}

bool http_names_note(struct http_names *names, struct span host, char out[128])
{
	if (host.len == 0 || host.len >= sizeof names->name[0] || names->count == HTTP_NAMES_MAX) {
		return false;
	}
	for (size_t i = 0; i < host.len; i++) {
		char c = host.data[i];
		c = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')) {
			return false;
		}
		out[i] = c;
	}
	out[host.len] = '\0';
	for (int i = 0; i < names->count; i++) {
		if (strcmp(names->name[i], out) == 0) {
			return false;
		}
	}
	memcpy(names->name[names->count++], out, host.len + 1);
	return true;
}

/* Whether the text behind a host name is empty, or a colon and digits; blanks may follow, which do not belong to a
 * header's value (RFC 9112 section 5.1). */
static bool is_port(const char *text)
{
	if (text[0] == ':') {
		text += 1 + strspn(text + 1, "0123456789");
	}
	return text[strspn(text, " \t")] == '\0';
}

struct span http_guard_host(const char *header)
{
	struct span none = {.data = "", .len = 0};
	if (header[0] == '[') {
		const char *end = strchr(header, ']');
		if (end == NULL || !is_port(end + 1)) {
			return none;
		}
		return (struct span){.data = header + 1, .len = (size_t)(end - header - 1)};
	}
	size_t len = strcspn(header, ": \t");
	if (!is_port(header + len)) {
		return none;
	}
	if (len > 0 && header[len - 1] == '.') {
		len--;
	}
	return (struct span){.data = header, .len = len};
}

static bool is_zone_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("%.-_~", c) != NULL);
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
	for (size_t i = len; i < host.len; i++) {
		if (!is_zone_char(host.data[i])) {
			return false;
		}
	}
	if (len == 0 || len >= sizeof text) {
		return false;
	}
	memcpy(text, host.data, len);
	text[len] = '\0';
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* Whether the host is the name itself, or the name with .local behind it, which multicast DNS gives out. */
static bool is_own(struct span host, const char *name)
{
	size_t len = strlen(name);
	if (len == 0) {
		return false;
	}
	if (span_equal_nocase(host, name)) {
		return true;
	}
	return host.len == len + 6 && strncasecmp(host.data, name, len) == 0 &&
	       strncasecmp(host.data + len, ".local", 6) == 0;
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
		       is_own(host, guard->server_name) || is_own_in_domain(host, guard) ||
		       is_listed(host, guard->allowed));
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
		return false; /* Sandboxed and local pages send "null". */
	}
	rest += 3;
	if (host != NULL && strcasecmp(rest, host) == 0) {
		return true;
	}
	return is_listed(http_guard_host(rest), guard->allowed);
}

/* Host and port of "http://host:port/path", as they stand; empty when there are none. */
static struct span authority_of(const char *address)
{
	const char *at = strstr(address, "://");
	if (at == NULL) {
		return (struct span){.data = "", .len = 0};
	}
	at += 3;
	return (struct span){.data = at, .len = strcspn(at, "/?#")};
}

static bool is_allowed_page(const struct http_guard *guard, struct span authority)
{
	char text[256];
	if (authority.len == 0 || authority.len >= sizeof text) {
		return false;
	}
	memcpy(text, authority.data, authority.len);
	text[authority.len] = '\0';
	return is_listed(http_guard_host(text), guard->allowed);
}

bool http_guard_origin_is_allowed(const struct http_guard *guard, const char *origin)
{
	return origin != NULL && is_allowed_page(guard, authority_of(origin));
}

/* Whether a person goes to the address, by a link or a bookmark; a frame in a page is not one. */
static bool is_visit(const struct http_fetch *fetch)
{
	if (fetch->mode != NULL) {
		return strcasecmp(fetch->mode, "navigate") == 0 &&
		       (fetch->dest == NULL || strcasecmp(fetch->dest, "document") == 0);
	}
	return fetch->upgrade != NULL && strcmp(fetch->upgrade, "1") == 0;
}

bool http_guard_read_ok(const struct http_guard *guard, const struct http_fetch *fetch, bool is_page)
{
	const char *referer = fetch->referer != NULL && fetch->referer[0] != '\0' ? fetch->referer : NULL;
	const char *from = fetch->origin != NULL ? fetch->origin : referer;
	struct span page = from != NULL ? authority_of(from) : (struct span){.data = "", .len = 0};
	if (is_allowed_page(guard, page)) {
		return true;
	}
	/* "same-site" is another port or a sibling name: for a machine in a house, mostly another program. */
	bool is_own = from == NULL || (fetch->host != NULL && span_equal_nocase(page, fetch->host));
	if (fetch->site != NULL) {
		is_own = strcasecmp(fetch->site, "same-origin") == 0 || strcasecmp(fetch->site, "none") == 0;
	}
	return is_own || (is_page && is_visit(fetch));
}

void http_framing_add(struct http_framing *framing, struct span name, struct span value)
{
	for (size_t i = 0; i < name.len; i++) {
		/* "Content-Length : 5" is another header for us, but a length for some proxies. */
		framing->bad_header |= (unsigned char)name.data[i] <= ' ';
	}
	if (span_equal_nocase(name, "Host")) {
		framing->hosts++;
	} else if (span_equal_nocase(name, "Transfer-Encoding")) {
		framing->codings++;
		framing->bad_coding |= !span_equal_nocase(value, "chunked");
	} else if (span_equal_nocase(name, "Content-Length")) {
		framing->lengths++;
		framing->bad_length |= value.len == 0 || value.len > 18;
		framing->length = 0;
		for (size_t i = 0; i < value.len && !framing->bad_length; i++) {
			framing->bad_length = value.data[i] < '0' || value.data[i] > '9';
			framing->length = framing->length * 10 + (uint64_t)(value.data[i] - '0');
		}
	}
}

const char *http_framing_fault(const struct http_framing *framing, bool is_http_1_0)
{
	if (framing->bad_header) {
		return "The name of a header of the request has blanks in it.";
	}
	if (framing->hosts > 1 || (framing->hosts == 0 && !is_http_1_0)) {
		return "An HTTP/1.1 request has exactly one Host header.";
	}
	if (framing->bad_coding || framing->codings > 1) {
		return "The only Transfer-Encoding understood here is chunked.";
	}
	if (framing->codings > 0 && is_http_1_0) {
		return "An HTTP/1.0 request has no Transfer-Encoding: send a Content-Length.";
	}
	if (framing->bad_length || framing->lengths > 1 ||
		(framing->lengths > 0 && framing->codings > 0)) {
		return "The request does not say clearly how long its body is: send one "
		       "Content-Length.";
	}
	return NULL;
}
