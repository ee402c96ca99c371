/* SPDX-License-Identifier: MIT */
/* What a port may be called, and what people write in place of that. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "pipes.h"
#include "text.h"

static const char tcp_scheme[] = "tcp://";

#define LISTED "focusd ports lists what is attached"

static bool begins(const char *text, const char *with)
{
	return strncasecmp(text, with, strlen(with)) == 0;
}

/* The number of a port in 1..65535 that is the whole text; 0: it is none. */
static uint32_t port_number(const char *text)
{
	uint32_t port = 0;
	return text_parse_u32(span_of(text), &port) && port <= 65535 ? port : 0;
}

/* Splits "host:port", "1.2.3.4:port", "[::1]:port" without a word on what is wrong. */
static bool split(const char *text, struct tcp_address *out)
{
	const char *colon = strrchr(text, ':');
	if (colon == NULL || colon == text) {
		return false;
	}
	const char *host = text;
	size_t host_len = (size_t)(colon - text);
	if (host[0] == '[') {
		if (host_len < 3 || host[host_len - 1] != ']') {
			return false;
		}
		host++;
		host_len -= 2;
	} else if (memchr(host, ':', host_len) != NULL) {
		return false;
	}
	uint32_t port = port_number(colon + 1);
	if (host_len >= sizeof out->host || port == 0 || strcspn(text, " \t/\"'") < strlen(text)) {
		return false;
	}
	memcpy(out->host, host, host_len);
	out->host[host_len] = '\0';
	snprintf(out->port, sizeof out->port, "%u", (unsigned)port);
	return true;
}

enum err_code tcp_address_parse(const char *text, struct tcp_address *out, struct err *err)
{
	if (split(text, out)) {
		return ERR_OK;
	}
	const char *colon = strrchr(text, ':');
	if (text[0] != '[' && colon != NULL && strchr(text, ':') != colon) {
		return err_set(err, ERR_INVALID_VALUE,
			"'tcp://%.80s': an IPv6 address stands in brackets, tcp://[fe80::1%%eth0]:2000", text);
	}
	if (text[strspn(text, "/ \t")] == '\0' || colon == text) {
		return err_set(err, ERR_INVALID_VALUE, "'tcp://%.80s' names no host: write tcp://host:port", text);
	}
	if (strpbrk(text, " \t\"'") != NULL) {
		return err_set(err, ERR_INVALID_VALUE, "'tcp://%.80s' contains blanks or quotes: write tcp://host:port",
			text);
	}
	if (strchr(text, '/') != NULL) {
		return err_set(err, ERR_INVALID_VALUE,
			"'tcp://%.80s': nothing may follow the port number, as in tcp://host:port", text);
	}
	if (colon == NULL || (text[0] == '[' && text[strlen(text) - 1] == ']')) {
		return err_set(err, ERR_INVALID_VALUE,
			"'tcp://%.80s' has no port number: write tcp://%.80s:2000, with the number that the other "
			"side listens on", text, text);
	}
	return err_set(err, ERR_INVALID_VALUE,
		"'tcp://%.80s' is not tcp://host:port with a port number from 1 to 65535", text);
}

static bool is_com_port(const char *text)
{
	static const char long_form[] = "\\\\.\\";
	text += strncmp(text, long_form, strlen(long_form)) == 0 ? strlen(long_form) : 0;
	return begins(text, "com") && isdigit((unsigned char)text[3]) &&
	       text[3 + strspn(text + 3, "0123456789:")] == '\0';
}

/* A name without its folder: where it would lie in /dev; NULL: it is not known to be of there. */
static const char *folder_of(const char *name)
{
	static const struct {
		const char *begin, *folder;
	} known[] = {
		{"tty", "/dev/"},
		{"rfcomm", "/dev/"},
		{"serial/", "/dev/"},
		{"pts/", "/dev/"},
		{"dev/", "/"},
		{"by-id/", "/dev/serial/"},
		{"by-path/", "/dev/serial/"},
		{"usb-", "/dev/serial/by-id/"},
		{"pci-", "/dev/serial/by-path/"},
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (begins(name, known[i].begin)) {
			return known[i].folder;
		}
	}
	return NULL;
}

