/* SPDX-License-Identifier: MIT */
/*
 * Makes a pseudo terminal pass for a serial port, for tests: with this in LD_PRELOAD (or linked into
 * a test program) the serial port library finds, opens and configures it, and what is done to its
 * control lines is written down.  $FOCUSD_TEST_PORTS names a folder; for each port in it
 *
 *   NAME          symbolic link to the terminal: /dev/NAME exists while this does
 *   NAME.log      is written: "open dtr=1 rts=1", "set dtr=1 rts=0", "close dtr=1 rts=0", one a line;
 *                 "close" is "hangup" when HUPCL let the lines fall
 *   NAME.open     a number: opening fails with this errno
 *   NAME.read     a number: reading fails with this errno
 *   NAME.write    a number: one write takes at most so many bytes
 *   NAME.lines    a number: asking for the control lines fails with this errno
 *   NAME.cts      a number: CTS comes at the so many'th look since RTS rose; -1 never.  Without it CTS
 *                 follows RTS
 *
 * The log is what a real port's lines would do: opening raises both.
 */
/* The plain names are what is defined here. */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define DESCRIPTORS 256
#define PORTS 8
#define NAME_MAX_LEN 48

struct port {
	char name[NAME_MAX_LEN];
	int open; /* so many descriptors */
	int lines;
	int looks; /* at CTS since RTS rose */
};

static struct port ports[PORTS];
/* What a descriptor leads to; NULL: nothing of ours. */
static struct port *by_fd[DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name, type) ((type)real(#name))

static void *real(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);
	if (found == NULL) {
		abort();
	}
	return found;
}

static int real_open(const char *path, int flags, mode_t mode)
{
	return REAL(open, int (*)(const char *, int, ...))(path, flags, mode);
}

static bool in_folder(char *out, size_t cap, const char *name, const char *suffix)
{
	const char *folder = getenv("FOCUSD_TEST_PORTS");
	if (folder == NULL || *name == '\0' || strchr(name, '/') != NULL) {
		return false;
	}
	int n = snprintf(out, cap, "%s/%s%s", folder, name, suffix);
	return n > 0 && (size_t)n < cap;
}

/* The port of this path, NULL when it is none of ours; terminal gets what is behind it. */
static const char *port_of(const char *path, char terminal[PATH_MAX])
{
	if (path == NULL || strncmp(path, "/dev/", 5) != 0 || strlen(path + 5) >= NAME_MAX_LEN) {
		return NULL;
	}
	char link[PATH_MAX];
	if (!in_folder(link, sizeof link, path + 5, "")) {
		return NULL;
	}
	ssize_t n = REAL(readlink, ssize_t (*)(const char *, char *, size_t))(link, terminal,
		PATH_MAX - 1);
	if (n <= 0) {
		return NULL;
	}
	terminal[n] = '\0';
	return path + 5;
}

/* The number in NAME.what, or otherwise. */
static int setting(const char *name, const char *what, int otherwise)
{
	char path[PATH_MAX];
	if (!in_folder(path, sizeof path, name, what)) {
		return otherwise;
	}
	int fd = real_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0) {
		return otherwise;
	}
	char text[16] = "";
	ssize_t n = REAL(read, ssize_t (*)(int, void *, size_t))(fd, text, sizeof text - 1);
	REAL(close, int (*)(int))(fd);
	return n > 0 ? (int)strtol(text, NULL, 10) : otherwise;
}

static void write_down(const struct port *port, const char *what)
{
	char path[PATH_MAX];
	char line[80];
	if (!in_folder(path, sizeof path, port->name, ".log")) {
		return;
	}
	int n = snprintf(line, sizeof line, "%s dtr=%d rts=%d\n", what, (port->lines & TIOCM_DTR) != 0,
		(port->lines & TIOCM_RTS) != 0);
	int fd = real_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0) {
		ssize_t written =
			REAL(write, ssize_t (*)(int, const void *, size_t))(fd, line, (size_t)n);
		(void)written;
		REAL(close, int (*)(int))(fd);
	}
}

/* With the lock held; NULL when the descriptor is no port of ours. */
static struct port *opened(int fd)
{
	return fd >= 0 && fd < DESCRIPTORS ? by_fd[fd] : NULL;
}

static bool is_port(int fd, char name[NAME_MAX_LEN])
{
	pthread_mutex_lock(&lock);
	const struct port *port = opened(fd);
	if (port != NULL) {
		memcpy(name, port->name, NAME_MAX_LEN);
	}
	pthread_mutex_unlock(&lock);
	return port != NULL;
}

