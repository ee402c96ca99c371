/* SPDX-License-Identifier: MIT */
/* The list of serial ports, from the kernel's own tree, so that it works without udev running. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports.h"

/* Links from a configured name to the node; more are a ring. */
#define LINKS_MAX 8

/* One line of a file in sysfs, cleaned; "" when there is none. */
static void read_line(const char *dir, const char *name, char *out, size_t cap)
{
	char path[PATH_MAX];
	char raw[256];
	out[0] = '\0';
	if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path) {
		return;
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return;
	}
	ssize_t n = read(fd, raw, sizeof raw - 1);
	close(fd);
	if (n <= 0) {
		return;
	}
	raw[n] = '\0';
	raw[strcspn(raw, "\n")] = '\0';
	for (size_t len = strlen(raw); len > 0 && raw[len - 1] == ' '; len--) {
		raw[len - 1] = '\0';
	}
	text_copy_clean(out, cap, raw);
}

static uint16_t read_hex(const char *dir, const char *name)
{
	char text[16];
	read_line(dir, name, text, sizeof text);
	char *end;
	unsigned long value = strtoul(text, &end, 16);
	return *end == '\0' && value <= 0xFFFF ? (uint16_t)value : 0;
}

static bool has(const char *dir, const char *name)
{
	char path[PATH_MAX];
	return (size_t)snprintf(path, sizeof path, "%s/%s", dir, name) < sizeof path &&
	       access(path, F_OK) == 0;
}

/* The last part of where dir/link points to. */
static void read_link_name(const char *dir, const char *link, char *out, size_t cap)
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	out[0] = '\0';
	if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, link) >= sizeof path) {
		return;
	}
	ssize_t n = readlink(path, target, sizeof target - 1);
	if (n <= 0) {
		return;
	}
	target[n] = '\0';
	const char *slash = strrchr(target, '/');
	text_copy_clean(out, cap, slash != NULL ? slash + 1 : target);
}

/* Cuts the last part of an absolute path; false at the top. */
static bool go_up(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash == NULL || slash == path) {
		return false;
	}
	*slash = '\0';
	return true;
}

/* Walks from the port's device up to the USB device it belongs to. */
static void read_usb(const struct ports_roots *roots, const char *device, struct port_info *port)
{
	char at[PATH_MAX];
	char number[16];
	snprintf(at, sizeof at, "%s", device);
	port->interface = -1;
	read_line(at, "port_number", number, sizeof number);
	uint32_t n = 0;
	if (text_parse_u32(span_of(number), &n) && n < 1000) {
		port->port_number = (int)n;
	}
	size_t root = strlen(roots->sys);
	do {
		if (port->interface < 0 && has(at, "bInterfaceNumber")) {
			port->interface = read_hex(at, "bInterfaceNumber");
			const char *slash = strrchr(at, '/');
			text_copy_clean(port->path, sizeof port->path, slash != NULL ? slash + 1 : at);
		}
		if (has(at, "idVendor")) {
			port->vid = read_hex(at, "idVendor");
			port->pid = read_hex(at, "idProduct");
			read_line(at, "manufacturer", port->manufacturer, sizeof port->manufacturer);
			read_line(at, "product", port->product, sizeof port->product);
			read_line(at, "serial", port->serial, sizeof port->serial);
			return;
		}
	} while (go_up(at) && strlen(at) > root);
	port->path[0] = '\0';
}

/* A UART that the kernel only reserves a name for has type 0. */
static bool is_placeholder(const char *class_dir)
{
	char type[16];
	read_line(class_dir, "type", type, sizeof type);
	return strcmp(type, "0") == 0;
}

/* False when there is no hardware behind this terminal. */
static bool read_port(const struct ports_roots *roots, const char *name, struct port_info *port)
{
	char class_dir[PATH_MAX];
	char device[PATH_MAX];
	char link[PATH_MAX];
	memset(port, 0, sizeof *port);
	if (strlen(name) >= sizeof port->name ||
		(size_t)snprintf(class_dir, sizeof class_dir, "%s/class/tty/%s", roots->sys, name) >=
			sizeof class_dir ||
		(size_t)snprintf(link, sizeof link, "%s/device", class_dir) >= sizeof link ||
		(size_t)snprintf(port->node, sizeof port->node, "%s/%s", roots->dev, name) >=
			sizeof port->node) {
		return false;
	}
	memcpy(port->name, name, strlen(name) + 1);
	if (realpath(link, device) == NULL || is_placeholder(class_dir)) {
		return false;
	}
	read_link_name(device, "driver", port->kernel_driver, sizeof port->kernel_driver);
	read_usb(roots, device, port);
	struct ports_udev_facts facts = {.path = ""};
	if (roots->udev_facts != NULL && roots->udev_facts(name, &facts)) {
		port->modem_ignored = facts.modem_ignored;
		if (facts.path[0] != '\0') {
			snprintf(port->path, sizeof port->path, "%s", facts.path);
		}
	}
	port->exists = access(port->node, F_OK) == 0;
	port->accessible = faccessat(AT_FDCWD, port->node, R_OK | W_OK, AT_EACCESS) == 0;
	return true;
}

/* The name of the terminal that a path leads to, following links one by one, so that a node that is
 * itself a link (a test's, a container's) is not passed.  False when it leads elsewhere. */