/* Says what the right name may be; `where` is neither a path nor tcp://. */
static enum err_code no_name(const char *where, struct err *err)
{
	struct tcp_address address;
	const char *folder = folder_of(where);
	const char *scheme = strstr(where, "://");
	if (is_com_port(where)) {
		return err_set(err, ERR_INVALID_VALUE,
			"'%.40s' is a port of Windows; here it is called /dev/serial/by-id/... or /dev/ttyUSB0 (" LISTED
			")", where);
	}
	if (folder != NULL) {
		return err_set(err, ERR_INVALID_VALUE, "'%.80s' is no port: did you mean %s%.80s?", where, folder,
			where);
	}
	if (scheme != NULL && scheme[3] == '/') {
		return err_set(err, ERR_INVALID_VALUE, "'%.80s' is no port: did you mean %.80s?", where, scheme + 3);
	}
	if (scheme != NULL) {
		return err_set(err, ERR_INVALID_VALUE, "'%.80s' is no port: one on the network is tcp://host:port",
			where);
	}
	if (begins(where, "tcp:") && split(where + strlen("tcp:"), &address)) {
		return err_set(err, ERR_INVALID_VALUE, "'%.80s' is no port: did you mean tcp://%.80s?", where,
			where + strlen("tcp:"));
	}
	if (split(where, &address)) {
		return err_set(err, ERR_INVALID_VALUE, "'%.80s' is no port: did you mean tcp://%.80s?", where, where);
	}
	return err_set(err, ERR_INVALID_VALUE,
		"'%.80s' is no port: write /dev/serial/by-id/... (" LISTED ") or tcp://host:port", where);
}

enum err_code transport_read_name(const char *where, struct err *err)
{
	size_t len = strlen(where);
	struct tcp_address address;
	if (len > 0 && (where[0] == '"' || where[0] == '\'')) {
		return err_set(err, ERR_INVALID_VALUE, "%.80s: the port is written without quotes", where);
	}
	if (strstr(where, " #") != NULL) {
		return err_set(err, ERR_INVALID_VALUE,
			"'%.80s': a comment behind a value begins with ' ;', not with '#'", where);
	}
	if (strncmp(where, tcp_scheme, strlen(tcp_scheme)) == 0) {
		return tcp_address_parse(where + strlen(tcp_scheme), &address, err);
	}
	if (where[0] != '/') {
		return no_name(where, err);
	}
	if (strpbrk(where, "*?") != NULL) {
		return err_set(err, ERR_INVALID_VALUE,
			"'%.80s' has a wildcard, which stands for no port: write the whole name (" LISTED ")",
			where);
	}
	if (where[len - 1] == '/') {
		return err_set(err, ERR_INVALID_VALUE,
			"'%.80s' is a folder: write the whole name of a port in it (" LISTED ")", where);
	}
	return ERR_OK;
}

enum err_code transport_find(const char *where, char *path, struct err *err)
{
	if (realpath(where, path) != NULL) {
		return ERR_OK;
	}
	if (errno == ENOENT && begins(where, "/dev/pts/")) {
		return err_set(err, ERR_IO,
			"there is no %.150s: it lasts as long as the program that made it, such as focusd emulate",
			where);
	}
	if (errno == ENOENT) {
		return err_set(err, ERR_IO, "there is no %.150s: unplugged or without power?", where);
	}
	return err_set(err, ERR_IO, "cannot find %.120s: %s", where, strerror(errno));
}

enum err_code transport_look(const char *where, struct err *err)
{
	char path[PATH_MAX];
	struct stat facts;
	enum err_code code = transport_read_name(where, err);
	if (code != ERR_OK || where[0] != '/') {
		return code;
	}
	code = transport_find(where, path, err);
	if (code == ERR_OK && (stat(path, &facts) != 0 || !S_ISCHR(facts.st_mode))) {
		return err_set(err, ERR_IO, "%.150s is no serial port, but %s", where,
			stat(path, &facts) == 0 && S_ISDIR(facts.st_mode) ? "a folder" : "a file of another kind");
	}
	return code;
}