/* The first that opens a port raises its lines. */
static struct port *remember(const char *name)
{
	struct port *port = NULL;
	for (size_t i = 0; i < PORTS && port == NULL; i++) {
		if (ports[i].open > 0 && strcmp(ports[i].name, name) == 0) {
			port = &ports[i];
		}
	}
	for (size_t i = 0; i < PORTS && port == NULL; i++) {
		if (ports[i].open == 0) {
			port = &ports[i];
			*port = (struct port){.lines = TIOCM_DTR | TIOCM_RTS};
			snprintf(port->name, sizeof port->name, "%s", name);
			write_down(port, "open");
		}
	}
	if (port == NULL) {
		abort();
	}
	port->open++;
	return port;
}

static int fake_open(const char *path, int flags, mode_t mode)
{
	char terminal[PATH_MAX];
	const char *name = port_of(path, terminal);
	if (name == NULL) {
		return real_open(path, flags, mode);
	}
	int error = setting(name, ".open", 0);
	if (error != 0) {
		errno = error;
		return -1;
	}
	int fd = real_open(terminal, flags | O_NOCTTY, mode);
	if (fd >= 0 && fd < DESCRIPTORS) {
		pthread_mutex_lock(&lock);
		by_fd[fd] = remember(name);
		pthread_mutex_unlock(&lock);
	}
	return fd;
}

#define WITH_MODE(flags) \
	mode_t mode = 0; \
	if ((flags) & (O_CREAT | O_TMPFILE)) { \
		va_list list; \
		va_start(list, flags); \
		mode = (mode_t)va_arg(list, int); \
		va_end(list); \
	}

int open(const char *path, int flags, ...)
{
	WITH_MODE(flags)
	return fake_open(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	WITH_MODE(flags)
	return fake_open(path, flags, mode);
}

/* What open() becomes in programs that were built with fortification. */
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
	return fake_open(path, flags, 0);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
	return fake_open(path, flags, 0);
}

int close(int fd)
{
	pthread_mutex_lock(&lock);
	struct port *port = opened(fd);
	if (port != NULL && --port->open == 0) {
		struct termios tio;
		bool falls = tcgetattr(fd, &tio) == 0 && (tio.c_cflag & HUPCL);
		if (falls) {
			port->lines = 0;
		}
		write_down(port, falls ? "hangup" : "close");
	}
	if (port != NULL) {
		by_fd[fd] = NULL;
	}
	pthread_mutex_unlock(&lock);
	return REAL(close, int (*)(int))(fd);
}

static int answer_lines(struct port *port, unsigned long request, int *lines)
{
	int error = setting(port->name, ".lines", 0);
	if (error != 0) {
		errno = error;
		return -1;
	}
	int before = port->lines;
	switch (request) {
	case TIOCMGET: {
		int looks = setting(port->name, ".cts", 0);
		bool cts = (port->lines & TIOCM_RTS) && looks >= 0 && ++port->looks > looks;
		*lines = port->lines | (cts ? TIOCM_CTS : 0);
		return 0;
	}
	case TIOCMSET:
		port->lines = *lines & (TIOCM_DTR | TIOCM_RTS);
		break;
	case TIOCMBIS:
		port->lines |= *lines & (TIOCM_DTR | TIOCM_RTS);
		break;
	default:
		port->lines &= ~*lines;
		break;
	}
	if (~before & port->lines & TIOCM_RTS) {
		port->looks = 0;
	}
	if (before != port->lines) {
		write_down(port, "set");
	}
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	va_start(list, request);
	void *argument = va_arg(list, void *);
	va_end(list);
	if (request == TIOCMGET || request == TIOCMSET || request == TIOCMBIS || request == TIOCMBIC) {
		pthread_mutex_lock(&lock);
		struct port *port = opened(fd);
		int rc = port != NULL ? answer_lines(port, request, argument) : 0;
		pthread_mutex_unlock(&lock);
		if (port != NULL) {
			return rc;
		}
	}
	return REAL(ioctl, int (*)(int, unsigned long, ...))(fd, request, argument);
}

ssize_t read(int fd, void *out, size_t cap)
{
	char name[NAME_MAX_LEN];
	int error = is_port(fd, name) ? setting(name, ".read", 0) : 0;
	if (error != 0) {
		errno = error;
		return -1;
	}
	return REAL(read, ssize_t (*)(int, void *, size_t))(fd, out, cap);
}

ssize_t write(int fd, const void *data, size_t len)
{
	char name[NAME_MAX_LEN];
	int most = is_port(fd, name) ? setting(name, ".write", 0) : 0;
	return REAL(write, ssize_t (*)(int, const void *, size_t))(fd, data,
		most > 0 && (size_t)most < len ? (size_t)most : len);
}