static bool tty_name(const struct ports_roots *roots, const char *path, char *out, size_t cap)
{
	char at[PATH_MAX];
	snprintf(at, sizeof at, "%s", path);
	for (int i = 0; i < LINKS_MAX; i++) {
		/* The folder may be reached over links, too; only the last part is followed by hand. */
		char folder[PATH_MAX];
		char *name = strrchr(at, '/');
		if (at[0] != '/' || name[1] == '\0') {
			return false;
		}
		*name++ = '\0';
		if (realpath(at[0] != '\0' ? at : "/", folder) == NULL) {
			return false;
		}
		char class_dir[PATH_MAX];
		if (strcmp(folder, roots->dev) == 0 &&
			(size_t)snprintf(class_dir, sizeof class_dir, "%s/class/tty/%s", roots->sys,
				name) < sizeof class_dir &&
			has(class_dir, "device")) {
			return (size_t)snprintf(out, cap, "%s", name) < cap;
		}
		char link[2 * PATH_MAX];
		char target[PATH_MAX];
		snprintf(link, sizeof link, "%s/%s", folder, name);
		ssize_t n = readlink(link, target, sizeof target - 1);
		if (n <= 0) {
			return false;
		}
		target[n] = '\0';
		int len = target[0] == '/' ? snprintf(at, sizeof at, "%s", target)
					   : snprintf(at, sizeof at, "%s/%s", folder, target);
		if (len < 0 || (size_t)len >= sizeof at) {
			return false;
		}
	}
	return false;
}

/* Takes the names that udev has made below dev/serial/by-id or by-path. */
static void read_links(const struct ports_roots *roots, const char *folder, size_t offset,
	struct ports *list)
{
	char dir[PATH_MAX];
	snprintf(dir, sizeof dir, "%s/serial/%s", roots->dev, folder);
	DIR *at = opendir(dir);
	struct dirent *entry;
	while (at != NULL && (entry = readdir(at)) != NULL) {
		char path[PATH_MAX];
		char name[64];
		if (entry->d_name[0] == '.' ||
			(size_t)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name) >= 256 ||
			!tty_name(roots, path, name, sizeof name)) {
			continue;
		}
		for (size_t i = 0; i < list->count; i++) {
			char *out = (char *)&list->port[i] + offset;
			/* udev makes a second by-path name ("usbv2"); the shorter one is the usual. */
			if (strcmp(list->port[i].name, name) == 0 &&
				(out[0] == '\0' || strlen(path) < strlen(out))) {
				memcpy(out, path, strlen(path) + 1);
			}
		}
	}
	if (at != NULL) {
		closedir(at);
	}
}

bool ports_serial_counts(const char *serial)
{
	/* Serial numbers that makers give to all their devices; a CP2102 leaves the factory as 0001. */
	static const char *const worthless[] = {"0", "1", "0001", "0000", "00000000", "12345678",
		"123456", "0123456789ABCDEF"};
	for (size_t i = 0; i < sizeof worthless / sizeof worthless[0]; i++) {
		if (strcmp(serial, worthless[i]) == 0) {
			return false;
		}
	}
	return serial[0] != '\0';
}

static bool same_identity(const struct port_info *a, const struct port_info *b)
{
	return a->vid == b->vid && a->pid == b->pid && strcmp(a->serial, b->serial) == 0 &&
	       a->interface == b->interface && a->port_number == b->port_number;
}

static void name_port(struct ports *list, size_t i)
{
	struct port_info *port = &list->port[i];
	port->is_unique = port->vid != 0 && ports_serial_counts(port->serial);
	for (size_t k = 0; k < list->count; k++) {
		if (k != i && same_identity(port, &list->port[k])) {
			port->is_unique = false;
		}
	}
	port->stable = port->is_unique && port->by_id[0] != '\0' ? port->by_id
		: port->by_path[0] != '\0'			 ? port->by_path
								 : port->node;
}

/* ttyUSB2 before ttyUSB10. */
static int by_name(const void *a, const void *b)
{
	return strverscmp(((const struct port_info *)a)->name, ((const struct port_info *)b)->name);
}

struct ports *ports_list(const struct ports_roots *roots)
{
	struct ports *list = calloc(1, sizeof *list);
	if (list == NULL) {
		return NULL;
	}
	char dir[PATH_MAX];
	snprintf(dir, sizeof dir, "%s/class/tty", roots->sys);
	DIR *at = opendir(dir);
	struct dirent *entry;
	while (at != NULL && list->count < PORTS_MAX && (entry = readdir(at)) != NULL) {
		if (entry->d_name[0] != '.' &&
			read_port(roots, entry->d_name, &list->port[list->count])) {
			list->count++;
		}
	}
	if (at != NULL) {
		closedir(at);
	}
	qsort(list->port, list->count, sizeof list->port[0], by_name);
	read_links(roots, "by-id", offsetof(struct port_info, by_id), list);
	read_links(roots, "by-path", offsetof(struct port_info, by_path), list);
	for (size_t i = 0; i < list->count; i++) {
		name_port(list, i);
		ports_classify(&list->port[i]);
	}
	ports_find_holders(roots, list);
	return list;
}

const struct port_info *ports_find(const struct ports_roots *roots, const struct ports *list,
	const char *name)
{
	char tty[64];
	if (!tty_name(roots, name, tty, sizeof tty)) {
		return NULL;
	}
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->port[i].name, tty) == 0) {
			return &list->port[i];
		}
	}
	return NULL;
}