/* Follows links of others that lead to one of ours, as those of /dev/serial/by-id do. */
char *realpath(const char *restrict path, char *restrict out)
{
	char terminal[PATH_MAX];
	char link[PATH_MAX] = "";
	const char *port = path;
	if (port_of(path, terminal) == NULL) {
		ssize_t n = path == NULL ? -1
			: REAL(readlink, ssize_t (*)(const char *, char *, size_t))(path, link,
				sizeof link - 1);
		port = n > 0 && port_of(link, terminal) != NULL ? link : NULL;
	}
	if (port == NULL) {
		return REAL(realpath, char *(*)(const char *, char *))(path, out);
	}
	if (out == NULL) {
		return strdup(port);
	}
	snprintf(out, PATH_MAX, "%s", port);
	return out;
}

char *__realpath_chk(const char *path, char *out, size_t cap);
char *__realpath_chk(const char *path, char *out, size_t cap)
{
	(void)cap;
	return realpath(path, out);
}

/* The port that /sys/class/tty/NAME speaks of; rest gets what follows it. */
static bool sysfs_port(const char *path, const char **rest, char name[NAME_MAX_LEN])
{
	static const char folder[] = "/sys/class/tty/";
	if (path == NULL || strncmp(path, folder, sizeof folder - 1) != 0) {
		return false;
	}
	const char *begin = path + sizeof folder - 1;
	size_t len = strcspn(begin, "/");
	char device[NAME_MAX_LEN + 8];
	char terminal[PATH_MAX];
	if (len >= NAME_MAX_LEN) {
		return false;
	}
	memcpy(name, begin, len);
	name[len] = '\0';
	snprintf(device, sizeof device, "/dev/%s", name);
	*rest = begin + len;
	return port_of(device, terminal) != NULL;
}

static bool fake_lstat(const char *path, mode_t *mode)
{
	const char *rest;
	char name[NAME_MAX_LEN];
	if (!sysfs_port(path, &rest, name) || (*rest != '\0' && strcmp(rest, "/device") != 0)) {
		return false;
	}
	*mode = S_IFLNK | 0777;
	return true;
}

int lstat(const char *restrict path, struct stat *restrict out)
{
	mode_t mode;
	if (fake_lstat(path, &mode)) {
		*out = (struct stat){.st_mode = mode};
		return 0;
	}
	return REAL(lstat, int (*)(const char *, struct stat *))(path, out);
}

int stat(const char *restrict path, struct stat *restrict out)
{
	char terminal[PATH_MAX];
	return REAL(stat, int (*)(const char *, struct stat *))(
		port_of(path, terminal) != NULL ? terminal : path, out);
}

int stat64(const char *restrict path, struct stat64 *restrict out)
{
	char terminal[PATH_MAX];
	return REAL(stat64, int (*)(const char *, struct stat64 *))(
		port_of(path, terminal) != NULL ? terminal : path, out);
}

int access(const char *path, int mode)
{
	char terminal[PATH_MAX];
	return REAL(access, int (*)(const char *, int))(
		port_of(path, terminal) != NULL ? terminal : path, mode);
}

int lstat64(const char *restrict path, struct stat64 *restrict out)
{
	mode_t mode;
	if (fake_lstat(path, &mode)) {
		*out = (struct stat64){.st_mode = mode};
		return 0;
	}
	return REAL(lstat64, int (*)(const char *, struct stat64 *))(path, out);
}

/* What lstat() becomes in libraries of older builds. */
int __lxstat(int version, const char *path, struct stat *out);
int __lxstat(int version, const char *path, struct stat *out)
{
	mode_t mode;
	if (fake_lstat(path, &mode)) {
		*out = (struct stat){.st_mode = mode};
		return 0;
	}
	return REAL(__lxstat, int (*)(int, const char *, struct stat *))(version, path, out);
}

ssize_t readlink(const char *restrict path, char *restrict out, size_t cap)
{
	const char *rest;
	char name[NAME_MAX_LEN];
	if (!sysfs_port(path, &rest, name)) {
		return REAL(readlink, ssize_t (*)(const char *, char *, size_t))(path, out, cap);
	}
	char target[PATH_MAX];
	int n = snprintf(target, sizeof target, "../../devices/platform/focusd-test/tty/%s%s", name,
		rest);
	size_t len = (size_t)n < cap ? (size_t)n : cap;
	memcpy(out, target, len);
	return (ssize_t)len;
}
